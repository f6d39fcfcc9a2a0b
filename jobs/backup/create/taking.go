package create

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/secret"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/work"
)

// patience is how long one call may wait for its turn at Discord's rate limits.
const patience = 15 * time.Minute

// taking is one backup that is being made. What its steps have found is in files and notes of the job, not here: a step may
// run in another process than the one before.
type taking struct {
	r      work.Run
	t      Tools
	lim    Limits
	args   bus.BackupArgs
	prefix string
	guild  string
	pass   secret.Value
	key    archive.PartKey
	files  *fetcher
}

func newTaking(ctx context.Context, r work.Run, t Tools, args bus.BackupArgs, prefix string) (*taking, error) {
	if t.Now == nil {
		t.Now = time.Now
	}
	k := &taking{r: r, t: t, lim: t.Limits.withDefaults(), args: args, prefix: prefix, guild: r.Job().Guild.String(), files: newFetcher(t.CDN)}
	k.t.Bot = t.Bot.As(discord.ClassBackup)
	k.pass, _ = r.Secret("password")
	var sealed []byte
	ok, err := r.Noted(k.name("key"), &sealed)
	switch {
	case err != nil:
		return nil, err
	case ok:
		k.key, err = archive.OpenPartKey(sealed, k.pass)
	default:
		k.key, err = archive.NewPartKey(k.pass)
	}
	k.stretched()
	if err != nil || ok {
		return k, err
	}
	return k, r.Note(ctx, k.name("key"), k.key.Sealed())
}

// stretched lets go of the 32 MiB that a password was stretched in. By itself the collector would take twice that as the
// measure of what may lie about.
func (k *taking) stretched() {
	if !k.pass.IsZero() {
		runtime.GC()
	}
}

// name is a name of a note, a step or a file of this backup.
func (k *taking) name(s string) string {
	if k.prefix == "" {
		return s
	}
	return k.prefix + "-" + s
}

// wants tells whether a part is asked for.
func (k *taking) wants(part string) bool {
	switch {
	case slices.Contains(k.args.Leave, part):
		return false
	case part == bus.PartMembers:
		return k.args.Members
	case part == bus.PartMessages:
		return k.args.Messages > 0
	}
	return true
}

// call runs one call of Discord, which may wait long for its turn.
func call(ctx context.Context, f func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := f(within)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// each runs f for every number below n, some at a time, and ends all with the first error.
func each(ctx context.Context, n, parallel int, f func(ctx context.Context, i int) error) error {
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(max(parallel, 1))
	for i := range n {
		if within.Err() != nil {
			break
		}
		g.Go(func() error { return f(within, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// keep writes what a step has found for the steps after it.
func (k *taking) keep(ctx context.Context, name string, v any) error {
	return k.put(ctx, name+".json", func(w io.Writer) error {
		to, err := k.key.Seal(w)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(to).Encode(v); err != nil {
			return err
		}
		return to.Close()
	})
}

// load reads what an earlier step has kept.
func (k *taking) load(ctx context.Context, name string, into any) error {
	f, err := k.r.Open(ctx, k.r.Job().ID, k.name(name+".json"))
	if err != nil {
		return fmt.Errorf("what the step %s of the backup found cannot be opened: %w", name, err)
	}
	defer f.Close()
	r, err := k.key.Unseal(f)
	if err == nil {
		err = json.NewDecoder(r).Decode(into)
	}
	if err != nil {
		return fmt.Errorf("what the step %s of the backup found cannot be read: %w", name, err)
	}
	return nil
}

// part writes a part of the archive as a file of the job.
func (k *taking) part(ctx context.Context, name string, f func(*archive.Writer) error) error {
	return k.put(ctx, name, func(w io.Writer) error {
		p, err := archive.NewPart(w, k.key, k.options())
		if err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
		return p.Close()
	})
}

func (k *taking) options() archive.Options {
	return archive.Options{Password: k.pass, TempDir: k.t.TempDir}
}

// put streams what write writes into a file of the job.
func (k *taking) put(ctx context.Context, name string, write func(io.Writer) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		_, err := k.r.Put(ctx, k.name(name), r)
		r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // lets go of who still writes
		written <- err
	}()
	err := write(w)
	w.CloseWithError(err) // nil: the end of the file
	stored := <-written
	switch {
	case err != nil && !errors.Is(err, io.ErrClosedPipe):
		return err
	case stored != nil:
		return fmt.Errorf("a file of the backup could not be stored: %w", stored)
	}
	return err
}
