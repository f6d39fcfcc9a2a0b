package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// takeover is the longest that a job may lie after a kill -9 of its worker.
const takeover = 15 * time.Second

// killsPerGuild is how many kills a soak gives one guild: a job may lose its worker 20 times.
const killsPerGuild = 20

// TestWorkersAreKilledInBackupAndRestore kills the worker with -9 in the middle of calls, before Discord hears of them and
// after it has done them. The guild ends as one whose jobs nobody disturbed. SPLASHTAIL_SOAK is how many kills there are.
func TestWorkersAreKilledInBackupAndRestore(t *testing.T) {
	t.Parallel()
	guilds, kills := 2, 3
	if n, err := strconv.Atoi(os.Getenv("SPLASHTAIL_SOAK")); err == nil && n > 0 {
		guilds, kills = (n+killsPerGuild-1)/killsPerGuild, killsPerGuild
	}
	for i := range guilds {
		t.Run(fmt.Sprint("guild ", i), func(t *testing.T) {
			t.Parallel()
			o := newOrdeal(t, i)
			start(t, "nats", o.s)
			apart := o.s.with(settings{"NATS_URL": o.s.nats()})
			o.strikes("jobs", apart.with(settings{"OPS_ADDR": freeAddr(t)}), true)
			o.run(1+kills/killsPerGuild, kills) // a backup is short: in a soak it takes two
		})
	}
}

// TestBusIsKilledUnderJobs kills the bus beside a worker that lives on.
func TestBusIsKilledUnderJobs(t *testing.T) {
	t.Parallel()
	o := newOrdeal(t, 1)
	o.strikes("nats", o.s, false)
	start(t, "jobs", o.s.with(settings{"NATS_URL": o.s.nats(), "OPS_ADDR": freeAddr(t)}))
	o.run(1, 3)
}

// TestEverythingIsKilledUnderJobs kills the one process that is bus, gateway, bot and worker at once.
func TestEverythingIsKilledUnderJobs(t *testing.T) {
	t.Parallel()
	o := newOrdeal(t, 3)
	o.strikes("up", o.s, true)
	o.run(1, 3)
}

// ordeal is two guilds of one seed, equal but for their ids: jobs of one are left alone, those of the other are hit.
type ordeal struct {
	t      *testing.T
	turn   int // shifts the calls that are hit, and whether Discord has heard of them
	gate   *gate
	d      *sandbox.Discord
	guilds [2]sandbox.Generated
	s      settings
	jobs   *bus.Jobs

	victim *program
	revive func() *program
	calls  bool // whether it is the victim that calls Discord
}

func newOrdeal(t *testing.T, turn int) *ordeal {
	t.Helper()
	o := &ordeal{t: t, turn: turn, gate: &gate{}}
	var url string
	o.d, url = behind(t, o.gate, &o.gate.next, sandbox.Config{Limits: boundless(), Gateway: sandbox.GatewaySettings{IdentifyEvery: -1}})
	app := must(o.d.AddApplication(sandbox.ApplicationSpec{Name: "splashtail", MembersIntent: true, MessageContentIntent: true}))(t)
	for i := range o.guilds {
		spec := sandbox.SmallGuild(1)
		spec.Bot = app.ID
		o.guilds[i] = must(o.d.Generate(spec))(t)
	}
	o.s = onFreePorts(t).with(settings{"DISCORD_API_URL": url + "/api/v10", "DISCORD_CDN_URL": url, "DISCORD_BOT_TOKEN": app.Token})
	return o
}

// boundless are limits that nobody meets: how they are kept is the matter of other tests.
func boundless() sandbox.Limits {
	free := sandbox.Limit{Requests: -1}
	return sandbox.Limits{MemberPatch: free, MemberGet: free, MemberList: free, GuildGet: free, Self: free, RoleCreate: free,
		ChannelRename: free, Other: free, Global: 1_000_000}
}

// strikes starts what is to be killed.
func (o *ordeal) strikes(command string, s settings, calls bool) {
	o.revive = func() *program { return start(o.t, command, s) }
	o.victim, o.calls = o.revive(), calls
}

