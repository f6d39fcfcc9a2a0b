package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"splashtail/bus"
)

// toStdout as the name of a file writes to standard output.
const toStdout = "-"

// backupGetCmd reads a backup from the store.
type backupGetCmd struct {
	ID  string `arg:"" name:"job" help:"The job that made it; after a restore that one's, which kept the server as it was before."`
	Out string `short:"o" placeholder:"PATH" help:"Where to write, - for standard output; without it under its own name, here. An existing file is not replaced."`
}

// Run implements the command.
func (cmd backupGetCmd) Run(c *call) error {
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		job, err := j.Find(ctx, cmd.ID)
		if err != nil {
			return err
		}
		name := bus.ArchiveOf(job)
		if name == "" {
			return fmt.Errorf("the job %s (%s, %s) has no backup; nothing was written: see splashtail backup list", job.ID, job.Kind, job.State)
		}
		r, file, err := j.OpenFile(ctx, job.Guild, job.ID, name)
		if err != nil {
			return err
		}
		defer r.Close() //nolint:errcheck // read only
		read := whole{Reader: r, size: file.Size, digest: digestOf(job)}
		if cmd.Out == toStdout {
			_, err := read.copyTo(c.stdout)
			return err
		}
		out := cmd.Out
		if out == "" {
			out = path.Base(name)
		}
		digest, err := read.save(out)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "written: %s, %d bytes, SHA-256 %s\n", line(out), file.Size, digest)
		return nil
	})
}

// digestOf is the SHA-256 that the outcome of a job tells of its backup; empty when it tells none, and then the store's
// own is all that is compared.
func digestOf(j bus.Job) string {
	var done bus.BackupDone
	if json.Unmarshal(j.Outcome, &done) != nil {
		return ""
	}
	return done.SHA256
}

// whole copies a file and says whether it is what was stored. The store compares its own digest when all was read.
type whole struct {
	io.Reader
	size   int64
	digest string // hex SHA-256; empty: not known
}

func (r whole) copyTo(w io.Writer) (digest string, err error) {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), r.Reader)
	digest = hex.EncodeToString(hash.Sum(nil))
	switch {
	case err != nil:
		return "", fmt.Errorf("the file cannot be read to its end, what was written is of no use: %w", err)
	case n != r.size || r.digest != "" && !strings.EqualFold(digest, r.digest):
		return "", fmt.Errorf("the file is damaged: it has %d bytes with the SHA-256 %s, and had %d with %s when it was made", n, digest, r.size, r.digest)
	}
	return digest, nil
}

// save writes a new file, or nothing.
func (r whole) save(name string) (digest string, err error) {
	err = saveNew(name, func(t io.Writer) (err error) {
		digest, err = r.copyTo(t)
		return err
	})
	return digest, err
}

// backupListCmd lists what the store has.
type backupListCmd struct {
	Guild string `placeholder:"ID" help:"Only of this server."`
	JSON  bool   `name:"json" help:"As JSON: the jobs that made them."`
}

// Run implements the command.
func (cmd backupListCmd) Run(c *call) error {
	var guild bus.GuildID
	if cmd.Guild != "" {
		var err error
		if guild, err = bus.ParseGuildID(cmd.Guild); err != nil {
			return &usageError{err}
		}
	}
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		all := bus.JobList{Jobs: []bus.Job{}}
		for _, kind := range []bus.JobKind{bus.JobBackupCreate, bus.JobBackupScheduled, bus.JobBackupRestore} {
			list, err := j.List(ctx, bus.JobQuery{Guild: guild, Kind: kind, Limit: bus.MaxJobList})
			if err != nil {
				return err
			}
			all.Jobs, all.More = append(all.Jobs, list.Jobs...), all.More || list.More
		}
		all.Jobs = slices.DeleteFunc(all.Jobs, func(j bus.Job) bool { return bus.ArchiveOf(j) == "" })
		slices.SortFunc(all.Jobs, func(a, b bus.Job) int { return strings.Compare(b.ID, a.ID) }) // ids sort by time
		if cmd.JSON {
			return printJSON(c.stdout, all)
		}
		return printBackups(c.stdout, all)
	})
}

func printBackups(w io.Writer, list bus.JobList) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tSERVER\tMADE BY\tAT\tBYTES\tNAME")
	for _, j := range list.Jobs {
		var size int64
		for _, f := range j.Files {
			if f.Name == bus.ArchiveOf(j) {
				size = f.Size
			}
		}
		var done bus.BackupDone
		_ = json.Unmarshal(j.Outcome, &done) // that of a restore has no name
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", j.ID, j.Guild, j.Kind, j.Finished.UTC().Format("2006-01-02 15:04 MST"), size, line(done.Name))
	}
	if len(list.Jobs) == 0 {
		fmt.Fprintln(t, "none")
	}
	if list.More {
		fmt.Fprintf(t, "… and more; --guild shows those of one server\n")
	}
	return t.Flush()
}
