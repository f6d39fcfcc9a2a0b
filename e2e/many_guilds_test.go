package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// TestManyGuildsAtOnce lets 100 guilds ask for a backup at the same time, each with a name and options of its own, of four
// workers. Every guild gets what it asked for and nothing of another, has one job, and can end it at any call.
func TestManyGuildsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 100)
	c.together(c.asks)
	close(c.door.open)
	c.together(c.gets)
	workers := map[string]int{}
	var slowest time.Duration
	for _, g := range c.guilds {
		if g.cancelled() {
			slowest = max(slowest, g.job.Finished.Sub(g.stopped))
			continue
		}
		workers[g.job.Worker]++
		c.wanted(g)
	}
	if len(workers) != 4 {
		t.Errorf("the jobs were done by %v, want four workers", workers)
	}
	t.Logf("jobs by worker: %v; ends that were asked for came within %v", workers, slowest.Round(time.Millisecond))
}

// crowd is many guilds that share a bot.
type crowd struct {
	t      *testing.T
	d      *sandbox.Discord
	door   *turnstile
	jobs   *bus.Jobs
	guilds []*customer
}

// customer is one guild of a crowd.
type customer struct {
	sandbox.Generated
	n        int
	title    string
	args     bus.BackupArgs
	password string
	places   []sandbox.ID
	job      bus.Job
	stopped  time.Time // when its end was asked for
}

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	c := &crowd{t: t, door: &turnstile{open: make(chan struct{}), of: map[string]int{}, calls: map[int]int{}, held: map[int]chan struct{}{}}}
	var url string
	c.d, url = behind(t, c.door, &c.door.next, sandbox.Config{Limits: boundless()})
	app := must(c.d.AddApplication(sandbox.ApplicationSpec{Name: "splashtail", MembersIntent: true, MessageContentIntent: true}))(t)
	for i := range n {
		c.guilds = append(c.guilds, c.enters(i, app.ID))
	}
	s := onFreePorts(t).with(settings{"DISCORD_API_URL": url + "/api/v10", "DISCORD_CDN_URL": url, "DISCORD_BOT_TOKEN": app.Token,
		"SEAL_KEY": strings.Repeat("07", 32)})
	start(t, "nats", s)
	for range 4 {
		start(t, "jobs", s.with(settings{"NATS_URL": s.nats(), "OPS_ADDR": freeAddr(t)}))
	}
	c.jobs = openJobs(t, s.nats())
	return c
}

// enters makes the guild of a number, which decides all that is in it and what it asks for.
func (c *crowd) enters(n int, bot sandbox.ID) *customer {
	c.t.Helper()
	g := &customer{n: n, title: fmt.Sprint("Guild ", n)}
	g.Generated = must(c.d.Generate(sandbox.GuildSpec{Seed: uint64(n + 1), Name: g.title, Bot: bot, Roles: 3 + n%5, Channels: 4 + n%7,
		Members: 2 + n%3, Messages: 10 + n%11, Emojis: n % 4}))(c.t)
	g.args = bus.BackupArgs{Name: fmt.Sprint("backup of guild ", n), Members: n%3 == 0, Attachments: n%4 == 0}
	if n%2 == 0 {
		g.args.Messages = 100
	}
	if n%5 == 0 {
		g.args.Leave = []string{bus.PartExpressions}
	}
	if n%20 == 0 {
		g.password = fmt.Sprint("the password of guild ", n)
	}
	var channels []struct {
		ID sandbox.ID `json:"id"`
	}
	path := "/guilds/" + g.Guild.String()
	noError(c.t, json.Unmarshal(must(c.d.As(g.Owner).Do("GET", path+"/channels", nil))(c.t), &channels))
	c.door.of[path] = n
	for _, ch := range channels {
		g.places = append(g.places, ch.ID)
		c.door.of["/channels/"+ch.ID.String()] = n
	}
	if g.cancelled() {
		c.door.held[n] = make(chan struct{})
	}
	return g
}

