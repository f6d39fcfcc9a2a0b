package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"splashtail/bus"
	"splashtail/internal/logs"
)

// jobCmd is about jobs.
type jobCmd struct {
	List   jobListCmd   `cmd:"" help:"List jobs, the newest first."`
	Show   jobShowCmd   `cmd:"" help:"Show everything about a job, as JSON."`
	Log    jobLogCmd    `cmd:"" help:"Print a job's log and follow it until the job has ended."`
	Get    jobGetCmd    `cmd:"" help:"Print a file of a job, such as the whole plan or report of a restore, or list its files."`
	Cancel jobCancelCmd `cmd:"" help:"End a job; one that runs begins no further call of Discord."`
	Retry  jobRetryCmd  `cmd:"" help:"Let a job that failed or was cancelled go on from the step in which it ended."`
	Pause  jobPauseCmd  `cmd:"" help:"Keep jobs of a kind from being begun."`
	Resume jobResumeCmd `cmd:"" help:"Let jobs of a kind begin again."`
	Run    jobRunCmd    `cmd:"" help:"Run a job here, with a bot token and without a server."`
}

// withJobs joins the bus as a guest and hands the jobs over.
func (c *call) withJobs(do func(context.Context, *bus.Jobs) error) error {
	if err := c.bad.asError(); err != nil {
		return err
	}
	return c.interruptible(func(ctx context.Context) error {
		b, err := c.join(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = closeBus(ctx, b) }() // everything was read or answered
		facade, err := bus.OpenJobs(ctx, b)
		if err != nil {
			return err
		}
		return do(ctx, facade)
	})
}

// join connects to the bus as a guest, who makes nothing.
func (c *call) join(ctx context.Context) (*bus.Bus, error) {
	log := logs.New(c.stderr, c.set.LogLevel.level(), c.set.LogFormat.format())
	s := &site{call: c, log: log}
	s.house.dataDir = c.set.NATSStoreDir.Value
	cfg := s.busConfig()
	if cfg.URL == "" {
		cfg.URL = "nats://" + c.set.NATSAddr.Value // where the process with the bus listens
	}
	cfg.Plan = &bus.Plan{}
	b, err := bus.Open(ctx, cfg, log)
	if err != nil {
		return nil, fmt.Errorf("no process with the bus answers at %s, so nothing was done; start one (splashtail up), or set NATS_URL or NATS_ADDR to where it listens: %w", maskURL(cfg.URL), err)
	}
	return b, nil
}

// operator is who types, for the action log.
func operator() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return cmp.Or(os.Getenv("USER"), "an operator")
}

// jobListCmd lists jobs.
type jobListCmd struct {
	Guild string `placeholder:"ID" help:"Only of this server."`
	Kind  string `help:"Only of this kind."`
	State string `enum:"pending,waiting,running,completed,failed,cancelled," default:"" help:"Only in this state: pending, waiting, running, completed, failed or cancelled."`
	Limit int    `default:"50" help:"How many at most."`
	JSON  bool   `name:"json" help:"As JSON."`
}

// Run implements the command.
func (cmd jobListCmd) Run(c *call) error {
	q := bus.JobQuery{Kind: bus.JobKind(cmd.Kind), State: bus.JobState(cmd.State), Limit: cmd.Limit}
	if cmd.Guild != "" {
		var err error
		if q.Guild, err = bus.ParseGuildID(cmd.Guild); err != nil {
			return &usageError{err}
		}
	}
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		list, err := j.List(ctx, q)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(c.stdout, list)
		}
		return printJobs(c.stdout, list, time.Now())
	})
}

func printJobs(w io.Writer, list bus.JobList, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tKIND\tSERVER\tSTATE\tAGE\tWHAT")
	for _, j := range list.Jobs {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", j.ID, j.Kind, j.Guild, j.State, now.Sub(j.Submitted).Round(time.Second), jobLine(j, now))
	}
	if len(list.Jobs) == 0 {
		fmt.Fprintln(t, "none")
	}
	if list.More {
		fmt.Fprintln(t, "… and more; see --limit")
	}
	return t.Flush()
}

// jobLine says in one line what a job does, or why it does nothing.
func jobLine(j bus.Job, now time.Time) string {
	wait := j.Wait
	if j.Progress != nil && j.Progress.Wait != nil {
		wait = j.Progress.Wait
	}
	switch {
	case wait != nil:
		return fmt.Sprintf("for %s: %s", max(0, wait.Until.Sub(now).Round(time.Second)), line(wait.Why))
	case j.Progress != nil:
		return progressText(*j.Progress)
	case j.Error != nil:
		return line(strings.TrimSpace(j.Error.Step + " " + j.Error.Message))
	}
	return ""
}

