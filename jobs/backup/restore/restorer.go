package restore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// Restorer is the work of JobBackupRestore: it executes a plan that was approved.
type Restorer struct {
	Tools
	Args bus.RestoreArgs
	// Approved refuses a plan that somebody else has to approve and did not; nil: nobody has to.
	Approved func(context.Context, work.Run, bus.RestoreArgs) error
}

// Check says what is wrong with the arguments.
func (w *Restorer) Check() error {
	if raw, err := hex.DecodeString(w.Args.Hash); err != nil || len(raw) != 32 {
		return errors.New("a restore needs the hash of the plan that was approved; nothing was changed")
	}
	if w.Args.Plan == "" {
		return errors.New("a restore needs the job that made its plan; nothing was changed")
	}
	return nil
}

// run is one attempt at a restore.
type run struct {
	Tools
	work.Run
	guild  string
	plan   plan.Plan
	backup Backup
	report *report
	before map[plan.Kind]map[string]bool // ids that were there when the plan was made
	ends   []*ending                     // of the steps, see lanes.go
	needs  [][]int                       // the steps that a step waits for
	makers map[model.ID]int              // reference → the step that makes it
	total  int                           // steps and messages

	mu      sync.Mutex                    // guards what follows; held for looking things up only
	ids     map[model.ID]model.ID         // reference → id of what was made for it
	taken   map[string]bool               // ids of what was made
	hooks   map[string]*hook              // by channel
	parents map[string]*discordgo.Channel // of threads
	tries   map[string]bool               // webhooks that were replaced when somebody deleted them
	results map[int]result                // of the steps that are over
	written map[model.ID]int              // messages that are there, by the place in the backup
	done    int                           // of total, see progress.go

	look      sync.Once // of what follows, see structure
	saved     model.Snapshot
	savedFail error
}

// Run executes the plan, or the rest of it.
func (w *Restorer) Run(ctx context.Context, r work.Run) error {
	x := &run{
		Tools: w.Tools, Run: r, guild: strconv.FormatUint(uint64(r.Job().Guild), 10), report: newReport(),
		ids: map[model.ID]model.ID{}, before: map[plan.Kind]map[string]bool{}, taken: map[string]bool{}, hooks: map[string]*hook{},
		parents: map[string]*discordgo.Channel{}, tries: map[string]bool{}, results: map[int]result{}, written: map[model.ID]int{}, makers: map[model.ID]int{},
	}
	x.Tools.Bot = w.Bot.As(discord.ClassBackup)
	if w.Approved != nil {
		if err := w.Approved(ctx, r, w.Args); err != nil {
			return err
		}
	}
	if err := x.load(ctx, w.Args); err != nil {
		return err
	}
	if w.Approved != nil {
		if err := w.Approved(ctx, r, w.Args); err != nil {
			x.backup.Close()
			return err
		}
	}
	defer x.backup.Close()
	if err := x.begin(ctx); err != nil {
		return err
	}
	if err := x.enterPhase(ctx); err != nil {
		return err
	}
	err := x.steps(ctx)
	x.account()
	if err == nil {
		err = x.dropHooks(ctx)
	}
	return x.finish(ctx, err)
}

// load opens the plan and its backup, and refuses what nobody approved.
func (x *run) load(ctx context.Context, a bus.RestoreArgs) error {
	file, err := x.Open(ctx, a.Plan, PlanName)
	if err != nil {
		return fmt.Errorf("the plan cannot be opened; nothing was changed: %w", err)
	}
	defer file.Close()
	if x.plan, err = plan.Read(file); err != nil {
		return work.Permanent(err)
	}
	if !strings.EqualFold(x.plan.Hash(), a.Hash) {
		return work.Permanent(errors.New("the plan is not the one that was approved; nothing was changed, look at it again"))
	}
	if string(x.plan.Guild) != x.guild {
		return work.Permanent(errors.New("the plan is for another server; nothing was changed"))
	}
	for _, b := range x.plan.Base {
		if x.before[b.Kind] == nil {
			x.before[b.Kind] = map[string]bool{}
		}
		x.before[b.Kind][string(b.ID)] = true
	}
	x.backup, err = x.Tools.open(ctx, x.Run, a.Plan)
	return err
}

// begin makes sure, once, that the guild is as it was when the plan was made and that the bot may do what the plan needs, and
// keeps what the guild is. What it loses later is refused step by step, and reported.
func (x *run) begin(ctx context.Context) error {
	if begun, err := x.Noted("before", &x.report.safety); err != nil || begun {
		return err
	}
	file, live, rights, err := x.readLive(ctx, x.Run, "before")
	if err != nil {
		return err
	}
	if changes := plan.Changed(x.plan, live, rights); len(changes) > 0 {
		return work.Permanent(&plan.Drifted{Changes: changes})
	}
	x.report.safety = file
	return x.Note(ctx, "before", file)
}

// made gives what was made for a reference.
func (x *run) made(ref model.ID) (model.ID, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id, ok := x.ids[ref]
	return id, ok
}

// account puts what came of the steps into the report, in the order of the plan.
func (x *run) account() {
	for i, s := range x.plan.Steps {
		res, over := x.results[i]
		switch {
		case !s.Acts():
			x.report.leave(s.Line)
		case over:
			x.report.take(s, res)
		case s.Kind == plan.Messages && x.written[s.ID] > 0:
			x.report.begun(s, x.written[s.ID])
		}
	}
}
