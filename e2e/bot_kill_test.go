package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// TestBotIsKilledUnderLoad kills the bot 20 times with -9 while moderators act, people join and others use commands in two
// guilds. Every act is counted once and in order, every limit is met once and by exactly the act that completes it, and who
// asked in time is answered.
func TestBotIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	s := newBotSite(t)
	p := s.startBot()
	s.sync()
	s.traffic(time.Second / 20)
	for cycle := range 20 {
		switch cycle % 2 {
		case 0: // in the middle of its work
			s.awaitActions(s.lastAction() + 1 + rand.Uint64N(60))
		case 1: // before it has the right to the shard again, or just then
			s.awaitAnswers(s.answers() + 1 + rand.N(4))
		}
		p.kill()
		s.downs = append(s.downs, span{from: time.Now()})
		p = s.startBot()
		s.downs[len(s.downs)-1].to = time.Now()
	}
	s.awaitActions(s.lastAction() + 1)
	s.stop()
	s.settle()
	p.stop()
	p.keepsQuietAbout(s.app.Token)
}

// span is a time in which the bot was not there.
type span struct{ from, to time.Time }

// botSite is a Discord with two guilds, a bus and a gateway that live on, and a bot that does not.
type botSite struct {
	t       *testing.T
	d       *sandbox.Discord
	app     sandbox.Application
	s       settings
	b       *bus.Bus
	guilds  []*busyGuild
	downs   []span
	stop    func()
	started time.Time
}

// busyGuild is a guild in which much is going on.
type busyGuild struct {
	id, text, owner sandbox.ID
	mods            []sandbox.ID
	roles           []sandbox.ID // one per moderator, whose name they change
	joined          []sandbox.ID
	asked           []*askedFor
}

type askedFor struct {
	at time.Time
	i  *sandbox.Interaction
}

func newBotSite(t *testing.T) *botSite {
	t.Helper()
	d, _, discord := startDiscord(t, sandbox.Config{Gateway: sandbox.GatewaySettings{IdentifyEvery: -1}})
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "splashtail", MembersIntent: true, MessageContentIntent: true}))(t)
	site := &botSite{t: t, d: d, app: app, started: time.Now()}
	for i := range 2 {
		site.guilds = append(site.guilds, site.newGuild(fmt.Sprint("guild-", i)))
	}
	site.s = onFreePorts(t).with(discord).with(settings{"DISCORD_BOT_TOKEN": app.Token})
	start(t, "nats", site.s)
	apart := site.s.with(settings{"NATS_URL": site.s.nats()})
	start(t, "gatewayproxy", apart.with(settings{"OPS_ADDR": freeAddr(t)}))
	site.s = apart.with(settings{"OPS_ADDR": freeAddr(t)})
	site.b = must(bus.Open(t.Context(), bus.Config{URL: site.s["NATS_URL"]}, slog.New(slog.DiscardHandler)))(t)
	t.Cleanup(func() { noError(t, site.b.Close(context.WithoutCancel(t.Context()))) })
	site.setLimits()
	return site
}

func (s *botSite) newGuild(name string) *busyGuild {
	t, d := s.t, s.d
	g := &busyGuild{owner: must(d.AddUser("owner of " + name))(t)}
	g.id = must(d.AddGuild(name, g.owner))(t)
	g.text = must(d.AddChannel(g.id, "general", sandbox.TextChannel))(t)
	for i := range 2 {
		g.roles = append(g.roles, must(d.AddRole(g.id, fmt.Sprint("toy-", i), 0))(t))
	}
	mods := must(d.AddRole(g.id, "moderators", sandbox.ManageRoles))(t)
	bot := must(d.AddRole(g.id, "splashtail", sandbox.AllPermissions&^sandbox.Administrator))(t)
	noError(t, d.AddMember(g.id, s.app.ID, bot))
	for i := range g.roles {
		mod := must(d.AddUser(fmt.Sprint(name, " mod ", i)))(t)
		noError(t, d.AddMember(g.id, mod, mods))
		g.mods = append(g.mods, mod)
	}
	return g
}

// The limits are on changes of roles within a day: the n-th of each moderator completes the limit n.
var limitCounts = []int{1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610}

func (s *botSite) setLimits() {
	rules := must(bus.OpenRecords(s.t.Context(), s.b, bus.LimitRules()))(s.t)
	for _, g := range s.guilds {
		for _, n := range limitCounts {
			r := bus.LimitRule{V: 1, ID: fmt.Sprint("at-", n), Name: fmt.Sprint("at ", n), Kind: bus.ActionRoleUpdate, Count: n, Window: 24 * 3600, Respond: bus.RespondAlert}
			must(rules.Put(s.t.Context(), bus.LimitKey(bus.GuildID(g.id), r.ID), r))(s.t)
		}
	}
}

