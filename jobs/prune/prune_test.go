package prune_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/jobs/prune"
	"splashtail/jobs/work"
)

type rig struct {
	*sandbox.Discord
	t              *testing.T
	guild          sandbox.ID
	channels       []sandbox.ID
	bot            *discord.Bot
	owner, spammer sandbox.ID
}

func newRig(t *testing.T, channels int) *rig {
	t.Helper()
	r := &rig{Discord: sandbox.New(sandbox.Config{Limits: sandbox.Limits{Global: 100_000, Other: sandbox.Limit{Requests: 100_000, Window: time.Second}}}), t: t}
	app := must(r.AddApplication(sandbox.ApplicationSpec{Name: "guard", MessageContentIntent: true}))(t)
	r.owner, r.spammer = must(r.AddUser("Olga"))(t), must(r.AddUser("Ana"))(t)
	r.guild = must(r.AddGuild("Skeld", r.owner))(t)
	role := must(r.AddRole(r.guild, "guard", sandbox.Administrator))(t)
	for i := range channels {
		r.channels = append(r.channels, must(r.AddChannel(r.guild, fmt.Sprint("c", i), sandbox.TextChannel))(t))
	}
	for _, err := range []error{r.AddMember(r.guild, app.ID, role), r.AddMember(r.guild, r.spammer)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(r.Discord)
	t.Cleanup(srv.Close)
	c := must(discord.NewLimitedClient(srv.URL+"/api/v10", discord.NewLimiter(discord.LimiterConfig{})))(t)
	t.Cleanup(c.Close)
	r.bot = c.Bot(secret.New(app.Token))
	return r
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (r *rig) say(who, channel sandbox.ID, n int) {
	r.t.Helper()
	for i := range n {
		if _, err := r.As(who).Send(channel, fmt.Sprint("text ", i)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) left(channel, who sandbox.ID) int {
	n := 0
	for _, m := range r.Messages(channel) {
		if m.Author == who {
			n++
		}
	}
	return n
}

// run does a prune in a directory, as a worker would.
func (r *rig) run(ctx context.Context, dir string, args string, wrap ...func(work.Run) work.Run) (bus.PruneDone, *work.Local, error) {
	r.t.Helper()
	p := prune.New(r.bot)
	if err := json.Unmarshal([]byte(args), p); err != nil {
		r.t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		r.t.Fatal(err)
	}
	guild := must(bus.ParseGuildID(fmt.Sprint(r.guild)))(r.t)
	l := must(work.OpenLocal(work.LocalConfig{Dir: dir, Job: work.Job{ID: "J", Kind: bus.JobMessagePrune, Guild: guild}}))(r.t)
	r.t.Cleanup(func() { l.Close() })
	var as work.Run = l
	for _, w := range wrap {
		as = w(as)
	}
	err := p.Run(ctx, as)
	var done bus.PruneDone
	if out := l.Result(); out != nil {
		if err := json.Unmarshal(out, &done); err != nil {
			r.t.Fatal(err)
		}
	}
	return done, l, err
}

// H14: pages without a message of the author end nothing. H13: seconds are seconds.
func TestMessagesOfOneAuthorBehindThoseOfOthers(t *testing.T) {
	r := newRig(t, 1)
	r.say(r.spammer, r.channels[0], 7)
	r.say(r.owner, r.channels[0], 130)
	done, l, err := r.run(t.Context(), t.TempDir(), fmt.Sprintf(`{"user":"%v","max_messages":100,"from_seconds":3600}`, r.spammer))
	if err != nil || done.Total != 7 || r.left(r.channels[0], r.spammer) != 0 || r.left(r.channels[0], r.owner) != 130 {
		t.Errorf("%+v, %v", done, err)
	}
	text, err := os.ReadFile(l.Path(done.File))
	if err != nil || strings.Count(string(text), `"content": "text`) != 7 {
		t.Errorf("the file keeps %s, %v", text, err)
	}
}

// The bounds of channels hold, and what is left goes to others only when that is wished and there is something left.
func TestBoundsAndRollover(t *testing.T) {
	for rollover, want := range map[bool][2]int{false: {20, 5}, true: {35, 5}} {
		r := newRig(t, 2)
		r.say(r.spammer, r.channels[0], 60)
		r.say(r.spammer, r.channels[1], 5)
		done, _, err := r.run(t.Context(), t.TempDir(), fmt.Sprintf(`{"max_messages":40,"per_channel":20,"rollover":%v}`, rollover))
		if err != nil || done.Deleted[fmt.Sprint(r.channels[0])] != want[0] || done.Deleted[fmt.Sprint(r.channels[1])] != want[1] {
			t.Errorf("rollover %v: %+v, %v", rollover, done, err)
		}
	}
}

// cut is a worker that dies at its first note of a deletion: with the note stored, or with the deletion alone.
type cut struct {
	work.Run
	stored bool
}

var errDied = errors.New("the worker died")

func (c cut) Note(ctx context.Context, key string, v any) error {
	if !strings.HasPrefix(key, "deleted/") {
		return c.Run.Note(ctx, key, v)
	}
	if c.stored {
		if err := c.Run.Note(ctx, key, v); err != nil {
			return err
		}
	}
	return errDied
}

// A worker that takes over deletes the rest of what was found, and nothing that came since.
func TestAPruneGoesOnWhereItWas(t *testing.T) {
	for _, stored := range []bool{true, false} {
		r := newRig(t, 1)
		r.say(r.spammer, r.channels[0], 150)
		dir := t.TempDir()
		_, l, err := r.run(t.Context(), dir, `{"max_messages":150}`, func(in work.Run) work.Run { return cut{in, stored} })
		if !errors.Is(err, errDied) || r.left(r.channels[0], r.spammer) != 50 {
			t.Fatalf("%v; %d are left", err, r.left(r.channels[0], r.spammer))
		}
		l.Close()
		r.say(r.spammer, r.channels[0], 10)
		done, _, err := r.run(t.Context(), dir, `{"max_messages":150}`)
		if err != nil || done.Total != 150 || r.left(r.channels[0], r.spammer) != 10 {
			t.Errorf("%+v, %v; %d are left", done, err, r.left(r.channels[0], r.spammer))
		}
	}
}

// A job that was parked goes on when what it found is too old to be deleted in bulk: that goes one by one.
func TestAPruneGoesOnWhenMessagesHaveBecomeOld(t *testing.T) {
	r := newRig(t, 1)
	r.say(r.spammer, r.channels[0], 3)
	var ids []string
	for _, m := range r.Messages(r.channels[0]) {
		ids = append(ids, fmt.Sprint(m.ID))
	}
	slices.Reverse(ids)
	// Two that somebody else deleted meanwhile, a month old.
	old := discord.SnowflakeAt(time.Now().AddDate(0, -1, 0))
	ids = append(ids, fmt.Sprint(old+1), fmt.Sprint(old))
	found := map[string]any{"channels": []any{map[string]any{"id": fmt.Sprint(r.channels[0]), "ids": ids}}}
	done, _, err := r.run(t.Context(), t.TempDir(), `{"max_messages":5}`, func(in work.Run) work.Run {
		if err := errors.Join(in.Note(t.Context(), "found", found), in.Note(t.Context(), "step/find", true)); err != nil {
			t.Fatal(err)
		}
		return in
	})
	if err != nil || done.Total != 5 || r.left(r.channels[0], r.spammer) != 0 {
		t.Errorf("%+v, %v; %d are left", done, err, r.left(r.channels[0], r.spammer))
	}
	var calls []string
	for _, q := range r.Requests(0, 0) {
		if q.Method != "GET" {
			calls = append(calls, fmt.Sprintf("%s %s %d", q.Method, q.Path[strings.LastIndexByte(q.Path, '/')+1:], q.Code))
		}
	}
	if want := fmt.Sprintf("[POST bulk-delete 0 DELETE %d 10008 DELETE %d 10008]", old+1, old); fmt.Sprint(calls) != want {
		t.Errorf("the calls were %v, want %s", calls, want)
	}
}

func TestArgumentsOfAPruneThatAreRefused(t *testing.T) {
	for _, args := range []string{`{}`, `{"max_messages":1001}`, `{"max_messages":5,"per_channel":3}`, `{"max_messages":5,"channels":["../x"]}`,
		`{"max_messages":5,"from_seconds":-1}`, `{"max_messages":5,"special":{"1":-1}}`} {
		p := prune.New(&discord.Bot{})
		if err := errors.Join(json.Unmarshal([]byte(args), p), p.Check()); err == nil {
			t.Errorf("%s was taken", args)
		}
	}
}