// run takes both guilds from backup through damage to restore, and compares them. Of the kills, inBackup come while the
// backup is made.
func (o *ordeal) run(inBackup, kills int) {
	o.t.Helper()
	o.jobs = openJobs(o.t, o.s.nats())
	var restored [2]bus.RestoreDone
	var whole, writes int
	for i, g := range o.guilds {
		hits, backupHits := 0, 0
		if i == 1 {
			hits, backupHits = kills-inBackup, inBackup
		}
		before := o.snapshot(g)
		calls, _ := o.gate.counted()
		backup := o.endures(g, bus.JobBackupCreate, bus.BackupArgs{Name: "Sunday", Members: true, Messages: 1000, Attachments: true}, blows{backupHits, whole, anyCall})
		whole, _ = o.gate.counted()
		whole -= calls
		wreck := sandbox.Wreckage{Seed: 7, Delete: 0.4, Change: 0.4, Add: 0.2, Members: true, Messages: true}
		if done := must(o.d.Wreck(g.Guild, wreck))(o.t); len(done) < 10 {
			o.t.Fatalf("the guild is hardly wrecked: %q", done)
		}
		plan := o.endures(g, bus.JobRestorePlan, bus.PlanArgs{Source: bus.BackupSource{Job: backup.ID}, Mode: bus.RestoreExact}, blows{})
		_, wrote := o.gate.counted()
		args := bus.RestoreArgs{Plan: plan.ID, Hash: outcome[bus.PlanDone](o.t, plan).Hash, ApprovedBy: []bus.UserID{bus.UserID(g.Owner)}}
		restored[i] = outcome[bus.RestoreDone](o.t, o.endures(g, bus.JobBackupRestore, args, blows{hits, writes, writing}))
		_, writes = o.gate.counted()
		writes -= wrote
		o.t.Logf("guild %d: %d calls for the backup, %d writing ones for the restore, hit %d times", i, whole, writes, hits+backupHits)
		for _, line := range before.Diff(o.snapshot(g)) {
			o.t.Errorf("guild %d is not as it was: %s", i, line)
		}
		if all := must(o.jobs.List(o.t.Context(), bus.JobQuery{Guild: bus.GuildID(g.Guild)}))(o.t); len(all.Jobs) != 3 {
			o.t.Errorf("guild %d has %d jobs, want a backup, a plan and a restore", i, len(all.Jobs))
		}
	}
	o.compare(restored)
}

// compare wants the guild that was hit to be as the one that was not, to the last message.
func (o *ordeal) compare(restored [2]bus.RestoreDone) {
	o.t.Helper()
	for _, line := range o.snapshot(o.guilds[0]).Diff(o.snapshot(o.guilds[1])) {
		o.t.Errorf("the guild that was hit is different: %s", line)
	}
	var said [2][]string
	for i, g := range o.guilds {
		h, _ := o.d.History(g.Guild)
		text := must(json.MarshalIndent(h, "", " "))(o.t)
		// Messages name emojis that are gone, and link to other messages, by ids that are of that guild only.
		said[i] = strings.Split(regexp.MustCompile(`([:/])\d{17,20}`).ReplaceAllString(string(text), "${1}0"), "\n")
		if len(said[i]) < 200 {
			o.t.Errorf("guild %d has hardly any messages", i)
		}
	}
	for i := range max(len(said[0]), len(said[1])) {
		if i >= len(said[0]) || i >= len(said[1]) || said[0][i] != said[1][i] {
			o.t.Errorf("what was said is different from line %d of %d and %d on: %q and %q", i, len(said[0]), len(said[1]), part(said[0], i), part(said[1], i))
			break
		}
	}
	if a, b := restored[0], restored[1]; len(a.Failed)+len(b.Failed) > 0 || !reflect.DeepEqual(a.Done, b.Done) {
		o.t.Errorf("the restores tell of %v, failed %q, and of %v, failed %q", a.Done, a.Failed, b.Done, b.Failed)
	}
}

// part is some lines around one.
func part(lines []string, at int) []string {
	return lines[min(len(lines), max(0, at-6)):min(len(lines), at+6)]
}

func (o *ordeal) snapshot(g sandbox.Generated) sandbox.Snapshot {
	o.t.Helper()
	s, ok := o.d.Snapshot(g.Guild)
	if !ok {
		o.t.Fatal("there is no guild")
	}
	return plainBans(s)
}

// blows says how often a job is hit, of how many calls of what kind, all at the same distance.
type blows struct {
	hits, of int
	counts   func(*http.Request) bool
}

