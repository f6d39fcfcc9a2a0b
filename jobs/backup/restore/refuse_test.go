package restore

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// TestSourcesFromElsewhereAreRefused: nothing is fetched but backups of jobs and uploads on Discord's own hosts, and no
// redirect leads elsewhere (acceptance 44; R1).
func TestSourcesFromElsewhereAreRefused(t *testing.T) {
	asked := 0
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer inside.Close()
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL, http.StatusFound)
	}))
	defer cdn.Close()
	real, standIn := must(discord.NewCDN(discord.DefaultCDN))(t), must(discord.NewCDN(cdn.URL))(t)
	for _, s := range []bus.BackupSource{
		{}, {Job: "a", URL: "https://cdn.discordapp.com/attachments/1/2/a"},
		{URL: "https://169.254.169.254/latest/meta-data"}, {URL: "http://169.254.169.254/"}, {URL: "https://10.0.0.1/a"},
		{URL: "https://[::1]/a"}, {URL: "https://localhost/a"}, {URL: inside.URL}, {URL: "file:///etc/passwd"},
		{URL: "http://cdn.discordapp.com/a"}, {URL: "https://cdn.discordapp.com.evil.example/a"}, {URL: "https://evil@10.0.0.1/cdn.discordapp.com"},
		{URL: "https://cdn.discordapp.com/attachments/1/2/a?ex=1"}, {URL: "https://cdn.discordapp.com:8443/a"}, {URL: "https://cdn.discordapp.com@10.0.0.1/a"}, {URL: "//10.0.0.1/a"},
	} {
		w := &Planner{Tools: Tools{CDN: real}, Args: bus.PlanArgs{Source: s, Mode: bus.RestoreExact}}
		if err := w.Check(); err == nil {
			t.Errorf("the source %+v is taken", s)
		}
	}
	x := newRig(t, sandbox.Administrator)
	x.tools.CDN = standIn
	w := &Planner{Tools: x.tools, Args: bus.PlanArgs{Source: bus.BackupSource{URL: cdn.URL + "/attachments/1/2/a"}, Mode: bus.RestoreExact}}
	x.ok(w.Check())
	if err := w.Run(t.Context(), x.newRun(bus.JobRestorePlan, "planjob")); err == nil || asked > 0 {
		t.Errorf("a redirect: %v, %d requests reached what it led to", err, asked)
	}
	if err := (&Planner{Tools: Tools{CDN: real}, Args: bus.PlanArgs{Source: bus.BackupSource{URL: "https://cdn.discordapp.com/attachments/1/2/a"}, Mode: bus.RestoreMerge}}).Check(); err != nil {
		t.Errorf("an upload on Discord: %v", err)
	}
}

// TestOnlyTheApprovedPlanRuns: another hash, a plan that was changed after it was approved, one for another guild and one
// that lacks an approval change nothing (H12).
func TestOnlyTheApprovedPlanRuns(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	done, _ := x.planned(savedGuild(x), bus.PlanArgs{})
	before, _ := x.Snapshot(x.guild)
	run := func(change func(*Restorer, *jobRun)) error {
		w := &Restorer{Tools: x.tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: done.Hash}}
		r := x.newRun(bus.JobBackupRestore, restoreJob)
		change(w, r)
		return w.Run(t.Context(), r)
	}
	wrong := strings.Repeat("00", 32)
	file := string(x.files["planjob/"+PlanName])
	for name, change := range map[string]func(*Restorer, *jobRun){
		"another hash":  func(w *Restorer, _ *jobRun) { w.Args.Hash = wrong },
		"another guild": func(_ *Restorer, r *jobRun) { r.job.Guild++ },
		"no approval": func(w *Restorer, _ *jobRun) {
			w.Approved = func(context.Context, work.Run, bus.RestoreArgs) error { return work.Permanent(errors.New("no")) }
		},
		"a changed plan": func(*Restorer, *jobRun) {
			x.files["planjob/"+PlanName] = []byte(strings.Replace(file, `"Captain"`, `"Pirate"`, 1))
		},
	} {
		if err := run(change); err == nil || !work.IsPermanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, w := range []*Restorer{{}, {Args: bus.RestoreArgs{Hash: wrong}}, {Args: bus.RestoreArgs{Plan: "a", Hash: hex.EncodeToString([]byte("short"))}}} {
		if w.Check() == nil {
			t.Errorf("the arguments %+v are taken", w.Args)
		}
	}
	if after, _ := x.Snapshot(x.guild); len(before.Diff(after)) > 0 {
		t.Errorf("something was changed: %v", before.Diff(after))
	}
}

// TestDriftStopsTheRestore: what changed since the plan was made is told, and nothing is done.
func TestDriftStopsTheRestore(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	must(x.AddChannel(x.guild, "old", sandbox.TextChannel))(t)
	done, _ := x.planned(savedGuild(x), bus.PlanArgs{})
	must(x.AddChannel(x.guild, "new", sandbox.TextChannel))(t)
	before, _ := x.Snapshot(x.guild)
	r := x.newRun(bus.JobBackupRestore, restoreJob)
	err := x.attempt(r, done.Hash, -1)
	var drifted *plan.Drifted
	if !errors.As(err, &drifted) || len(drifted.Changes) != 1 || drifted.Changes[0].Name != "new" || !work.IsPermanent(err) {
		t.Errorf("have %v", err)
	}
	if after, _ := x.Snapshot(x.guild); len(before.Diff(after)) > 0 {
		t.Errorf("something was changed: %v", before.Diff(after))
	}
}

