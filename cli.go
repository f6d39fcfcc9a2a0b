package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"splashtail/internal/supervise"
)

// commandLine is the grammar: the commands and, for all of them, the settings.
type commandLine struct {
	Settings

	Up           upCmd           `cmd:"" help:"Run every component in this process."`
	Broker       brokerCmd       `cmd:"" help:"Run only the door for capture clients."`
	Muteproxy    muteproxyCmd    `cmd:"" help:"Run only the door for AutoMuteUs."`
	Gatewayproxy gatewayproxyCmd `cmd:"" help:"Run only Discord's gateway and the door for bots."`
	Bot          botCmd          `cmd:"" help:"Run only the bot: slash commands and the protection of servers."`
	Jobs         jobsCmd         `cmd:"" help:"Run only what works on jobs."`
	Job          jobCmd          `cmd:"" help:"Look at jobs, end them, try them again, or run one here without a server."`
	Backup       backupCmd       `cmd:"" help:"List and get the backups of servers; verify, show or convert the file of one."`
	Commands     commandsCmd     `cmd:"" help:"Slash commands, as Discord knows them."`
	NATS         natsCmd         `cmd:"" name:"nats" help:"Run only the bus; other processes join it with NATS_URL."`
	Config       configCmd       `cmd:"" help:"Print the settings in effect and where each came from."`
	Version      versionCmd      `cmd:"" help:"Print the version."`
}

// exitCode is what the process tells its parent.
type exitCode int

const (
	exitOK      exitCode = 0
	exitFailure exitCode = 1
	exitConfig  exitCode = 2
	exitForced  exitCode = 3
	exitSlow    exitCode = 4
)

// exitMeanings is printed by help and rendered into docs/config.md.
func exitMeanings() []string {
	return []string{
		exitOK:      "ended as asked, everything drained",
		exitFailure: "something broke while starting or running; the last line says what",
		exitConfig:  "a setting or the command line is wrong; nothing was started",
		exitForced:  "a second signal came while stopping; what was not drained is redone at the next start",
		exitSlow:    "stopping took longer than its bound (" + stopBound.String() + "); what was not drained is redone at the next start",
	}
}

// codeFor gives the exit code for the error that ended a command.
func codeFor(err error) exitCode {
	switch {
	case err == nil:
		return exitOK
	case isConfig(err):
		return exitConfig
	case errors.Is(err, errForced):
		return exitForced
	case errors.Is(err, supervise.ErrSlowStop):
		return exitSlow
	}
	return exitFailure
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() + "; see: splashtail --help" }
func (e *usageError) Unwrap() error { return e.err }

// program is one call of splashtail with everything it takes from outside, so that tests call it as a shell does.
type program struct {
	args           []string
	stdout, stderr io.Writer
	signals        <-chan os.Signal
	components     []component
	bound          time.Duration // for stopping; 0 means stopBound
}

// run parses the command line, runs the command and returns the exit code.
func (p program) run() int {
	err := p.command()
	if err != nil {
		fmt.Fprintln(p.stderr, "splashtail: "+err.Error())
	}
	return int(codeFor(err))
}

func (p program) command() error {
	var line commandLine
	helped := false
	parser, err := kong.New(&line, kong.Name("splashtail"), kong.Description(description()),
		kong.ExplicitGroups(groups()), kong.Help(p.help), kong.Writers(p.stdout, p.stderr), kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, NoAppDescFormat: true, WrapUpperBound: 120}))
	if err != nil {
		return err // a mistake in the grammar; TestHelp finds it
	}
	ctx, err := parser.Parse(p.args)
	if helped {
		return nil
	}
	if err != nil {
		return &usageError{err}
	}
	onLine := map[*kong.Flag]bool{}
	for _, step := range ctx.Path {
		if step.Flag != nil && !step.Resolved {
			onLine[step.Flag] = true
		}
	}
	all := entries(parser.Model)
	bad := append(settle(all, onLine), line.Settings.check()...)
	return ctx.Run(&call{program: p, set: &line.Settings, entries: all, bad: bad})
}

// help prints what the selected command reads; the whole list is in `splashtail --help`.
func (p program) help(o kong.HelpOptions, ctx *kong.Context) error {
	reads := []string{"bus", "process"}
	switch cmd := ctx.Selected(); {
	case cmd == nil || cmd.Name == "up" || cmd.Name == "config":
		return kong.DefaultHelpPrinter(o, ctx)
	case cmd.Name == "version" || cmd.Parent != nil && cmd.Parent.Name == "backup" && cmd.Name != "get" && cmd.Name != "list":
		reads = nil
	case cmd.Name == "sync":
		reads = append(reads, "discord")
	default:
		for _, k := range p.components {
			if k.name == cmd.Name {
				reads = append(reads, k.reads...)
			}
		}
	}
	for _, e := range entries(ctx.Model) {
		e.flag.Hidden = !slices.Contains(reads, e.flag.Group.Key)
	}
	return kong.DefaultHelpPrinter(o, ctx)
}

// call is what a command gets.
type call struct {
	program
	set     *Settings
	entries []entry
	bad     faults // found so far; a command adds its own and stops if there are any
}

// description is the head of `splashtail --help`.
func description() string {
	var b strings.Builder
	b.WriteString(`For Discord communities, on a durable event bus: Among Us with automatic muting (a broker for capture
clients, a proxy that mutes as fast as Discord allows), and protection against raids (Discord's gateway
on a stream, and the bot that lives from it).

Every setting can be given as a flag or by the environment name after it; a flag wins, an empty value
counts as unset. Secrets belong into the environment, since other users of a machine can see flags.

Exit codes:`)
	for code, meaning := range exitMeanings() {
		fmt.Fprintf(&b, "\n  %d  %s", code, meaning)
	}
	return b.String()
}

// versionCmd prints the version.
type versionCmd struct{}

// Run implements the command.
func (versionCmd) Run(c *call) error {
	_, err := fmt.Fprintf(c.stdout, "splashtail %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildVersion is the version that the Makefile gave, else the revision that the Go tool recorded, else "devel".
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	at := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "vcs.revision" })
	if at < 0 {
		return "devel"
	}
	return "devel-" + info.Settings[at].Value[:min(12, len(info.Settings[at].Value))]
}