func (s *botSite) startBot() *program { return start(s.t, "bot", s.s) }

// sync registers the commands of the first guild by the command line.
func (s *botSite) sync() {
	s.t.Helper()
	for _, g := range s.guilds {
		cmd := exec.Command(splashtail, "commands", "sync", "--guild", g.id.String())
		cmd.Dir = s.t.TempDir()
		for name, value := range s.s {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "/ping") {
			s.t.Fatalf("the commands were not registered: %v\n%s", err, out)
		}
	}
}

// traffic begins what goes on in the guilds; stop ends it.
func (s *botSite) traffic(every time.Duration) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	again := func(every time.Duration, act func(n int)) {
		running.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					act(n)
				}
			}
		})
	}
	for _, g := range s.guilds {
		for i, mod := range g.mods {
			again(every, func(n int) {
				noErrorf(s.t, s.d.As(mod).EditRole(g.id, g.roles[i], sandbox.Fields{"name": fmt.Sprint("toy-", i, "-", n)}))
			})
		}
		again(4*every, func(n int) {
			user, err := s.d.AddUser(fmt.Sprint("newcomer ", n))
			noErrorf(s.t, err)
			noErrorf(s.t, s.d.AddMember(g.id, user))
			g.joined = append(g.joined, user)
		})
		again(3*every, func(n int) {
			command := []string{"ping", "help"}[n%2]
			i, err := s.d.Interact(sandbox.InteractionSpec{App: s.app.ID, Guild: g.id, Channel: g.text, User: g.owner, Command: command})
			noErrorf(s.t, err)
			if err == nil {
				g.asked = append(g.asked, &askedFor{time.Now(), i})
			}
		})
	}
	s.stop = func() { cancel(); running.Wait() }
}

func noErrorf(t testing.TB, err error) {
	if err != nil {
		t.Error(err)
	}
}

func (s *botSite) lastAction() uint64 {
	return must(bus.InfoOf(s.t.Context(), s.b, bus.AllActions()))(s.t).Last
}

// awaitActions waits until so many actions are stored.
func (s *botSite) awaitActions(n uint64) {
	s.t.Helper()
	if s.lastAction() >= n {
		return
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	enough := fmt.Errorf("enough")
	err := bus.Follow(ctx, s.b, bus.Follower{Batch: 1}, bus.AllActions(), n, func(context.Context, []bus.Delivery[bus.Action]) error { return enough })
	if err != enough {
		s.t.Fatalf("action %d has not come: %v; there are %d", n, err, s.lastAction())
	}
}

// answers counts what Discord took as answers to interactions.
func (s *botSite) answers() (n int) {
	for _, r := range s.d.Requests(0, 0) {
		if strings.HasSuffix(r.Path, "/callback") {
			n++
		}
	}
	return n
}

func (s *botSite) awaitAnswers(n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.d.Await(ctx, func() bool { return s.answers() >= n }); err != nil {
		s.t.Fatalf("answer %d has not come: %v", n, err)
	}
}

// settle compares what was done with what the bot made of it.
func (s *botSite) settle() {
	s.t.Helper()
	done := map[bus.GuildID][]bus.Action{}
	total := uint64(0)
	for _, g := range s.guilds {
		for _, e := range s.d.AuditLog(g.id) {
			if e.Action == 31 {
				done[bus.GuildID(g.id)] = append(done[bus.GuildID(g.id)], bus.Action{ID: uint64(e.ID), Actor: bus.UserID(e.Actor)})
			}
		}
		slices.SortFunc(done[bus.GuildID(g.id)], func(a, b bus.Action) int { return int(int64(a.ID) - int64(b.ID)) })
		total += uint64(len(done[bus.GuildID(g.id)]) + len(g.joined) + len(g.mods))
	}
	s.t.Logf("%d acts and joins over %v, the bot away %d times", total, time.Since(s.started).Round(time.Second), len(s.downs))
	s.awaitSettled(done)
	for _, g := range s.guilds {
		s.countedOnce(g, done[bus.GuildID(g.id)])
		s.metOnce(g, done[bus.GuildID(g.id)])
		s.answered(g)
	}
}

// awaitSettled waits until the newest act and the newest join of each guild are stored.
func (s *botSite) awaitSettled(done map[bus.GuildID][]bus.Action) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	last := map[string]bool{}
	for _, g := range s.guilds {
		all := done[bus.GuildID(g.id)]
		last[fmt.Sprint(all[len(all)-1].ID)], last[fmt.Sprint("join of ", g.joined[len(g.joined)-1])] = true, true
	}
	enough := fmt.Errorf("enough")
	err := bus.Follow(ctx, s.b, bus.Follower{}, bus.AllActions(), 1, func(_ context.Context, some []bus.Delivery[bus.Action]) error {
		for _, a := range some {
			delete(last, fmt.Sprint(a.Value.ID))
			if a.Value.Kind == bus.ActionMemberJoin {
				delete(last, fmt.Sprint("join of ", a.Value.Actor))
			}
		}
		if len(last) == 0 {
			return enough
		}
		return nil
	})
	if err != enough {
		s.t.Fatalf("the newest acts were not counted: %v, %v", last, err)
	}
}