// TestOneRefusalDoesNotEndIt: whichever call Discord refuses, the rest is done, a backup of the guild as it was is there and
// the report says what is missing (acceptance 43; R2, R3).
func TestOneRefusalDoesNotEndIt(t *testing.T) {
	whole := newRig(t, sandbox.Administrator)
	whole.restored(savedGuild(whole), bus.PlanArgs{})
	for n := 1; n <= whole.kill.writes; n += 3 {
		x := newRig(t, sandbox.Administrator)
		x.kill.refuse = n
		done, r := x.restored(savedGuild(x), bus.PlanArgs{})
		if len(done.Failed) == 0 && len(done.Left) == 0 {
			t.Errorf("the refusal of request %d is not in the report", n)
		}
		if x.files[restoreJob+"/"+done.Safety] == nil || !strings.Contains(string(x.files[restoreJob+"/"+ReportName]), "To undo it") {
			t.Errorf("refusal of request %d: no backup of before, or no word of it; files of %s", n, r.job.ID)
		}
	}
}

// TestLostAnswers: when every other answer to a creation is lost, nothing is made twice within the attempt.
func TestLostAnswers(t *testing.T) {
	whole := newRig(t, sandbox.Administrator)
	whole.restored(savedGuild(whole), bus.PlanArgs{})
	x := newRig(t, sandbox.Administrator)
	x.kill.lossy = true
	x.restored(savedGuild(x), bus.PlanArgs{})
	if want, have := whole.end(), x.end(); !slices.Equal(want, have) {
		t.Error(differ(want, have))
	}
}

// TestCancelStopsWithinOneCall: after a cancel no lane sends more than the call that it has in hand, and the outcome says what
// was changed (acceptance 28, 45).
func TestCancelStopsWithinOneCall(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	done, _ := x.planned(savedGuild(x), bus.PlanArgs{})
	r := x.newRun(bus.JobBackupRestore, restoreJob)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	requests := 0
	x.kill.cancel, x.kill.at = func() {}, -1
	stop := &stopping{jobRun: r, cancel: func() { requests = len(x.Requests(0, 100_000)); cancel() }}
	stop.left.Store(12)
	err := (&Restorer{Tools: x.tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: done.Hash}}).Run(ctx, stop)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("have %v", err)
	}
	if more := len(x.Requests(0, 100_000)) - requests; more > serverLanes {
		t.Errorf("%d requests after the cancel", more)
	}
	out, ok := r.out.(bus.RestoreDone)
	if !ok || out.Done["create"] == 0 || !slices.ContainsFunc(r.said, func(s string) bool { return strings.HasPrefix(s, "Cancelled") }) {
		t.Errorf("the outcome is %+v, said %v", r.out, r.said)
	}
}

// serverLanes is how many calls are on their way at most before words are written: roles, emojis, stickers, sounds, bans,
// members, and all else.
const serverLanes = 7

// stopping cancels at one of its notes.
type stopping struct {
	*jobRun
	left   atomic.Int64
	cancel func()
}

func (s *stopping) Note(ctx context.Context, key string, v any) error {
	if s.left.Add(-1) == 0 {
		s.cancel()
	}
	return s.jobRun.Note(ctx, key, v)
}

// TestPacedByDiscord: against a Discord that counts strictly, a restore finishes with hardly a refusal for being too early, and
// a cancel ends a wait (acceptance 45; R19).
func TestPacedByDiscord(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	l := sandbox.Limit{Requests: 3, Window: 200 * time.Millisecond}
	x.SetLimits(sandbox.Limits{MemberPatch: l, MemberGet: l, MemberList: l, GuildGet: l, Self: l, RoleCreate: l, Other: l, Global: 50, WebhookChannel: l})
	srv := httptest.NewServer(x.kill.wrap(x.Discord))
	defer srv.Close()
	c := must(discord.NewLimitedClient(srv.URL+"/api/v10", discord.NewLimiter(discord.LimiterConfig{})))(t)
	defer c.Close()
	x.tools.Bot = c.Bot(secret.New(x.app.Token))
	done, _ := x.restored(savedGuild(x), bus.PlanArgs{})
	refused := uint64(0)
	for _, n := range x.Counts().Limited {
		refused += n
	}
	if refused > 3 || len(done.Failed) > 0 { // a few are learnt from: what a channel takes of webhooks shows in no header
		t.Errorf("429s by scope: %v, failed %v", x.Counts().Limited, done.Failed)
	}
	wait, end := context.WithCancel(t.Context())
	end()
	run := &run{Tools: x.tools, Run: x.newRun(bus.JobBackupRestore, restoreJob)}
	err := run.call(wait, func(context.Context) error {
		return &discord.LimitedError{Reason: discord.ReasonTooLong, RetryAfter: time.Minute}
	})
	if err == nil {
		t.Error("a cancelled wait goes on")
	}
	var later *work.SnoozeError
	err = run.call(t.Context(), func(context.Context) error {
		return &discord.LimitedError{Reason: discord.ReasonTooLong, RetryAfter: 20 * time.Hour}
	})
	if !errors.As(err, &later) {
		t.Errorf("a wait of 20 hours holds the worker: %v", err)
	}
}
