package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/logs"
	"splashtail/internal/secret"
	"splashtail/jobs"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// jobRunCmd runs a job here.
type jobRunCmd struct {
	Kind  string   `arg:"" help:"The kind, such as message-prune."`
	Guild string   `required:"" placeholder:"ID" help:"The server."`
	Field []string `short:"F" sep:"none" placeholder:"KEY=VALUE" help:"An argument of the kind; again for each. A value that is JSON (5, true, [\"a\"]) is taken as that."`
	Args  string   `placeholder:"JSON" help:"All arguments as one JSON object, instead of --field."`
	Dir   string   `type:"path" placeholder:"DIR" help:"Where notes and files of the job go. Giving the directory of a job that was interrupted goes on with it. Unset: a new one under ./jobs-here."`

	PasswordFile string `env:"JOB_PASSWORD_FILE" placeholder:"PATH" help:"File with the password of the job, such as that of its archive. JOB_PASSWORD holds it as well."`
	AskPassword  bool   `short:"p" help:"Ask for that password on the terminal."`
}

// localTries is how often a job is tried here.
const localTries = 5

// Run implements the command.
func (cmd jobRunCmd) Run(c *call) error {
	collectSoon()
	c.bad = append(c.bad, c.set.need("job run", "DISCORD_BOT_TOKEN")...)
	if err := c.bad.asError(); err != nil {
		return err
	}
	guild, err := bus.ParseGuildID(cmd.Guild)
	if err != nil {
		return &usageError{err}
	}
	args, err := cmd.args()
	if err != nil {
		return &usageError{err}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	client, err := discord.NewLimitedClient(c.set.DiscordAPIURL.Value, discord.NewLimiter(discord.LimiterConfig{}))
	if err != nil {
		return err
	}
	defer client.Close()
	log := logs.New(c.stderr, c.set.LogLevel.level(), c.set.LogFormat.format())
	cdn, err := discord.NewCDN(c.set.DiscordCDNURL.Value)
	if err != nil {
		return err
	}
	tools := jobs.Tools{Bot: client.Bot(c.set.DiscordBotToken.first()), CDN: cdn, Log: log, Backups: c.set.backupLimits(), Here: archiveOfJob}
	args, signature := unsigned(bus.JobKind(cmd.Kind), args)
	w, err := engine.Prepare(jobs.Kinds(tools), bus.JobKind(cmd.Kind), args, guild)
	if err != nil {
		return &usageError{errors.New(bus.AsError(err).Message)}
	}
	return cmd.run(ctx, c, w, guild, signature)
}

// unsigned takes the signature out of the address of an upload, as the bot does. Arguments that cannot be read stay as they are and are
// refused later.
func unsigned(kind bus.JobKind, args json.RawMessage) (json.RawMessage, bus.JobSecrets) {
	var plan bus.PlanArgs
	d := json.NewDecoder(bytes.NewReader(args))
	d.DisallowUnknownFields()
	if kind != bus.JobRestorePlan || d.Decode(&plan) != nil {
		return args, nil
	}
	source, signature := bus.UploadSource(plan.Source.URL)
	if signature == nil {
		return args, nil
	}
	plan.Source.URL = source.URL
	out, err := json.Marshal(plan)
	if err != nil {
		return args, nil
	}
	return out, signature
}

// args gives the arguments as JSON.
func (cmd jobRunCmd) args() (json.RawMessage, error) {
	if cmd.Args != "" {
		if len(cmd.Field) > 0 {
			return nil, errors.New("--args and --field exclude each other")
		}
		return json.RawMessage(cmd.Args), nil
	}
	out := map[string]any{}
	for _, f := range cmd.Field {
		key, text, ok := strings.Cut(f, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--field %q is not KEY=VALUE", f)
		}
		out[key] = text
		// Ids have more digits than a JSON number keeps, and are texts among arguments.
		_, id := strconv.ParseUint(text, 10, 64)
		if json.Valid([]byte(text)) && (id != nil || len(text) < 15) {
			out[key] = json.RawMessage(text)
		}
	}
	return json.Marshal(out)
}

func (cmd jobRunCmd) run(ctx context.Context, c *call, w work.Work, guild bus.GuildID, more bus.JobSecrets) error {
	secrets, err := cmd.secrets()
	if err != nil {
		return &usageError{err}
	}
	for name, text := range more {
		secrets[name] = secret.New(text)
	}
	now := time.Now()
	job := work.Job{ID: bus.NewJobID(now), Kind: bus.JobKind(cmd.Kind), Guild: guild, SubmittedAt: now}
	if cmd.Dir == "" {
		cmd.Dir = filepath.Join(jobsHere, job.ID)
	}
	bar := &bar{out: c.stderr}
	l, err := work.OpenLocal(work.LocalConfig{Job: job, Dir: cmd.Dir, Secrets: secrets, Log: bar, Tell: bar.tell, Wait: bar.wait, Other: fileOfJob})
	if err != nil {
		return err
	}
	defer l.Close()
	// A job that goes on keeps its id: its acts on Discord are known by it.
	var was string
	if had, err := l.Noted("job", &was); err != nil {
		return err
	} else if had {
		l.Rename(was)
	} else if err := l.Note(ctx, "job", job.ID); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "the job %s keeps its notes and files in %s\n", l.Job().ID, cmd.Dir)
	err = tryHere(ctx, w, l)
	bar.end()
	if err != nil {
		return fmt.Errorf("%s: %w; the same command with --dir %s goes on where it was", cmd.Kind, err, cmd.Dir)
	}
	if out := l.Result(); out != nil {
		fmt.Fprintln(c.stdout, string(out))
	}
	fmt.Fprintf(c.stderr, "%s is done\n", cmd.Kind)
	return nil
}

