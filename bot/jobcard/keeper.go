// Package jobcard shows jobs in Discord: a message that is edited while a job runs and says at its end what came of it.
//
// What comes in: records that say which message shows which job (Show), and the logs of these jobs. What goes out: edits
// of messages, at the pace that Discord likes, and one new message that mentions who asked. Of all processes one keeps the
// cards, and the next goes on where one that dies stopped, since a card is a record and the log is a stream. Read first:
// this file, then follow.go for one card's life, place.go for where it goes on when its channel is deleted, view.go for
// what is on it.
package jobcard

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/pause"
)

// Config is what a keeper works with; every field but Pace and Fresh must be set.
type Config struct {
	Bot      *discord.Bot
	Bus      *bus.Bus
	Log      *slog.Logger
	Words    *words.Catalogue
	Instance string // names this process
	Settings func(context.Context, bus.GuildID) (bus.GuildSettings, error)
	// Pace says how long to wait before the n-th edit of a card, 0 being the one after the first; nil: 2, 3, 5, 10 and
	// then 15 seconds.
	Pace func(n int) time.Duration
	// Fresh is how long a message is edited before another one takes its place; 0: 55 minutes, since Discord lets bots edit
	// what is older than an hour only rarely (code 30046).
	Fresh time.Duration
}

const freshFor = 55 * time.Minute

// Keeper keeps cards up to date.
type Keeper struct {
	cfg     Config
	records *bus.Records[bus.JobCard]
	jobs    *bus.Jobs
}

// maxCards bounds the cards that are kept up to date at once; what is above waits for one to be finished.
const maxCards = 500

// leaseTTL is how long the keeper's right outlives a process that dies.
const leaseTTL = 5 * time.Second

// New makes a keeper. It does no I/O.
func New(cfg Config) *Keeper {
	if cfg.Pace == nil {
		cfg.Pace = pace
	}
	if cfg.Fresh == 0 {
		cfg.Fresh = freshFor
	}
	return &Keeper{cfg: cfg}
}

// pace is often at the beginning, when people look.
func pace(n int) time.Duration {
	steps := [...]time.Duration{2 * time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second}
	return steps[min(n, len(steps)-1)]
}

// Open opens the records. It comes before every other method.
func (k *Keeper) Open(ctx context.Context) (err error) {
	if k.jobs, err = bus.OpenJobs(ctx, k.cfg.Bus); err != nil {
		return err
	}
	k.records, err = bus.OpenRecords(ctx, k.cfg.Bus, bus.JobCards())
	return err
}

// Jobs is the way to the jobs that cards show.
func (k *Keeper) Jobs() *bus.Jobs { return k.jobs }

// Show lets a message show a job from now on. A job has one card: while there is one, another message changes nothing.
func (k *Keeper) Show(ctx context.Context, c bus.JobCard) error {
	c.V = 1
	_, err := k.records.Create(ctx, bus.JobKey(c.Guild, c.Job), c)
	if bus.IsCode(err, bus.CodeConflict) {
		return nil
	}
	return err
}

// Run keeps all cards up to date while this process has the right to, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, k.cfg.Bus, bus.JobCardLease(), leaseTTL, k.cfg.Instance)
		if err == nil {
			held, cancel := lease.Context(ctx)
			err = k.keep(held)
			cancel()
			_ = lease.Release(context.WithoutCancel(ctx)) // it ends by itself when that fails
		}
		if ctx.Err() == nil {
			k.cfg.Log.Warn("the cards of jobs rest for a moment", "err", err)
			pause.For(ctx, time.Second)
		}
	}
	return nil
}

// keep follows every card until ctx ends or the records cannot be watched.
func (k *Keeper) keep(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var mu sync.Mutex
	followed := map[string]bool{} // true: its record was written since somebody began to follow it
	room := make(chan struct{}, maxCards)
	return k.records.Watch(ctx, ">", func(e bus.Entry[bus.JobCard], _ bool) error {
		mu.Lock()
		defer mu.Unlock()
		if e.Key == "" || e.Deleted {
			return nil
		}
		if _, there := followed[e.Key]; there {
			followed[e.Key] = true
			return nil
		}
		followed[e.Key] = false
		running.Go(func() {
			select {
			case room <- struct{}{}:
				defer func() { <-room }()
			case <-ctx.Done():
				return
			}
			again := func() bool {
				mu.Lock()
				defer mu.Unlock()
				if followed[e.Key] && ctx.Err() == nil {
					followed[e.Key] = false
					return true
				}
				delete(followed, e.Key)
				return false
			}
			for more := true; more; more = again() {
				k.follow(ctx, e.Key)
			}
		})
		return nil
	})
}
