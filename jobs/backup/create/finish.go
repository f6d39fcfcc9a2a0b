package create

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"splashtail/bus"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// maxToldMissing bounds what the outcome names as missing; the manifest names more.
const maxToldMissing = 50

// itemOrder is the order in which people read what a backup holds.
func itemOrder() []string {
	return []string{"settings", "roles", "channels", "threads", "emojis", "stickers", "sounds", "automod", "welcome", "onboarding", "events",
		"webhooks", "bans", "members", "pins", "messages", "attachments"}
}

// collected is everything that the archive is put together from.
type collected struct {
	snapshot model.Snapshot
	title    string
	report   report
	parts    []string
}

// finish puts the archive together from what the steps before have left, notes what it is, and empties what is not needed
// any more.
func (k *taking) finish(ctx context.Context) error {
	var done bus.BackupDone
	if ok, err := k.r.Noted(k.name("done"), &done); err != nil || ok {
		return errors.Join(err, k.tidy(ctx))
	}
	k.r.Say(work.Info, "Putting the backup together")
	c, err := k.collect(ctx)
	if err != nil {
		return err
	}
	if done, err = k.assemble(ctx, c); err != nil {
		return err
	}
	if err := k.r.Note(ctx, k.name("done"), done); err != nil {
		return err
	}
	return k.tidy(ctx)
}

// collect loads what the steps have found.
func (k *taking) collect(ctx context.Context) (*collected, error) {
	var s found
	var t foundThreads
	var p foundPeople
	var pins foundPins
	m := foundMessages{}
	err := errors.Join(k.load(ctx, "server", &s), k.load(ctx, "threads", &t), k.load(ctx, "people", &p), k.load(ctx, "pins", &pins))
	if err == nil && k.wants(bus.PartMessages) {
		err = k.load(ctx, "messages", &m)
	}
	if err != nil {
		return nil, err
	}
	c := &collected{snapshot: s.Snapshot, title: s.Title, parts: append([]string{"part-server"}, m.Parts...)}
	c.snapshot.Threads, c.snapshot.Bans, c.snapshot.Members, c.snapshot.Pins = t.Threads, p.Bans, p.Members, pins.Pins
	for _, r := range []report{s.Report, t.Report, p.Report, pins.Report, m.Report} {
		c.report.add(r)
	}
	k.reportMessages(&c.report, &s, &m)
	order := itemOrder()
	slices.SortStableFunc(c.report.Items, func(a, b model.Item) int {
		return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name))
	})
	return c, nil
}

func (k *taking) reportMessages(r *report, s *found, m *foundMessages) {
	if !k.wants(bus.PartMessages) {
		r.not("messages", leftOut)
		r.not("attachments", leftOut)
		return
	}
	r.kept("messages", m.Messages, s.Content)
	if !k.args.Attachments {
		r.not("attachments", leftOut)
		return
	}
	r.kept("attachments", m.Files, "")
}

// assemble writes the archive.
func (k *taking) assemble(ctx context.Context, c *collected) (bus.BackupDone, error) {
	at := c.snapshot.About.TakenAt
	done := bus.BackupDone{
		File: k.name("backup-" + k.guild + "-" + at.Format("20060102-150405") + archive.Extension),
		Name: k.args.Name, At: at, Encrypted: !k.pass.IsZero(),
	}
	sum := sha256.New()
	err := k.put(ctx, strings.TrimPrefix(done.File, k.name("")), func(out io.Writer) error {
		w, err := archive.NewWriter(io.MultiWriter(out, sum, counter{&done.Size}), k.options())
		if err != nil {
			return err
		}
		k.stretched()
		if err := structure(w, c); err != nil {
			return err
		}
		err = k.eachPart(ctx, c.parts, func(i int, part io.Reader) error {
			k.r.Progress(i, len(c.parts))
			return w.Append(part, k.key)
		})
		if err != nil {
			return err
		}
		if err := w.Finish(k.manifest(c)); err != nil {
			return err
		}
		done.Counts = w.Counts()
		return nil
	})
	done.SHA256 = hex.EncodeToString(sum.Sum(nil))
	delete(done.Counts, "sections")
	done.Missing = told(&c.report)
	return done, err
}

// structure writes the snapshot. Of one that is larger than readers take, the longest lists are left out.
func structure(w *archive.Writer, c *collected) error {
	err := w.Structure(c.snapshot)
	for _, list := range []struct {
		name string
		drop func(*model.Snapshot)
	}{
		{"members", func(s *model.Snapshot) { s.Members = nil }}, {"bans", func(s *model.Snapshot) { s.Bans = nil }},
		{"pins", func(s *model.Snapshot) { s.Pins = nil }}, {"threads", func(s *model.Snapshot) { s.Threads = nil }},
	} {
		if !errors.Is(err, archive.ErrLimit) {
			return err
		}
		list.drop(&c.snapshot)
		for i := range c.report.Items {
			if item := &c.report.Items[i]; item.Name == list.name && item.Kept {
				*item = model.Item{Name: list.name, Reason: "the server is so large that no backup holds all of it"}
			}
		}
		err = w.Structure(c.snapshot)
	}
	if errors.Is(err, archive.ErrLimit) {
		return work.Permanent(fmt.Errorf("the server's roles and channels are more than a backup can hold; it was not made: %w", err))
	}
	return err
}

func (k *taking) manifest(c *collected) model.Manifest {
	a := c.snapshot.About
	return model.Manifest{
		Guild: a.GuildID, Title: c.title, Name: k.args.Name, TakenAt: a.TakenAt, TakenBy: a.TakenBy,
		Items: c.report.Items, Missing: c.report.Missing, Dropped: c.report.Dropped,
	}
}

// told is what the outcome says is missing.
func told(r *report) []string {
	var all []string
	for _, i := range r.Items {
		if !i.Kept && i.Reason != leftOut {
			all = append(all, fmt.Sprintf("%s: %s", i.Name, i.Reason))
		}
	}
	for _, m := range r.Missing {
		all = append(all, fmt.Sprintf("%s: %s", m.What, m.Why))
	}
	if n := len(all) + r.Dropped; n > maxToldMissing {
		all = append(all[:maxToldMissing-1], fmt.Sprintf("and %d more, which the backup's manifest names or counts", n-maxToldMissing+1))
	}
	return all
}

// tidy empties the files that the archive was put together from: a job keeps its files as long as its record.
func (k *taking) tidy(ctx context.Context) error {
	var m foundMessages
	_ = k.load(ctx, "messages", &m) // emptied already, or never there
	names := slices.Concat(m.Parts, []string{"part-server", "server.json", "threads.json", "people.json", "pins.json"})
	err := each(ctx, len(names), k.lim.Parallel, func(ctx context.Context, i int) error { return k.empty(ctx, names[i]) })
	if err == nil && k.wants(bus.PartMessages) {
		err = k.empty(ctx, "messages.json") // last: it names the others
	}
	if err != nil {
		return fmt.Errorf("the backup is finished, but what it was put together from could not be emptied: %w", err)
	}
	return nil
}

func (k *taking) empty(ctx context.Context, name string) error {
	_, err := k.r.Put(ctx, k.name(name), strings.NewReader(""))
	return err
}

// counter counts what is written.
type counter struct{ n *int64 }

func (c counter) Write(b []byte) (int, error) {
	*c.n += int64(len(b))
	return len(b), nil
}