// cancelled says whether a guild will not want its backup after all.
func (g *customer) cancelled() bool { return g.n%10 == 3 }

// together does something for all guilds at once.
func (c *crowd) together(do func(*customer) error) {
	c.t.Helper()
	var all sync.WaitGroup
	for _, g := range c.guilds {
		all.Go(func() {
			if err := do(g); err != nil {
				c.t.Errorf("%s: %v", g.title, err)
			}
		})
	}
	all.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// asks submits a job, and another one that must be refused with the first one's id.
func (c *crowd) asks(g *customer) error {
	args, err := json.Marshal(g.args)
	if err != nil {
		return err
	}
	s := bus.JobSubmit{Kind: bus.JobBackupCreate, Guild: bus.GuildID(g.Guild), By: bus.UserID(g.Owner), Args: args}
	if g.password != "" {
		s.Secrets = bus.JobSecrets{"password": g.password}
	}
	if g.job, err = c.jobs.Submit(c.t.Context(), s); err != nil {
		return err
	}
	_, err = c.jobs.Submit(c.t.Context(), s)
	if !bus.IsCode(err, bus.CodeConflict) || bus.AsError(err).Details["job"] != g.job.ID {
		return fmt.Errorf("a second job is answered with %v, want a conflict with %s", err, g.job.ID)
	}
	return nil
}

// gets waits for the end of the job, or brings it about in the middle of a call.
func (c *crowd) gets(g *customer) error {
	want, told := bus.JobCompleted, 0
	if g.cancelled() {
		want = bus.JobCancelled
		select {
		case <-c.door.held[g.n]:
		case <-time.After(2 * patience):
			return errors.New("its job makes no calls")
		}
		if _, err := c.jobs.Cancel(c.t.Context(), bus.JobRequest{Actor: "test", Target: g.job.ID, Guild: g.job.Guild}); err != nil {
			return err
		}
		g.stopped, told = time.Now(), c.door.count(g.n)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*patience)
	defer cancel()
	if err := awaitEnd(ctx, c.jobs, g.job); err != nil {
		return fmt.Errorf("its job does not end: %w", err)
	}
	var err error
	if g.job, err = c.jobs.Get(c.t.Context(), g.job.Guild, g.job.ID); err != nil {
		return err
	}
	if g.job.State != want {
		return fmt.Errorf("its job is %s, want %s: %+v", g.job.State, want, g.job.Error)
	}
	if more := c.door.count(g.n) - told; g.cancelled() && more > 1 {
		return fmt.Errorf("%d calls were made after the job was cancelled", more)
	}
	return nil
}

// wanted compares a backup with its guild, and with what the guild asked for.
func (c *crowd) wanted(g *customer) {
	t := c.t
	t.Helper()
	if all := must(c.jobs.List(t.Context(), bus.JobQuery{Guild: g.job.Guild}))(t); len(all.Jobs) != 1 || all.Jobs[0].ID != g.job.ID {
		t.Errorf("%s has the jobs %+v", g.title, all.Jobs)
	}
	for _, f := range g.job.Files {
		if !strings.HasPrefix(f.Key, g.job.Guild.String()+"/"+g.job.ID+"/") {
			t.Errorf("%s has the file %s", g.title, f.Key)
		}
	}
	name := bus.ArchiveOf(g.job)
	next := c.guilds[(g.n+1)%len(c.guilds)]
	if _, _, err := c.jobs.OpenFile(t.Context(), bus.GuildID(next.Guild), g.job.ID, name); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("%s may read a file of %s: %v", next.title, g.title, err)
	}
	from, _, err := c.jobs.OpenFile(t.Context(), g.job.Guild, g.job.ID, name)
	noError(t, err)
	defer from.Close()
	r, err := archive.Verify(from, archive.Options{Password: secret.New(g.password)})
	if err != nil {
		t.Fatalf("the backup of %s: %v", g.title, err)
	}
	c.same(g, r)
}