func (cmd jobRunCmd) secrets() (map[string]secret.Value, error) {
	password, err := passwordFrom("JOB_PASSWORD", cmd.PasswordFile, cmd.AskPassword)
	all := map[string]secret.Value{}
	if !password.IsZero() {
		all["password"] = password
	}
	return all, err
}

// tryHere runs the work as the engine would: again after an error that may pass, and after a wait that it asks for.
func tryHere(ctx context.Context, w work.Work, l *work.Local) error {
	for failures := 0; ; {
		l.Begin()
		err := w.Run(ctx, l)
		if err == nil || ctx.Err() != nil || work.IsPermanent(err) {
			return err
		}
		wait := time.Duration(0)
		var snooze *work.SnoozeError
		if errors.As(err, &snooze) {
			wait = time.Until(snooze.Until)
			l.Waiting(snooze.Until, snooze.Why)
		} else {
			if failures++; failures == localTries {
				return err
			}
			wait = time.Second << failures
			l.Say(work.Warning, "it failed and is tried again in %v: %v", wait, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// bar is a line of progress under the lines of a log.
type bar struct {
	mu    sync.Mutex
	out   io.Writer
	last  time.Time
	shown bool
}

// barWidth is how many characters it has.
const barWidth = 30

// Write prints a line of the log above the bar.
func (b *bar) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	if _, err := fmt.Fprintln(b.out, lines(strings.TrimSuffix(string(p), "\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (b *bar) clear() {
	if b.shown {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.shown = false
	}
}

func (b *bar) tell(phase string, done, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.last) < 100*time.Millisecond && done != total {
		return
	}
	b.last = now
	b.clear()
	filled := 0
	if total > 0 {
		filled = min(barWidth, max(0, done*barWidth/total))
	}
	fmt.Fprintf(b.out, "%-16s [%s%s] %d/%d", phase, strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled), done, total)
	b.shown = true
}

func (b *bar) wait(until time.Time, why string) {
	fmt.Fprintf(b, "waiting until %s: %s\n", until.Local().Format(time.TimeOnly), why)
}

func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
}
