package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// errKilled stands for the end of the process.
var errKilled = errors.New("killed")

// killer ends an attempt at one of its boundaries: before or after a request that changes something, before or after a note.
type killer struct {
	mu     sync.Mutex
	at     int // the boundary to die at; negative: none
	passed int
	dead   bool
	cancel context.CancelFunc

	refuse int            // the request, counted from 1, that is answered with 403 instead; 0: none
	lossy  bool           // the answer of every other request that makes something at one address gets lost
	made   map[string]int // requests that make something, by address
	writes int            // requests that change something
}

// boundary counts; true when the process dies here, or is dead.
func (k *killer) boundary() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.dead && k.passed == k.at {
		k.dead = true
		k.cancel()
	}
	k.passed++
	return k.dead
}

func (k *killer) isDead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dead
}

// wrap puts the killer between the program and Discord. A dead process sends nothing and hears nothing.
func (k *killer) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			if k.isDead() {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
			return
		}
		k.mu.Lock()
		k.writes++
		refused, lost := k.writes == k.refuse, false
		if k.lossy && r.Method == http.MethodPost {
			if k.made == nil {
				k.made = map[string]int{}
			}
			k.made[r.URL.Path]++
			lost = k.made[r.URL.Path]%2 == 0
		}
		k.mu.Unlock()
		if refused {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"code":50013,"message":"Missing Permissions"}`)
			return
		}
		if k.boundary() {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if k.boundary() {
			panic(http.ErrAbortHandler)
		}
		if lost {
			panic(http.ErrAbortHandler)
		}
		for key, v := range answer.Header() {
			w.Header()[key] = v
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// jobRun is a job that keeps its notes and files in memory, over any number of attempts.
type jobRun struct {
	t     *testing.T
	job   work.Job
	mu    sync.Mutex
	notes map[string][]byte
	files map[string][]byte // by job/name, of all jobs
	out   any
	said  []string
	kill  *killer
}

func (r *jobRun) Job() work.Job { return r.job }

func (r *jobRun) Noted(key string, v any) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok := r.notes[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(data, v)
}

func (r *jobRun) Note(_ context.Context, key string, v any) error {
	if r.kill.boundary() {
		return errKilled
	}
	data, err := json.Marshal(v)
	if err != nil || len(data) > work.MaxNote || len(key) > 128 {
		r.t.Errorf("the note %q has %d bytes (%v)", key, len(data), err)
	}
	r.mu.Lock()
	r.notes[key] = data
	r.mu.Unlock()
	if r.kill.boundary() {
		return errKilled
	}
	return nil
}

func (r *jobRun) Step(ctx context.Context, name string, f func(ctx context.Context) error) error {
	done := false
	if _, err := r.Noted("step/"+name, &done); err != nil || done {
		return err
	}
	if err := f(ctx); err != nil {
		return err
	}
	return r.Note(ctx, "step/"+name, true)
}

func (r *jobRun) Say(_ work.Level, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, format)
}
func (r *jobRun) Progress(int, int)                       {}
func (r *jobRun) Waiting(time.Time, string)               {}
func (r *jobRun) Secret(string) (v secret.Value, ok bool) { return v, false }

func (r *jobRun) Put(_ context.Context, name string, from io.Reader) (int64, error) {
	data, err := io.ReadAll(from)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.files[r.job.ID+"/"+name] = data
	}
	return int64(len(data)), err
}

func (r *jobRun) Open(_ context.Context, job, name string) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok := r.files[job+"/"+name]
	if !ok {
		return nil, errors.New("there is no file " + name + " of the job " + job)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (r *jobRun) Outcome(v any) error { r.out = v; return nil }

// stored is a backup as tests keep it: one JSON text.
type stored struct {
	Structure model.Snapshot
	Said      map[model.ID][]model.Message
	Files     map[model.FileKey][]byte
	Order     []model.ID
	Items     []model.Item // nil: all is kept
	Lacks     bool         // a picture
}

func (b *stored) Snapshot() (model.Snapshot, error) {
	var s model.Snapshot
	data, err := json.Marshal(b.Structure)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	return s, err
}

func (b *stored) Manifest() (model.Manifest, error) {
	m := model.Manifest{Items: b.Items}
	if m.Items == nil {
		for _, name := range []string{"settings", "roles", "channels", "threads", "emojis", "stickers", "sounds", "automod", "welcome", "onboarding",
			"events", "webhooks", "bans", "members", "pins", "messages", "attachments"} {
			m.Items = append(m.Items, model.Item{Name: name, Kept: true})
		}
	}
	if b.Lacks {
		m.Miss("icon", "", "it could not be read")
	}
	return m, nil
}
func (b *stored) Channels() []model.ID { return b.Order }
func (b *stored) Close() error         { return nil }

func (b *stored) Messages(channel model.ID) iter.Seq2[model.Message, error] {
	return func(yield func(model.Message, error) bool) {
		for _, m := range b.Said[channel] {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (b *stored) File(key model.FileKey) (io.ReadCloser, int64, error) {
	data, ok := b.Files[key]
	if !ok {
		return nil, 0, errors.New("there is no such file")
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

// rig is a guild in the sandbox that is to become what a backup says.
type rig struct {
	*sandbox.Discord
	t     *testing.T
	kill  *killer
	tools Tools
	files map[string][]byte
	app   sandbox.Application
	owner sandbox.ID
	users []sandbox.ID
	guild sandbox.ID
	role  sandbox.ID // the bot's
	start time.Time  // of the event
	url   string
}

func newRig(t *testing.T, rights sandbox.Permissions) *rig {
	t.Helper()
	free := sandbox.Limit{Requests: -1}
	x := &rig{
		Discord: sandbox.New(sandbox.Config{Limits: sandbox.Limits{
			MemberPatch: free, MemberGet: free, MemberList: free, GuildGet: free, Self: free, RoleCreate: free, ChannelRename: free,
			Other: free, Global: 1_000_000, Invalid: sandbox.Limit{Requests: 1_000_000, Window: time.Second},
		}}),
		t: t, kill: &killer{at: -1}, files: map[string][]byte{}, start: time.Now().Add(72 * time.Hour).UTC().Truncate(time.Second),
	}
	x.app = must(x.AddApplication(sandbox.ApplicationSpec{Name: "guard", MembersIntent: true, MessageContentIntent: true}))(t)
	x.owner = must(x.AddUser("Olga"))(t)
	for _, name := range []string{"Ana", "Bo", "Cat", "Dan"} {
		x.users = append(x.users, must(x.AddUser(name))(t))
	}
	x.guild = must(x.AddGuild("Wreck", x.owner))(t)
	var early []sandbox.ID // roles that there were when the bot came, and are gone: its own one stands high
	for range 20 {
		early = append(early, must(x.AddRole(x.guild, "early", 0))(t))
	}
	x.role = must(x.AddRole(x.guild, "guard", rights))(t)
	for _, id := range early {
		x.ok(x.As(x.owner).DeleteRole(x.guild, id))
	}
	for _, u := range x.users[:2] {
		x.ok(x.AddMember(x.guild, u))
	}
	x.ok(x.AddMember(x.guild, x.app.ID, x.role))
	x.ok(x.SetBoosts(x.guild, 2))
	srv := httptest.NewServer(x.kill.wrap(x.Discord))
	t.Cleanup(srv.Close)
	x.url = srv.URL
	c := must(discord.NewClient(srv.URL + "/api/v10"))(t) // the sandbox of most tests has no limits
	t.Cleanup(c.Close)
	bot := c.Bot(secret.New(x.app.Token))
	x.tools = Tools{
		Bot: bot, Settle: time.Millisecond,
		Keep: func(ctx context.Context, r work.Run, prefix string) (string, model.Snapshot, error) {
			s, err := readGuild(ctx, bot, x.guild.String())
			if err != nil {
				return "", s, err
			}
			data, err := json.Marshal(stored{Structure: s})
			if err == nil {
				_, err = r.Put(ctx, prefix+".backup", bytes.NewReader(data))
			}
			return prefix + ".backup", s, err
		},
		Decode: func(_ work.Run, from io.Reader) (Backup, error) {
			b := &stored{}
			return b, json.NewDecoder(from).Decode(b)
		},
		FileOf: func(context.Context, work.Run, string) (string, error) { return "a.backup", nil },
	}
	return x
}

func (x *rig) ok(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
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

func (x *rig) newRun(kind bus.JobKind, id string) *jobRun {
	return &jobRun{
		t: x.t, notes: map[string][]byte{}, files: x.files, kill: x.kill,
		job: work.Job{ID: id, Kind: kind, Guild: bus.GuildID(x.guild), Attempt: 1, SubmittedAt: time.Now()},
	}
}

// planned makes the plan for a backup and gives its hash.
func (x *rig) planned(b *stored, args bus.PlanArgs) (bus.PlanDone, plan.Plan) {
	x.t.Helper()
	data := must(json.Marshal(b))(x.t)
	x.files["backupjob/a.backup"] = data
	args.Source = bus.BackupSource{Job: "backupjob"}
	if args.Mode == "" {
		args.Mode = bus.RestoreExact
	}
	r := x.newRun(bus.JobRestorePlan, "planjob")
	w := &Planner{Tools: x.tools, Args: args}
	x.ok(w.Check())
	x.ok(w.Run(x.t.Context(), r))
	p, err := plan.Read(bytes.NewReader(x.files["planjob/"+PlanName]))
	x.ok(err)
	return r.out.(bus.PlanDone), p
}

// attempt runs a restore once; at is the boundary at which the process dies.
func (x *rig) attempt(r *jobRun, hash string, at int) error {
	ctx, cancel := context.WithCancel(x.t.Context())
	defer cancel()
	x.kill.mu.Lock()
	x.kill.at, x.kill.passed, x.kill.dead, x.kill.cancel = at, 0, false, cancel
	x.kill.mu.Unlock()
	r.job.Attempt++
	tools, silence := x.ofItsOwn(at)
	w := &Restorer{Tools: tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: hash}}
	x.ok(w.Check())
	err := w.Run(ctx, r)
	silence()
	x.kill.mu.Lock()
	x.kill.dead, x.kill.at = false, -1
	x.kill.mu.Unlock()
	return err
}

// ofItsOwn gives an attempt that is to be killed connections of its own. What it has sent is over or lost when silence returns,
// as it is long before another worker takes over.
func (x *rig) ofItsOwn(at int) (tools Tools, silence func()) {
	if at < 0 {
		return x.tools, func() {}
	}
	srv := httptest.NewServer(x.kill.wrap(x.Discord))
	c := must(discord.NewClient(srv.URL + "/api/v10"))(x.t)
	tools = x.tools
	tools.Bot = c.Bot(secret.New(x.app.Token))
	return tools, func() { c.Close(); srv.Close() }
}

const restoreJob = "01JRESTORE0000000000000001"

// restored plans and restores, and gives the outcome.
func (x *rig) restored(b *stored, args bus.PlanArgs) (bus.RestoreDone, *jobRun) {
	x.t.Helper()
	done, _ := x.planned(b, args)
	r := x.newRun(bus.JobBackupRestore, restoreJob)
	x.ok(x.attempt(r, done.Hash, -1))
	return r.out.(bus.RestoreDone), r
}

// readGuild reads what a plan compares.
func readGuild(ctx context.Context, b *discord.Bot, guild string) (model.Snapshot, error) {
	var s model.Snapshot
	var g struct {
		model.Guild
		ID      model.ID        `json:"id"`
		Owner   model.ID        `json:"owner_id"`
		Tier    int             `json:"premium_tier"`
		Roles   []model.Role    `json:"roles"`
		Emojis  []model.Emoji   `json:"emojis"`
		Sticker []model.Sticker `json:"stickers"`
		Name    string          `json:"name"`
	}
	var bans []struct {
		Reason *string               `json:"reason"`
		User   struct{ ID model.ID } `json:"user"`
	}
	var members []struct {
		Nick  *string               `json:"nick"`
		Roles []model.ID            `json:"roles"`
		User  struct{ ID model.ID } `json:"user"`
	}
	var threads struct{ Threads []model.Thread }
	var events []struct {
		model.Event
		Meta *struct{ Location string } `json:"entity_metadata"`
	}
	var onboarding model.Onboarding
	var welcome model.WelcomeScreen
	allowed := func(err error) error { // what the bot may not read is not in it
		if discord.HasCode(err, discord.CodeMissingPermissions, discord.CodeMissingAccess) {
			return nil
		}
		return err
	}
	err := errors.Join(
		b.ReadGuild(ctx, guild, &g), b.ReadChannels(ctx, guild, &s.Channels), allowed(b.ReadSounds(ctx, guild, &s.Sounds)),
		allowed(b.ReadAutoMod(ctx, guild, &s.AutoMod)), allowed(b.ReadEvents(ctx, guild, &events)), allowed(b.ReadWebhooks(ctx, guild, &s.Webhooks)),
		allowed(b.ReadBans(ctx, guild, "", 1000, &bans)), b.ReadMembers(ctx, guild, "", 1000, &members),
		b.ReadActiveThreads(ctx, guild, &threads), allowed(b.ReadOnboarding(ctx, guild, &onboarding)),
	)
	if err != nil {
		return s, err
	}
	if err := b.ReadWelcome(ctx, guild, &welcome); err == nil {
		welcome.Enabled = g.Has("WELCOME_SCREEN_ENABLED")
		s.Welcome = &welcome
	}
	s.About = model.About{GuildID: g.ID, OwnerID: g.Owner, BoostLevel: g.Tier}
	s.Guild, s.Roles, s.Emojis, s.Stickers, s.Threads, s.Onboarding = g.Guild, g.Roles, g.Emojis, g.Sticker, threads.Threads, &onboarding
	s.Guild.Name = g.Name
	for _, c := range s.Channels {
		var old struct{ Threads []model.Thread }
		if c.Type == model.TypeText || c.Type == model.TypeForum {
			if err := allowed(b.ReadArchivedThreads(ctx, string(c.ID), discord.ArchivePublic, "", &old)); err != nil {
				return s, err
			}
		}
		s.Threads = append(s.Threads, old.Threads...)
	}
	for _, e := range bans {
		s.Bans = append(s.Bans, model.Ban{User: e.User.ID, Reason: e.Reason})
	}
	for _, m := range members {
		s.Members = append(s.Members, model.Member{User: m.User.ID, Nick: m.Nick, Roles: m.Roles})
	}
	for _, e := range events {
		if e.Meta != nil {
			e.Event.Location = e.Meta.Location
		}
		s.Events = append(s.Events, e.Event)
	}
	return s, nil
}

func idOf(id sandbox.ID) model.ID { return model.ID(strconv.FormatUint(uint64(id), 10)) }
