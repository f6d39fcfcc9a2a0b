package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"splashtail/bus"
)

// jobGetCmd reads a file of a job from the store.
type jobGetCmd struct {
	ID   string `arg:"" help:"The job's id."`
	Name string `arg:"" optional:"" help:"The file, such as plan.txt or report.txt; without it the job's files are listed."`
	Out  string `short:"o" default:"-" placeholder:"PATH" help:"Where to write, - for standard output. An existing file is not replaced."`
}

// Run implements the command.
func (cmd jobGetCmd) Run(c *call) error {
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		job, err := j.Find(ctx, cmd.ID)
		if err != nil {
			return err
		}
		if cmd.Name == "" {
			return printFiles(c.stdout, job)
		}
		r, file, err := j.OpenFile(ctx, job.Guild, job.ID, cmd.Name)
		if err != nil {
			return err
		}
		defer r.Close() //nolint:errcheck // read only
		read := whole{Reader: r, size: file.Size}
		if cmd.Out == toStdout {
			_, err := read.copyTo(c.stdout)
			return err
		}
		digest, err := read.save(cmd.Out)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "written: %s, %d bytes, SHA-256 %s\n", line(cmd.Out), file.Size, digest)
		return nil
	})
}

// printFiles lists the files of a job, the largest of those that its record names.
func printFiles(w io.Writer, j bus.Job) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tBYTES")
	for _, f := range j.Files {
		fmt.Fprintf(t, "%s\t%d\n", line(f.Name), f.Size)
	}
	if len(j.Files) == 0 {
		fmt.Fprintln(t, "none")
	}
	return t.Flush()
}
