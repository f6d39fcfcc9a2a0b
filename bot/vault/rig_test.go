package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bot/command"
	"splashtail/bot/general"
	"splashtail/bot/jobcard"
	"splashtail/bot/settings"
	"splashtail/bot/vault"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/formsecret"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// rig is a guild with the commands of this package, and a stand-in for the component jobs that does no work: it stores
// what it is asked for and lets the test say how it ends.
type rig struct {
	*bottest.World
	admin, other sandbox.ID // administrators both, by role
	role         sandbox.ID
	records      *bus.Records[bus.Job]
	files        *bus.Blobs
	settings     *settings.Store
	logged       *journal

	mu        sync.Mutex
	asked     []bus.JobSubmit
	end       func(*bus.Job) // fills in how a job ends when it is submitted; nil: it goes on
	refuse    error
	cancelled []string
}

// journal is a log that tests read while others write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{World: bottest.New(t), logged: &journal{}}
	r.admin, r.other = r.ID(r.Discord.AddUser("Ada")), r.ID(r.Discord.AddUser("Adam"))
	r.role = r.ID(r.Discord.AddRole(r.Guild, "administrators", sandbox.Administrator))
	r.OK(r.Discord.AddMember(r.Guild, r.admin, r.role))
	r.OK(r.Discord.AddMember(r.Guild, r.other, r.role))
	r.Feed()
	ctx := t.Context()
	var err error
	r.records, err = bus.OpenRecords(ctx, r.Bus, bus.AllJobs())
	r.OK(err)
	r.files, err = bus.OpenBackups(ctx, r.Bus)
	r.OK(err)
	r.settings, err = settings.Open(ctx, r.Bus)
	r.OK(err)
	r.serve()
	catalogue, err := words.Load()
	r.OK(err)
	log := slog.New(slog.NewTextHandler(io.MultiWriter(r.logged, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	cards := jobcard.New(jobcard.Config{Bot: r.Bot, Bus: r.Bus, Log: log, Words: catalogue, Instance: "test", Settings: r.settings.Of})
	r.OK(cards.Open(ctx))
	all := append(vault.Commands(vault.Tools{Cards: cards}),
		general.Commands(r.Bus, general.About{}, general.Stores{Settings: func() *settings.Store { return r.settings }})...)
	registry, err := command.NewRegistry(catalogue, all...)
	r.OK(err)
	router, err := command.NewRouter(command.Config{Bot: r.Bot, Token: secret.New(r.App.Token), Instance: "test"}, registry, r.Bus, log)
	r.OK(err)
	r.Run(router.Run)
	<-router.Ready()
	payload := registry.Payload(nil)
	for _, c := range payload {
		c.DefaultMemberPermissions = nil // only the bot's own rules are left
	}
	made, err := r.Bot.SetCommands(ctx, r.App.ID.String(), r.Guild.String(), payload)
	r.OK(err)
	sets, err := bus.OpenRecords(ctx, r.Bus, bus.CommandSets())
	r.OK(err)
	names := map[string]string{}
	for _, c := range made {
		prefix := ""
		if c.Type == 2 {
			prefix = "person:"
		}
		names[prefix+c.Name] = c.ID
	}
	_, err = sets.Put(ctx, bus.CommandSetKey(r.Self(), r.GuildID()), bus.CommandSet{V: 1, Names: names, At: time.Now().UTC()})
	r.OK(err)
	return r
}

// answer serves one call until the test ends.
func answer[Q, R any](r *rig, c bus.Call[Q, R], h func(context.Context, Q) (R, error)) {
	r.T.Helper()
	stop, err := bus.Serve(r.T.Context(), r.Bus, c, h)
	r.OK(err)
	r.T.Cleanup(stop)
}

func (r *rig) serve() {
	answer(r, bus.JobSubmitCall(), func(_ context.Context, s bus.JobSubmit) (bus.Job, error) { return r.submit(s) })
	answer(r, bus.JobCancelCall(), func(ctx context.Context, q bus.JobRequest) (bus.Job, error) {
		e, err := r.records.Get(ctx, bus.JobKey(q.Guild, q.Target))
		if err == nil {
			r.mu.Lock()
			r.cancelled = append(r.cancelled, q.Target)
			r.mu.Unlock()
		}
		return e.Value, err
	})
	answer(r, bus.JobRemoveCall(), func(ctx context.Context, q bus.JobRequest) (bus.Job, error) {
		return bus.Job{}, r.records.Delete(ctx, bus.JobKey(q.Guild, q.Target), 0)
	})
	schedules, err := bus.OpenRecords(r.T.Context(), r.Bus, bus.JobSchedules())
	r.OK(err)
	answer(r, bus.JobScheduleCall(), func(ctx context.Context, s bus.JobSchedule) (bus.JobSchedule, error) {
		key, err := bus.JobScheduleKey(s.Guild, s.Name)
		switch {
		case err != nil:
			return s, err
		case s.Cron == "":
			return s, schedules.Delete(ctx, key, 0)
		}
		if _, err := time.LoadLocation(s.Zone); err != nil {
			return s, bus.Errorf(bus.CodeInvalid, "bad_schedule", "there is no time zone %s; nothing was changed", s.Zone)
		}
		s.Next = time.Unix(1_900_000_000, 0)
		_, err = schedules.Put(ctx, key, s)
		return s, err
	})
}

// submit takes a job in.
func (r *rig) submit(s bus.JobSubmit) (bus.Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, s)
	if r.refuse != nil {
		return bus.Job{}, r.refuse
	}
	now := time.Now().UTC()
	j := bus.Job{V: 1, ID: bus.NewJobID(now), Kind: s.Kind, Guild: s.Guild, By: s.By, Args: s.Args, State: bus.JobRunning, Attempt: 1, Submitted: now, Started: now, Changed: now}
	for name := range s.Secrets {
		j.Secrets = append(j.Secrets, name)
	}
	if r.end != nil {
		r.end(&j)
	}
	_, err := r.records.Put(context.Background(), bus.JobKey(j.Guild, j.ID), j)
	return j, err
}

// submitted gives what was asked for, and forgets it.
func (r *rig) submitted(kind bus.JobKind) []bus.JobSubmit {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out, rest []bus.JobSubmit
	for _, s := range r.asked {
		if s.Kind == kind {
			out = append(out, s)
		} else {
			rest = append(rest, s)
		}
	}
	r.asked = rest
	return out
}

func (r *rig) ends(f func(*bus.Job)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = f
}

func (r *rig) refuses(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = err
}

// backup stores a backup of a guild.
func (r *rig) backup(g bus.GuildID, at time.Time, done bus.BackupDone, data string) string {
	r.T.Helper()
	id := bus.NewJobID(at)
	done.File, done.At = "a.backup", at
	if done.Size == 0 {
		done.Size = int64(len(data))
	}
	j := bus.Job{V: 1, ID: id, Kind: bus.JobBackupCreate, Guild: g, State: bus.JobCompleted, Submitted: at, Finished: at, Outcome: text(done),
		Files: []bus.JobFile{{Name: done.File, Size: done.Size, Key: g.String() + "/" + id}}}
	_, err := r.records.Put(r.T.Context(), bus.JobKey(g, id), j)
	r.OK(err)
	_, err = r.files.Put(r.T.Context(), j.Files[0].Key, strings.NewReader(data))
	r.OK(err)
	return id
}

func text(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// plans lets every plan be made at once.
func (r *rig) plans(p bus.PlanDone) {
	r.ends(func(j *bus.Job) {
		if j.Kind == bus.JobRestorePlan {
			j.State, j.Outcome, j.Finished = bus.JobCompleted, text(p), j.Submitted
		}
	})
}

// somePlan deletes 3 things and makes 41.
func somePlan(needs string) bus.PlanDone {
	return bus.PlanDone{File: "plan.json", Hash: strings.Repeat("ab", 32), Counts: map[string]int{"delete": 3, "create": 40, "update": 1},
		Lines: []string{"delete channel junk"}, Needs: needs, Guild: "Skeld", At: time.Unix(1_700_000_000, 0)}
}

// sends lets somebody use the bot.
func (r *rig) sends(who sandbox.ID, spec sandbox.InteractionSpec) *sandbox.Interaction {
	r.T.Helper()
	spec.App, spec.Guild, spec.Channel, spec.User = r.App.ID, r.Guild, r.Text, who
	i, err := r.Discord.Interact(spec)
	r.OK(err)
	return i
}

func (r *rig) uses(who sandbox.ID, name string, options map[string]any) *sandbox.Interaction {
	r.T.Helper()
	return r.sends(who, sandbox.InteractionSpec{Command: name, Options: options})
}

// presses lets somebody press a button.
func (r *rig) presses(who sandbox.ID, s sandbox.InteractionState, label string) *sandbox.Interaction {
	r.T.Helper()
	b, ok := s.Original.Button(label)
	if !ok {
		r.T.Fatalf("there is no button %q in %s", label, says(s))
	}
	return r.sends(who, sandbox.InteractionSpec{CustomID: b.CustomID, Message: s.Original.ID})
}

// types sends a form that somebody sees; all its inputs are secret.
func (r *rig) types(who sandbox.ID, form *sandbox.Interaction, fields map[string]string) *sandbox.Interaction {
	r.T.Helper()
	r.until(form, "a form", func(s sandbox.InteractionState) bool { return s.Modal != nil })
	typed := map[string]string{}
	for name, value := range fields {
		typed[formsecret.Input(name)] = value
	}
	return r.sends(who, sandbox.InteractionSpec{Modal: form, Fields: typed})
}

func (r *rig) until(i *sandbox.Interaction, want string, is func(sandbox.InteractionState) bool) sandbox.InteractionState {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.T.Context(), 20*time.Second)
	defer cancel()
	s, err := i.Await(ctx, is)
	if err != nil {
		r.T.Fatalf("the answer is %+v %s, want %s: %v", s, says(s), want, err)
	}
	return s
}

// done waits until a process of the bot has dealt with an interaction.
func (r *rig) done(i *sandbox.Interaction) {
	r.T.Helper()
	claims, err := bus.OpenRecords(r.T.Context(), r.Bus, bus.Claims())
	r.OK(err)
	ctx, cancel := context.WithTimeout(r.T.Context(), 20*time.Second)
	defer cancel()
	over := errors.New("it is done")
	err = claims.Watch(ctx, i.ID().String(), func(e bus.Entry[bus.Claim], _ bool) error {
		if e.Value.Done {
			return over
		}
		return nil
	})
	if !errors.Is(err, over) {
		r.T.Fatal(err)
	}
}

// has waits until the answer contains a text.
func (r *rig) has(i *sandbox.Interaction, want string) sandbox.InteractionState {
	r.T.Helper()
	return r.until(i, want, func(s sandbox.InteractionState) bool { return strings.Contains(says(s), want) })
}

// says is what an answer says, as JSON.
func says(s sandbox.InteractionState) string {
	if s.Original == nil {
		return ""
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(s.Original.JSON))
}
