package undo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/incident"
	"splashtail/internal/sandbox"
	"splashtail/jobs/undo"
	"splashtail/jobs/work"
)

// scene is a world with a journal, and things in it that can be destroyed.
type scene struct {
	*bottest.World
	book *incident.Book
	ids  chan uint64 // of the deeds, as they are written

	crew, vip               sandbox.ID
	ops, bridge, voice, log sandbox.ID // ops is the category of bridge and voice
	people                  []sandbox.ID
}

func newScene(t *testing.T) *scene {
	s := newPlace(t)
	s.record(incident.RecorderConfig{People: incident.PeopleOf(s.Bot)})
	s.OK(s.Discord.As(s.Owner).EditChannel(s.log, sandbox.Fields{"nsfw": true}))
	s.settled() // who is in the guild is known by now
	return s
}

// newPlace makes a scene whose events nobody records yet.
func newPlace(t *testing.T) *scene {
	s := &scene{World: bottest.New(t), ids: make(chan uint64, 4096)}
	d, o := s.Discord, s.Discord.As(s.Owner)
	s.ops = s.ID(o.CreateChannel(s.Guild, "ops", sandbox.CategoryChannel, 0))
	s.bridge = s.ID(o.CreateChannel(s.Guild, "bridge", sandbox.TextChannel, s.ops))
	s.voice = s.ID(o.CreateChannel(s.Guild, "helm", sandbox.VoiceChannel, s.ops))
	s.log = s.ID(o.CreateChannel(s.Guild, "log", sandbox.TextChannel, 0))
	s.vip = s.ID(o.CreateRole(s.Guild, "vip", sandbox.ViewChannel))
	s.crew = s.ID(o.CreateRole(s.Guild, "crew", sandbox.ViewChannel|sandbox.SendMessages))
	for i := range 4 {
		u := s.ID(d.AddUser(fmt.Sprint("sailor", i)))
		s.OK(d.AddMember(s.Guild, u, s.crew, s.vip))
		s.people = append(s.people, u)
	}
	s.OK(o.EditRole(s.Guild, s.crew, sandbox.Fields{"color": 255, "hoist": true}))
	s.OK(o.EditOverwrite(s.bridge, s.crew, 0, sandbox.Overwrite{Allow: sandbox.SendMessages}))
	s.OK(o.EditOverwrite(s.bridge, s.vip, 0, sandbox.Overwrite{Deny: sandbox.SendMessages}))
	s.OK(o.EditOverwrite(s.log, s.crew, 0, sandbox.Overwrite{Deny: sandbox.SendMessages}))
	s.OK(o.EditChannel(s.Text, sandbox.Fields{"topic": "hello"}))
	s.Feed()
	s.book = incident.NewBook(s.Bot, s.Self, s.Bus)
	s.OK(s.book.Open(t.Context()))
	return s
}

// record runs a recorder from the oldest event on.
func (s *scene) record(cfg incident.RecorderConfig) {
	s.consume("journal", incident.NewRecorder(cfg, s.Bus, bustest.Log(s.T)).Handle)
	s.Run(func(ctx context.Context) error {
		return bus.Consume(ctx, s.Bus, bus.Durable{Name: "seen", Workers: 1}, bus.JournalOf(s.GuildID()),
			func(bus.Delivery[bus.Deed]) string { return "" }, func(_ context.Context, d bus.Delivery[bus.Deed]) error {
				s.ids <- d.Value.ID
				return nil
			})
	})
}

// consume runs a handler on the dispatches of the world.
func (s *scene) consume(name string, h func(context.Context, bus.Delivery[bus.Dispatch]) error) {
	s.Run(func(ctx context.Context) error {
		return bus.Consume(ctx, s.Bus, bus.Durable{Name: name, Workers: 2}, bus.AllDispatches(),
			func(d bus.Delivery[bus.Dispatch]) string { return d.Value.Guild.String() }, h)
	})
}

// settled waits until the newest entry of the audit log is in the journal.
func (s *scene) settled() {
	s.T.Helper()
	log := s.Discord.AuditLog(s.Guild)
	last := uint64(log[len(log)-1].ID)
	deadline := time.After(30 * time.Second)
	for {
		select {
		case id := <-s.ids:
			if id == last {
				return
			}
		case <-deadline:
			s.T.Fatalf("entry %d was not in the journal within 30 s", last)
		}
	}
}

func (s *scene) snapshot() sandbox.Snapshot {
	s.T.Helper()
	snap, ok := s.Discord.Snapshot(s.Guild)
	if !ok {
		s.T.Fatal("the guild is gone")
	}
	return snap
}

// open opens an incident of all that the moderator did.
func (s *scene) open() bus.Incident {
	s.T.Helper()
	i, err := s.book.Begin(s.T.Context(), s.GuildID(), bus.UserID(s.Mod), bus.UserID(s.Owner), time.Now().Add(-time.Hour), time.Time{}, "by hand")
	s.OK(err)
	return i
}

// job is a job that undoes an incident as its plan is now.
type job struct {
	s     *scene
	guild bus.GuildID
	id    string
	args  bus.UndoArgs
	run   *work.Local
}

// job makes a job whose plan was approved as it is now.
func (s *scene) job(i bus.Incident) *job {
	s.T.Helper()
	p, err := s.book.Plan(s.T.Context(), i)
	s.OK(err)
	id := bus.NewJobID(time.Now())
	run, err := work.OpenLocal(work.LocalConfig{Dir: s.T.TempDir(), Log: s.T.Output(),
		Job: work.Job{ID: id, Kind: bus.JobIncidentUndo, Guild: i.Guild, By: bus.UserID(s.Owner), SubmittedAt: time.Now()}})
	s.OK(err)
	s.T.Cleanup(func() { _ = run.Close() })
	return &job{s, i.Guild, id, bus.UndoArgs{Incident: i.ID, Hash: p.Hash()}, run}
}

// attempt lets a worker that has just begun do what is left.
func (j *job) attempt(ctx context.Context, run work.Run) error {
	j.s.T.Helper()
	j.run.Begin()
	u := undo.New(j.s.Bot, j.s.Bus)
	u.UndoArgs = j.args
	j.s.OK(u.Check())
	return u.Run(ctx, run)
}

// incident is what is kept of the incident.
func (j *job) incident() bus.Incident {
	j.s.T.Helper()
	i, err := j.s.book.Get(j.s.T.Context(), j.guild, j.args.Incident)
	j.s.OK(err)
	return i
}

// outcome is what the job tells at its end.
func (j *job) outcome() bus.UndoDone {
	j.s.T.Helper()
	var done bus.UndoDone
	j.s.OK(json.Unmarshal(j.run.Result(), &done))
	return done
}

// undo plans, approves and does it.
func (s *scene) undo(i bus.Incident) bus.Incident {
	s.T.Helper()
	j := s.job(i)
	s.OK(j.attempt(s.T.Context(), j.run))
	if done := j.outcome(); len(done.Failed) == 0 && count(done.Done) != done.Steps {
		s.T.Errorf("the outcome does not add up: %+v", done)
	}
	return j.incident()
}

func count(done map[string]int) (n int) {
	for _, v := range done {
		n += v
	}
	return n
}

func (s *scene) isAs(before sandbox.Snapshot) {
	s.T.Helper()
	for _, line := range before.Diff(s.snapshot()) {
		s.T.Error(line)
	}
}
