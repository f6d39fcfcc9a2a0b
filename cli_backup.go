package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"splashtail/internal/secret"
	"splashtail/jobs/backup/ancestor"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/export"
	"splashtail/jobs/backup/model"
)

// backupCmd is about backups: those in the store of a server, and files, for which it needs neither a server nor a bot.
type backupCmd struct {
	List    backupListCmd    `cmd:"" help:"List the backups in the store of a running process, the newest first."`
	Get     backupGetCmd     `cmd:"" help:"Write a backup from the store of a running process to a file, and make sure that it is whole."`
	Verify  backupVerifyCmd  `cmd:"" help:"Read all of a backup and say whether it is whole."`
	Show    backupShowCmd    `cmd:"" help:"Show what a backup holds: its manifest, roles and channels."`
	Convert backupConvertCmd `cmd:"" help:"Write a backup anew: from the ancestor's format or JSON, to JSON, or with another password."`
}

// backupFile is the file that a command reads. Passwords come from the environment or a file, since others see flags.
type backupFile struct {
	File         string `arg:"" help:"A backup: of this program, of its ancestor (.iblfile), or plain JSON. BACKUP_PASSWORD holds the password of an encrypted one."`
	PasswordFile string `env:"BACKUP_PASSWORD_FILE" placeholder:"PATH" help:"File with the password, instead of BACKUP_PASSWORD."`
	AskPassword  bool   `short:"p" help:"Ask for the password on the terminal."`
}

// ownWork is what a password may cost on somebody's own machine: 2^20 KiB of memory.
const ownWork = 20

// options reads the password.
func (b backupFile) options() (archive.Options, error) {
	pass, err := passwordFrom("BACKUP_PASSWORD", b.PasswordFile, b.AskPassword)
	return archive.Options{Password: pass, Limits: archive.Limits{Work: ownWork}}, err
}

// open gives the backup as an archive of ours; one of another format is converted into a temporary file first.
func (b backupFile) open(ctx context.Context, o archive.Options) (a *archive.Archive, done func(), err error) {
	f, size, err := openInput(ctx, b.File, true)
	if err != nil {
		return nil, nil, err
	}
	tidy := func() { _ = f.Close() }
	defer func() {
		if err != nil {
			tidy() // done is nil by now
			err = hint(err)
		}
	}()
	start := make([]byte, 512)
	n, _ := f.ReadAt(start, 0) // what cannot be read is said below
	if !ancestor.Looks(start[:n]) && !export.Looks(start[:n]) {
		a, err = archive.Open(f, size, o)
		return a, tidy, err
	}
	t, err := os.CreateTemp("", "splashtail-convert-*")
	if err != nil {
		return nil, nil, err
	}
	tidy = func() { _ = f.Close(); _ = t.Close(); _ = os.Remove(t.Name()) }
	if err := convertOther(t, f, size, start[:n], o); err != nil {
		return nil, nil, err
	}
	size, err = t.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, nil, err
	}
	a, err = archive.Open(input{ctx, t}, size, archive.Options{})
	return a, tidy, err
}

// convertOther writes what the ancestor or an export holds into an archive without a password.
func convertOther(to io.Writer, f input, size int64, start []byte, o archive.Options) error {
	w, err := archive.NewWriter(to, archive.Options{})
	if err != nil {
		return err
	}
	if !ancestor.Looks(start) {
		return export.Read(f, w)
	}
	old, err := ancestor.Open(f, size, o)
	if err != nil {
		return err
	}
	return old.Convert(w)
}

// hint adds where a password is given.
func hint(err error) error {
	if errors.Is(err, archive.ErrNeedsPass) {
		return fmt.Errorf("%w in BACKUP_PASSWORD, with --password-file or with --ask-password", err)
	}
	return err
}

// backupVerifyCmd reads all of a backup.
type backupVerifyCmd struct{ backupFile }

// Run implements the command.
func (cmd backupVerifyCmd) Run(c *call) error {
	o, err := cmd.options()
	if err != nil {
		return err
	}
	return c.interruptible(func(ctx context.Context) error {
		r, err := cmd.verify(ctx, o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "whole: %s of %s\n%s\n", line(r.Manifest.Title), r.Manifest.TakenAt.UTC().Format("2006-01-02 15:04 MST"), counted(r.Counts))
		return err
	})
}

func (cmd backupVerifyCmd) verify(ctx context.Context, o archive.Options) (archive.Report, error) {
	f, _, err := openInput(ctx, cmd.File, false)
	if err != nil {
		return archive.Report{}, err
	}
	defer f.Close()
	start := make([]byte, 512)
	n, _ := f.ReadAt(start, 0) // what cannot be read is said below
	if !ancestor.Looks(start[:n]) && !export.Looks(start[:n]) {
		r, err := archive.Verify(f, o)
		return r, hint(err)
	}
	a, done, err := cmd.open(ctx, o)
	if err != nil {
		return archive.Report{}, err
	}
	defer done()
	return a.Verify()
}