// endures gives the record of a job that completes although it is hit.
func (o *ordeal) endures(g sandbox.Generated, kind bus.JobKind, args any, x blows) bus.Job {
	o.t.Helper()
	every := max(1, x.of/(x.hits+1))
	var strike *blow
	if x.hits > 0 {
		strike = o.gate.arm(x.counts, 1+every/2+every*(7*o.turn%10)/10, o.turn%2 == 1)
	}
	job := must(o.jobs.Submit(o.t.Context(), bus.JobSubmit{Kind: kind, Guild: bus.GuildID(g.Guild), By: bus.UserID(g.Owner), Args: must(json.Marshal(args))(o.t)}))(o.t)
	ended := make(chan error, 1)
	go func() { ended <- awaitEnd(o.t.Context(), o.jobs, job) }()
	var kills []time.Time
	for i := range x.hits {
		select {
		case <-strike.reached:
		case err := <-ended:
			o.t.Fatalf("%s has ended (%v) before blow %d of %d", kind, err, i+1, x.hits)
		case <-time.After(2 * patience):
			o.t.Fatalf("%s does not come to blow %d of %d:\n%s", kind, i+1, x.hits, o.victim.log)
		}
		o.victim.kill()
		kills = append(kills, time.Now())
		o.t.Logf("%s is killed in %s", o.victim.name, strike)
		last := strike
		if i+1 < x.hits {
			strike = o.gate.arm(x.counts, every, (i+o.turn)%2 == 0)
		}
		last.release(o.calls)
		o.victim = o.revive()
	}
	select {
	case err := <-ended:
		noError(o.t, err)
	case <-time.After(2 * patience):
		o.t.Fatalf("%s does not end:\n%s", kind, o.victim.log)
	}
	job = must(o.jobs.Get(o.t.Context(), job.Guild, job.ID))(o.t)
	if job.State != bus.JobCompleted {
		o.t.Fatalf("%s is %s after %d attempts: %+v\n%s", kind, job.State, job.Attempt, job.Error, o.victim.log)
	}
	if o.calls {
		o.takenOver(job, kills)
	}
	return job
}

// takenOver wants a new attempt soon after every kill, and none without.
func (o *ordeal) takenOver(job bus.Job, kills []time.Time) {
	o.t.Helper()
	if job.Takeovers != len(kills) || job.Failures != 0 || job.Attempt != len(kills)+1 {
		o.t.Errorf("%s was taken over %d times and failed %d times in %d attempts, after %d kills: %+v", job.Kind, job.Takeovers, job.Failures, job.Attempt, len(kills), job.Tries)
	}
	var longest time.Duration
	for i, killed := range kills {
		at := slices.IndexFunc(job.Tries, func(try bus.JobTry) bool { return try.Begun.After(killed) })
		if at < 0 {
			o.t.Errorf("nobody took %s over after kill %d", job.Kind, i+1)
			continue
		}
		longest = max(longest, job.Tries[at].Begun.Sub(killed))
	}
	if longest > takeover {
		o.t.Errorf("%s lay for %v after a kill, want at most %v", job.Kind, longest, takeover)
	} else if len(kills) > 0 {
		o.t.Logf("%s lay for at most %v after a kill", job.Kind, longest.Round(time.Millisecond))
	}
}

// openJobs gives access to the jobs of a bus.
func openJobs(t testing.TB, url string) *bus.Jobs {
	t.Helper()
	return must(bus.OpenJobs(t.Context(), openBus(t, url)))(t)
}

// openBus connects to the bus of a process.
func openBus(t testing.TB, url string) *bus.Bus {
	t.Helper()
	b := must(bus.Open(t.Context(), bus.Config{URL: url}, slog.New(slog.DiscardHandler)))(t)
	t.Cleanup(func() { _ = b.Close(context.WithoutCancel(t.Context())) }) // its server may be gone already
	return b
}

// awaitEnd waits for the end of a job, however often the bus goes away meanwhile.
func awaitEnd(ctx context.Context, jobs *bus.Jobs, job bus.Job) error {
	again := time.NewTicker(time.Second / 5)
	defer again.Stop()
	for {
		if jobs.Watch(ctx, job.Guild, job.ID, 0, func(bus.JobLine) error { return nil }) == nil {
			if now, err := jobs.Get(ctx, job.Guild, job.ID); err == nil && now.State.Ended() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

func outcome[T any](t testing.TB, job bus.Job) (out T) {
	t.Helper()
	noError(t, json.Unmarshal(job.Outcome, &out))
	return out
}
