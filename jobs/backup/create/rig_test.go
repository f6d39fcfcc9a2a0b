package create

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// rig is a guild in the sandbox, a bot in it, and what a backup needs.
type rig struct {
	*sandbox.Discord
	t     *testing.T
	api   string
	base  string // of the sandbox
	app   sandbox.Application
	guild sandbox.ID
	owner sandbox.ID
	role  sandbox.ID // the bot's
	tools Tools
	front func(http.ResponseWriter, *http.Request) bool // answers in the sandbox's place when it says so
}

func noLimits() sandbox.Limits {
	l := sandbox.Limit{Requests: -1}
	return sandbox.Limits{
		MemberPatch: l, MemberGet: l, MemberList: l, GuildGet: l, VoiceState: l, Self: l, Gateway: l, RoleCreate: l, ChannelRename: l,
		WebhookChannel: l, EmojiCreate: l, Other: l, Global: 1 << 30,
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// bare is a sandbox with a bot that is in no guild yet.
func bare(t *testing.T, limits sandbox.Limits) *rig {
	t.Helper()
	r := &rig{Discord: sandbox.New(sandbox.Config{Limits: limits}), t: t, front: func(http.ResponseWriter, *http.Request) bool { return false }}
	r.app = must(r.AddApplication(sandbox.ApplicationSpec{Name: "keeper", MembersIntent: true, MessageContentIntent: true}))(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !r.front(w, q) {
			r.ServeHTTP(w, q)
		}
	}))
	t.Cleanup(srv.Close)
	r.base, r.api = srv.URL, srv.URL+"/api/v10"
	cdn := must(discord.NewCDN(srv.URL))(t)
	t.Cleanup(cdn.Close)
	r.tools = Tools{CDN: cdn.Patient(2 * time.Second), TempDir: t.TempDir()}
	r.rebot(r.app)
	return r
}

// rebot makes another application the one that reads.
func (r *rig) rebot(app sandbox.Application) {
	c := must(discord.NewLimitedClient(r.api, discord.NewLimiter(discord.LimiterConfig{Global: 5000})))(r.t)
	r.t.Cleanup(c.Close)
	r.tools.Bot = c.Bot(secret.New(app.Token))
}

// created is the id in an answer.
func created(t *testing.T, raw json.RawMessage) sandbox.ID {
	t.Helper()
	var v struct{ ID sandbox.ID }
	if err := json.Unmarshal(raw, &v); err != nil || v.ID == 0 {
		t.Fatalf("%s: %v", raw, err)
	}
	return v.ID
}

// plain is an empty guild whose bot has a role with these permissions.
func plain(t *testing.T, p sandbox.Permissions) *rig {
	t.Helper()
	r := bare(t, noLimits())
	r.owner = must(r.AddUser("Olga"))(t)
	r.guild = must(r.AddGuild("Skeld", r.owner))(t)
	r.role = must(r.AddRole(r.guild, "keeper", p))(t)
	r.ok(r.AddMember(r.guild, r.app.ID, r.role))
	return r
}

// made is a generated guild.
func made(t *testing.T, spec sandbox.GuildSpec) (*rig, sandbox.Generated) {
	t.Helper()
	r := bare(t, noLimits())
	spec.Bot = r.app.ID
	g := must(r.Generate(spec))(t)
	r.guild, r.owner = g.Guild, g.Owner
	return r, g
}

func (r *rig) run() *fakeRun { return newRun(r.t, bus.GuildID(r.guild)) }

// backup runs a backup to its end.
func (r *rig) backup(run *fakeRun, args bus.BackupArgs) bus.BackupDone {
	r.t.Helper()
	w := New(r.tools)
	w.BackupArgs = args
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	r.ok(w.Check())
	r.ok(w.Run(ctx, run))
	var done bus.BackupDone
	r.ok(json.Unmarshal(run.outcome, &done))
	return done
}

// opened is an archive that was read back.
type opened struct {
	*archive.Archive
	model.Snapshot
	manifest model.Manifest
	messages map[model.ID][]model.Message // newest first
}

func (r *rig) open(run *fakeRun, done bus.BackupDone) opened {
	r.t.Helper()
	o := archive.Options{Password: secret.New(run.pass)}
	data := run.files[done.File]
	must(archive.Verify(bytes.NewReader(data), o))(r.t)
	a := must(archive.Open(bytes.NewReader(data), int64(len(data)), o))(r.t)
	out := opened{Archive: a, Snapshot: must(a.Snapshot())(r.t), manifest: must(a.Manifest())(r.t), messages: map[model.ID][]model.Message{}}
	for _, c := range a.Channels() {
		for m, err := range a.Messages(c) {
			r.ok(err)
			out.messages[c] = append([]model.Message{m}, out.messages[c]...)
		}
	}
	return out
}

func (o opened) item(name string) model.Item {
	for _, i := range o.manifest.Items {
		if i.Name == name {
			return i
		}
	}
	return model.Item{}
}

func (o opened) total() int {
	n := 0
	for _, list := range o.messages {
		n += len(list)
	}
	return n
}

// id is an id as backups write it.
func id(i sandbox.ID) model.ID { return model.ID(i.String()) }