// counted lists counts for people.
func counted(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d %s", counts[name], line(name)))
	}
	return strings.Join(all, ", ")
}

// line makes text of a stranger safe for a terminal.
func line(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return '?'
		}
		return c
	}, s)
}

// backupShowCmd shows what a backup holds.
type backupShowCmd struct{ backupFile }

// Run implements the command.
func (cmd backupShowCmd) Run(c *call) error {
	o, err := cmd.options()
	if err != nil {
		return err
	}
	return c.interruptible(func(ctx context.Context) error {
		a, done, err := cmd.open(ctx, o)
		if err != nil {
			return err
		}
		defer done()
		m, err := a.Manifest()
		if err != nil {
			return err
		}
		snap, err := a.Snapshot()
		if err != nil {
			return err
		}
		var b bytes.Buffer
		showManifest(&b, m)
		showStructure(&b, &snap)
		_, err = c.stdout.Write(b.Bytes())
		return err
	})
}

func showManifest(b *bytes.Buffer, m model.Manifest) {
	fmt.Fprintf(b, "%s (%s), taken %s\n%s\n\n", line(m.Title), line(string(m.Guild)), m.TakenAt.UTC().Format("2006-01-02 15:04 MST"), counted(m.Counts))
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ITEM\tKEPT\tCOUNT\tREASON")
	for _, i := range m.Items {
		kept := map[bool]string{true: "yes", false: "no"}[i.Kept]
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", line(i.Name), kept, i.Count, line(i.Reason))
	}
	_ = t.Flush() // into memory
	for _, x := range m.Missing {
		fmt.Fprintf(b, "missing: %s: %s\n", line(x.What), line(x.Why))
	}
	if m.Dropped > 0 {
		fmt.Fprintf(b, "missing: %d more\n", m.Dropped)
	}
}

// showStructure prints roles from the highest down, and channels below their categories.
func showStructure(b *bytes.Buffer, s *model.Snapshot) {
	b.WriteString("\nroles\n")
	for _, r := range slices.Backward(s.Roles) {
		fmt.Fprintf(b, "  %s\n", line(r.Name))
	}
	b.WriteString("\nchannels\n")
	under := map[model.ID][]model.Channel{}
	for _, c := range s.Channels {
		if c.Parent != nil && c.Type != model.TypeCategory {
			under[*c.Parent] = append(under[*c.Parent], c)
		}
	}
	for _, c := range s.Channels {
		switch {
		case c.Type == model.TypeCategory:
			fmt.Fprintf(b, "  %s\n", line(c.Name))
			for _, in := range under[c.ID] {
				fmt.Fprintf(b, "    %s\n", line(in.Name))
			}
		case c.Parent == nil:
			fmt.Fprintf(b, "  %s\n", line(c.Name))
		}
	}
}

// backupConvertCmd writes a backup anew.
type backupConvertCmd struct {
	backupFile
	Out             string `short:"o" required:"" placeholder:"PATH" help:"Where to write. An existing file is not replaced."`
	To              string `enum:"splashtail,json" default:"splashtail" help:"Format: splashtail, or json, which is never encrypted."`
	NewPasswordFile string `env:"BACKUP_NEW_PASSWORD_FILE" placeholder:"PATH" help:"File with the password of what is written; else BACKUP_NEW_PASSWORD, else the password of what is read."`
	Plain           bool   `help:"Write without a password what has one."`
}

// Run implements the command.
func (cmd backupConvertCmd) Run(c *call) error {
	o, err := cmd.options()
	if err != nil {
		return err
	}
	next, err := passwordFrom("BACKUP_NEW_PASSWORD", cmd.NewPasswordFile, false)
	if err != nil {
		return err
	}
	switch {
	case !next.IsZero() && (cmd.Plain || cmd.To == "json"):
		return &usageError{errors.New("a new password and --plain or --to=json exclude each other; nothing was written")}
	case next.IsZero() && !cmd.Plain:
		next = o.Password
	}
	return c.interruptible(func(ctx context.Context) error {
		a, done, err := cmd.open(ctx, o)
		if err != nil {
			return err
		}
		defer done()
		if err := saveNew(cmd.Out, func(t io.Writer) error { return cmd.write(t, a, next) }); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "written: %s\n", line(cmd.Out))
		return err
	})
}

func (cmd backupConvertCmd) write(t io.Writer, a *archive.Archive, next secret.Value) error {
	if cmd.To == "json" {
		if _, err := a.Verify(); err != nil { // what is written says nothing of what it lacks
			return err
		}
		return export.Write(t, a)
	}
	w, err := archive.NewWriter(t, archive.Options{Password: next})
	if err != nil {
		return err
	}
	return archive.Copy(w, a)
}