// same compares an archive with the guild, by what differs from guild to guild.
func (c *crowd) same(g *customer, r archive.Report) {
	t := c.t
	t.Helper()
	guild, _ := c.d.Snapshot(g.Guild)
	m := r.Manifest
	if string(m.Guild) != g.Guild.String() || m.Title != g.title || r.Snapshot.Guild.Name != g.title || m.Name != g.args.Name || string(m.TakenBy) != g.Owner.String() {
		t.Errorf("the backup of %s says %s, %q, %q, %q, by %s", g.title, m.Guild, m.Title, r.Snapshot.Guild.Name, m.Name, m.TakenBy)
	}
	if done := outcome[bus.BackupDone](t, g.job); done.Name != g.args.Name || done.Encrypted != (g.password != "") || !maps.Equal(done.Counts, m.Counts) {
		t.Errorf("the job of %s tells of %+v, its backup of %v", g.title, done, m.Counts)
	}
	want := map[string]int{"roles": len(guild.Roles), "channels": len(g.places), "messages": 0, "members": 0, "emojis": len(guild.Emojis)}
	if g.args.Messages > 0 {
		want["messages"] = g.Messages
	}
	if g.args.Members {
		for id, roles := range guild.Members {
			if len(roles) > 0 || guild.Nicks[id] != "" { // there is nothing to keep of others
				want["members"]++
			}
		}
	}
	if len(g.args.Leave) > 0 {
		want["emojis"] = 0
	}
	for what, n := range want {
		if m.Counts[what] != n || r.Counts[what] != n {
			t.Errorf("the backup of %s has %d %s, and counts %d, want %d", g.title, r.Counts[what], what, m.Counts[what], n)
		}
	}
	var roles, ids []string
	for _, role := range r.Snapshot.Roles {
		roles = append(roles, role.Name)
	}
	for _, role := range guild.Roles {
		ids = append(ids, role.Name)
	}
	if !sameNames(roles, ids) {
		t.Errorf("the backup of %s has the roles %q, want %q", g.title, roles, ids)
	}
	for _, ch := range r.Snapshot.Channels {
		if !slices.ContainsFunc(g.places, func(id sandbox.ID) bool { return id.String() == string(ch.ID) }) {
			t.Errorf("the backup of %s has the channel %s of another guild", g.title, ch.ID)
		}
	}
	for _, id := range g.places {
		if n := r.Messages[model.ID(id.String())]; g.args.Messages > 0 && n != len(c.d.Messages(id)) {
			t.Errorf("the backup of %s has %d messages of a channel with %d", g.title, n, len(c.d.Messages(id)))
		}
	}
}

func sameNames(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// turnstile stands before Discord: it is shut at first, and counts the calls for each guild.
type turnstile struct {
	next http.Handler
	open chan struct{}  // closed when calls may pass
	of   map[string]int // the guild of a path

	mu    sync.Mutex
	calls map[int]int           // of each guild
	held  map[int]chan struct{} // of guilds whose calls stop after a few: closed when one has
}

// passing is how many calls of a guild pass before the others are held.
const passing = 4

func (s *turnstile) count(guild int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[guild]
}

// ServeHTTP passes a call on, or keeps it until its caller gives up.
func (s *turnstile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/api/v10"), "/", 4)
	guild, known := s.of[strings.Join(parts[:min(3, len(parts))], "/")]
	if known {
		<-s.open
		if s.holds(guild) {
			<-r.Context().Done()
			return
		}
	}
	s.next.ServeHTTP(w, r)
}

func (s *turnstile) holds(guild int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[guild]++
	stop := s.held[guild]
	if stop == nil || s.calls[guild] <= passing {
		return false
	}
	if s.calls[guild] == passing+1 {
		close(stop)
	}
	return true
}
