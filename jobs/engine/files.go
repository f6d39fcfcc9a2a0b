package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// Bounds of a job's files: while it works, and in its record at its end, which names those that are not empty.
const (
	maxFiles  = 10_000
	maxListed = 64
)

// fileNote begins the keys of the notes that say where files are. No note of a work has a colon in its key.
const fileNote = "file:"

// Put implements work.Run. The file is stored under a key of this attempt and counts when a note names it, so a worker that
// has lost the job replaces nothing. Files are noted and not written into the record one by one, since a large backup has a
// thousand of them for a while.
func (r *run) Put(ctx context.Context, name string, from io.Reader) (int64, error) {
	if !work.GoodName(name) {
		return 0, fmt.Errorf("%q is no name of a file: letters, digits, dots, - and _, at most 128", name)
	}
	var old bus.JobFile
	had, err := r.notes.get(fileNote+name, &old)
	if err != nil {
		return 0, err
	}
	if !had && r.notes.count(fileNote) >= maxFiles {
		return 0, work.Permanent(fmt.Errorf("a job has at most %d files; %s was not kept", maxFiles, name))
	}
	key := fmt.Sprintf("%s/%s/%d/%s", r.self.Guild, r.self.ID, r.attempt, name)
	info, err := r.e.files.Put(ctx, key, from)
	if err != nil {
		return 0, err
	}
	f := bus.JobFile{Name: name, Size: int64(info.Size), Digest: info.Digest, Key: key}
	if err := r.noteError(r.notes.set(ctx, fileNote+name, f)); err != nil {
		return 0, err
	}
	if had && old.Key != key {
		if err := r.e.files.Delete(ctx, old.Key); err != nil {
			r.e.log.Debug("a replaced file stays until its job expires", "job", r.self.ID, "err", err)
		}
	}
	return f.Size, nil
}

// Open implements work.Run. That of another job is looked for among those of this job's guild, whatever the name says.
func (r *run) Open(ctx context.Context, job, name string) (io.ReadCloser, error) {
	if job != r.self.ID {
		f, _, err := r.e.jobs.OpenFile(ctx, r.self.Guild, job, name)
		return f, err
	}
	var file bus.JobFile
	had, err := r.notes.get(fileNote+name, &file)
	if err != nil {
		return nil, err
	}
	if !had {
		return nil, bus.Errorf(bus.CodeNotFound, "no_file", "the job %s has no file %s", job, name)
	}
	f, _, err := r.e.files.Open(ctx, file.Key)
	return f, err
}

// files lists what the record names at the end: what is not empty, the largest when there are too many.
func (r *run) files() []bus.JobFile {
	var all []bus.JobFile
	r.notes.each(fileNote, func(data json.RawMessage) {
		var f bus.JobFile
		if json.Unmarshal(data, &f) == nil && f.Size > 0 { // we wrote it
			all = append(all, f)
		}
	})
	slices.SortFunc(all, func(a, b bus.JobFile) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Name, b.Name))
	})
	if len(all) > maxListed {
		r.e.log.Warn("a job has more files than its record names", "job", r.self.ID, "files", len(all), "named", maxListed)
		all = all[:maxListed]
	}
	slices.SortFunc(all, func(a, b bus.JobFile) int { return strings.Compare(a.Name, b.Name) })
	return all
}
