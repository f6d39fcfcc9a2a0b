package main

import (
	"fmt"
	"os"
	"path/filepath"

	"splashtail/jobs/backup/archive"
)

// jobsHere is where jobs that run without a server keep their directories.
const jobsHere = "jobs-here"

// directoryOf gives the directory of a job that ran here: its id, or a path.
func directoryOf(job string) string {
	if info, err := os.Stat(job); err == nil && info.IsDir() {
		return job
	}
	return filepath.Join(jobsHere, job)
}

// isFile tells whether a text is the path of a file.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// fileOfJob gives the path of a file of a job that ran here. Where a job is asked for, the path of a backup may stand.
func fileOfJob(job, name string) (string, error) {
	if isFile(job) {
		return job, nil
	}
	return filepath.Join(directoryOf(job), "files", name), nil
}

// archiveOfJob tells which file of a job that ran here is its backup.
func archiveOfJob(job string) (string, error) {
	if isFile(job) {
		return "backup", nil // any name: fileOfJob takes the path
	}
	found, err := filepath.Glob(filepath.Join(directoryOf(job), "files", "*"+archive.Extension))
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", fmt.Errorf("%s is neither a file nor a job under %s that made a backup; nothing was changed", job, jobsHere)
	case len(found) > 1:
		return "", fmt.Errorf("%s has %d backups; give the path of one of them: %v", job, len(found), found)
	}
	return filepath.Base(found[0]), nil
}