// progressText says how far a job is. A job that does a list of things has no phase.
func progressText(p bus.JobProgress) string {
	return line(strings.TrimSpace(fmt.Sprintf("%s %d/%d", p.Phase, p.Done, p.Total)))
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// jobShowCmd shows a job.
type jobShowCmd struct {
	ID string `arg:"" help:"The job's id."`
}

// Run implements the command.
func (cmd jobShowCmd) Run(c *call) error {
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		job, err := j.Find(ctx, cmd.ID)
		if err != nil {
			return err
		}
		return printJSON(c.stdout, job)
	})
}

// jobLogCmd follows a job's log.
type jobLogCmd struct {
	ID       string `arg:"" help:"The job's id."`
	From     uint64 `help:"Go on behind this place, as the lines show it with --json."`
	Progress bool   `help:"Progress too."`
	JSON     bool   `name:"json" help:"One JSON object per line."`
}

// Run implements the command.
func (cmd jobLogCmd) Run(c *call) error {
	from := cmd.From
	if from > 0 {
		from++ // a watch begins at a place, and who reads on has seen that one
	}
	err := c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		job, err := j.Find(ctx, cmd.ID)
		if err != nil {
			return err
		}
		return j.Watch(ctx, job.Guild, job.ID, from, func(l bus.JobLine) error {
			if l.Step != nil && l.State == "" && !cmd.Progress {
				return nil
			}
			if cmd.JSON {
				return json.NewEncoder(c.stdout).Encode(l)
			}
			_, err := fmt.Fprintln(c.stdout, logLine(l))
			return err
		})
	})
	if errors.Is(err, errInterrupted) {
		return nil // whoever follows a log has seen enough of it
	}
	return err
}

func logLine(l bus.JobLine) string {
	at := l.At.Local().Format("2006-01-02 15:04:05")
	switch {
	case l.State != "":
		return strings.TrimSuffix(fmt.Sprintf("%s  %s: %s", at, l.State, lines(l.Text)), ": ")
	case l.Step != nil:
		if l.Step.Wait != nil {
			return fmt.Sprintf("%s  waits until %s: %s", at, l.Step.Wait.Until.Local().Format("15:04:05"), lines(l.Step.Wait.Why))
		}
		return at + "  " + progressText(*l.Step)
	}
	return fmt.Sprintf("%s  %-7s %s", at, l.Level, lines(l.Text))
}

// lines makes text of a stranger, such as the names of roles in a backup that somebody uploaded, safe for a terminal.
func lines(text string) string {
	all := strings.Split(text, "\n")
	for i := range all {
		all[i] = line(all[i])
	}
	return strings.Join(all, "\n    ")
}

// jobCancelCmd ends a job.
type jobCancelCmd struct {
	ID     string `arg:"" help:"The job's id."`
	Reason string `help:"Why, for the action log."`
}

// Run implements the command.
func (cmd jobCancelCmd) Run(c *call) error {
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		job, err := j.Cancel(ctx, bus.JobRequest{Target: cmd.ID, Actor: operator(), Reason: cmd.Reason})
		if err != nil {
			return err
		}
		if job.State == bus.JobRunning {
			fmt.Fprintf(c.stdout, "%s was told to stop\n", job.ID)
			return nil
		}
		fmt.Fprintf(c.stdout, "%s is %s\n", job.ID, job.State)
		return nil
	})
}

// jobRetryCmd tries a job again.
type jobRetryCmd struct {
	ID     string `arg:"" help:"The job's id."`
	Reason string `help:"Why, for the action log."`
}

// Run implements the command.
func (cmd jobRetryCmd) Run(c *call) error {
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		job, err := j.Retry(ctx, bus.JobRequest{Target: cmd.ID, Actor: operator(), Reason: cmd.Reason})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s is %s\n", job.ID, job.State)
		return nil
	})
}

// jobPauseCmd pauses a kind.
type jobPauseCmd struct {
	Kind   string `arg:"" help:"The kind."`
	Reason string `help:"Why; it is shown with every job that waits."`
}

// Run implements the command.
func (cmd jobPauseCmd) Run(c *call) error {
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		_, err := j.Pause(ctx, bus.JobRequest{Target: cmd.Kind, Actor: operator(), Reason: cmd.Reason})
		if err == nil {
			fmt.Fprintf(c.stdout, "%s is paused; what runs goes on\n", cmd.Kind)
		}
		return err
	})
}

// jobResumeCmd ends a pause.
type jobResumeCmd struct {
	Kind string `arg:"" help:"The kind."`
}

// Run implements the command.
func (cmd jobResumeCmd) Run(c *call) error {
	return c.withJobs(func(ctx context.Context, j *bus.Jobs) error {
		_, err := j.Resume(ctx, bus.JobRequest{Target: cmd.Kind, Actor: operator()})
		if err == nil {
			fmt.Fprintf(c.stdout, "%s goes on\n", cmd.Kind)
		}
		return err
	})
}