func readStored[T any](s *botSite, f bus.Filter[T]) (all []T) {
	s.t.Helper()
	for from, more := uint64(1), true; more; {
		var page []bus.Delivery[T]
		var err error
		page, more, err = bus.ReadPage(s.t.Context(), s.b, f, from, 1000)
		noError(s.t, err)
		for _, d := range page {
			all, from = append(all, d.Value), d.Seq+1
		}
	}
	return all
}

// countedOnce wants every change of a role once and in the order of Discord, and every join once.
func (s *botSite) countedOnce(g *busyGuild, done []bus.Action) {
	s.t.Helper()
	var changes []uint64
	joins := map[bus.UserID]int{}
	for _, a := range readStored(s, bus.ActionsIn(bus.GuildID(g.id))) {
		switch a.Kind {
		case bus.ActionRoleUpdate:
			changes = append(changes, a.ID)
		case bus.ActionMemberJoin:
			joins[a.Actor]++
		}
	}
	want := make([]uint64, len(done))
	for i, a := range done {
		want[i] = a.ID
	}
	if !slices.Equal(changes, want) {
		slices.Sort(changes)
		s.t.Errorf("%d changes are stored, %d of them different, want %d in order", len(changes), len(slices.Compact(changes)), len(want))
	}
	for _, user := range g.joined {
		if n := joins[bus.UserID(user)]; n != 1 {
			s.t.Errorf("the join of %s is stored %d times", user, n)
		}
	}
}

// metOnce wants every limit met once by each moderator, by the act whose number it has.
func (s *botSite) metOnce(g *busyGuild, done []bus.Action) {
	s.t.Helper()
	acts, want := map[bus.UserID]int{}, map[string]int{}
	for _, a := range done {
		acts[a.Actor]++
		if slices.Contains(limitCounts, acts[a.Actor]) {
			want[fmt.Sprint("at-", acts[a.Actor], " ", a.Actor, " ", a.ID)] = 1
		}
	}
	got := map[string]int{}
	for _, h := range readStored(s, bus.LimitHitsIn(bus.GuildID(g.id))) {
		got[fmt.Sprint(h.Limit, " ", h.Actor, " ", h.Causes[len(h.Causes)-1])]++
		if h.Result != "ok" {
			s.t.Errorf("a hit ended with %q", h.Result)
		}
	}
	if a, b := must(json.Marshal(got))(s.t), must(json.Marshal(want))(s.t); string(a) != string(b) {
		s.t.Errorf("limits were met: %s\nwant: %s", a, b)
	}
}

// inTime is how long before the end of Discord's 3 s the bot must have been there for an answer to be expected.
const inTime = 1500 * time.Millisecond

// answered wants an answer to everything that was asked while the bot was there in time, and nobody left looking at
// "thinking".
func (s *botSite) answered(g *busyGuild) {
	s.t.Helper()
	lost, late := 0, 0
	for _, q := range g.asked {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		state, err := q.i.Await(ctx, func(st sandbox.InteractionState) bool { return st.Expired || st.Answered && !st.Thinking })
		cancel()
		switch {
		case err != nil:
			s.t.Errorf("an interaction is left unfinished: %+v", state)
		case state.Answered:
		case s.there(q.at.Add(3*time.Second - inTime)):
			lost++
			s.t.Logf("asked at %v and not answered", q.at.Sub(s.started))
		default:
			late++
		}
	}
	s.t.Logf("%d interactions, %d of them while the bot was away for too long", len(g.asked), late)
	// A machine that is busy with other tests can take longer than Discord waits; a fault of ours loses many.
	if lost > len(g.asked)/50 {
		s.t.Errorf("%d interactions were not answered although the bot was there in time", lost)
	}
}

// there says whether the bot was up at an instant.
func (s *botSite) there(at time.Time) bool {
	return !slices.ContainsFunc(s.downs, func(d span) bool { return at.After(d.from) && at.Before(d.to) })
}
