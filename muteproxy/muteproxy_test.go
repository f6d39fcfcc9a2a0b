package muteproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

const code = "7F3A09C2"

func TestABatchIsAppliedOverAllTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, 10)
	url, _ := r.start()
	status, a := r.modify(url, code, r.body(5, all(10, silent)...))
	if status != 200 || a.Worker+a.Official != 10 || a.Worker < 8 || a.Pending != 0 || len(a.Failed) != 0 {
		t.Errorf("%d %+v", status, a)
	}
	r.expect(all(10, silent)...)
	if n := r.patches(); n[200] != 10 || len(n) != 1 {
		t.Errorf("requests by status: %v", n)
	}
}

func TestPremiumTiersBoundTheWorkers(t *testing.T) {
	t.Parallel()
	for tier, workers := range map[int]int{0: 0, 1: 0, 2: 1, 3: 3, 4: 4, 5: 4, 6: 0, -1: 0} {
		r := newRig(t, 5, 10)
		url, stop := r.start()
		used := map[string]bool{}
		if status, a := r.modify(url, code, r.body(tier, all(5, muted)...)); status != 200 {
			t.Errorf("tier %d: %d %+v", tier, status, a)
		}
		primary := sandbox.TokenHash(r.apps[0].Token)
		for _, q := range r.discord.Requests(0, 1000) {
			if q.Route == sandbox.RoutePatchMember && q.Token != primary {
				used[q.Token] = true
			}
		}
		if len(used) > workers || workers > 0 && len(used) == 0 {
			t.Errorf("tier %d used %d workers, allowed are %d", tier, len(used), workers)
		}
		stop()
	}
}

func TestTheSameWishSoonAfterNeedsNoSecondCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 3)
	url, _ := r.start()
	for range 3 {
		if status, a := r.modify(url, code, r.body(0, all(3, silent)...)); status != 200 || a.Official != 3 {
			t.Errorf("%d %+v", status, a)
		}
	}
	if n := r.patches(); n[200] != 3 {
		t.Errorf("requests: %v", n)
	}
}

func TestTheNewestWishWinsAndSupersededOnesAreNeverSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 10)
	r.discord.SetLimits(sandbox.Limits{MemberPatch: sandbox.Limit{Requests: 5, Window: 3 * time.Second}}) // long enough for the second batch to come within it
	url, _ := r.start()
	first := make(chan modifyAnswer, 1)
	go func() {
		_, a := r.modify(url, code, r.body(0, all(10, silent)...))
		first <- a
	}()
	// The first window is used up: five members are silent, five wishes wait.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r.ok(r.discord.AwaitRequests(ctx, 5, func(q sandbox.Request) bool { return q.Status == 200 }))
	status, a := r.modify(url, code, r.body(0, all(10, free)...))
	if status != 200 || a.Official != 10 {
		t.Errorf("the newer batch: %d %+v", status, a)
	}
	if a := <-first; a.Official != 5 || a.Superseded != 5 {
		t.Errorf("the older batch: %+v", a)
	}
	r.expect(all(10, free)...)
	// Those who were never silenced are freed all the same: somebody else may have
	// silenced them.
	if n := r.patches(); n[200] != 15 || n[429] != 0 {
		t.Errorf("requests: %v", n)
	}
}

func TestUnmutesGoFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 8)
	r.discord.SetLimits(sandbox.Limits{MemberPatch: sandbox.Limit{Requests: 5, Window: time.Second}})
	url, _ := r.start()
	states := append(all(5, silent), all(3, free)...)
	if status, a := r.modify(url, code, r.body(0, states...)); status != 200 || a.Official != 8 {
		t.Errorf("%d %+v", status, a)
	}
	sent := r.discord.Requests(0, 100)
	freed := 0
	for _, q := range sent[:5] {
		if strings.Contains(q.Body, `"mute":false`) {
			freed++
		}
	}
	if freed != 3 {
		t.Errorf("%d of the 3 unmutes were in the first window", freed)
	}
}

func TestAMemberOutsideVoiceIsTheirOwnFault(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 3)
	r.ok(r.discord.LeaveVoice(r.guild, r.users[1]))
	url, _ := r.start()
	status, a := r.modify(url, code, r.body(5, all(3, silent)...))
	if status != 500 || a.Worker+a.Official != 2 || len(a.Failed) != 1 || a.Failed[0].Code != 40032 || uint64(a.Failed[0].UserID) != uint64(r.users[1]) {
		t.Errorf("%d %+v", status, a)
	}
	if n := r.patches(); n[400] != 1 || n[200] != 2 {
		t.Errorf("requests: %v; nobody else was to be asked about that member", n)
	}
	// No token rests because of it.
	if status, a := r.modify(url, code, r.body(5, muted)); status != 200 || a.Worker != 1 {
		t.Errorf("%d %+v", status, a)
	}
}

func TestAnOwedUnmuteWaitsForItsMember(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	url, _ := r.start()
	r.modify(url, code, r.body(0, silent))
	r.ok(r.discord.LeaveVoice(r.guild, r.users[0]))
	if status, a := r.modify(url, code, r.body(0, free)); status != 500 || len(a.Failed) != 1 {
		t.Errorf("%d %+v", status, a)
	}
	r.ok(r.discord.JoinVoice(r.guild, r.users[0], r.channel))
	r.expect(free)
}

func TestTokensThatCannotStepAside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(*rig)
		status int
	}{
		"not in the guild": {func(r *rig) { r.ok(r.discord.RemoveMember(r.guild, r.apps[1].ID)) }, 403},
		"revoked":          {func(r *rig) { r.ok(r.discord.Revoke(r.apps[1].ID, true)) }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2, 8)
			c.spoil(r)
			url, _ := r.start()
			status, a := r.modify(url, code, r.body(5, all(5, silent)...))
			if status != 200 || a.Official != 5 {
				t.Errorf("%d %+v", status, a)
			}
			before := r.patches()[c.status]
			r.discord.SetLimits(sandbox.Limits{MemberPatch: sandbox.Limit{Requests: 50, Window: 5 * time.Second}})
			if status, a := r.modify(url, code, r.body(5, all(8, muted)...)); status != 200 || a.Official != 8 {
				t.Errorf("the second batch: %d %+v", status, a)
			}
			if n := r.patches()[c.status]; before == 0 || n != before {
				t.Errorf("the bad token was refused %d times, then %d", before, n)
			}
		})
	}
}

func TestWithoutAnyRouteTheCallerIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 2)
	r.ok(r.discord.RemoveMember(r.guild, r.apps[0].ID))
	url, _ := r.start()
	status, a := r.modify(url, code, r.body(5, all(2, silent)...))
	if status != 500 || len(a.Failed) != 2 || a.Failed[0].Reason != "not_in_guild" {
		t.Errorf("%d %+v", status, a)
	}
}

func TestDiscordFaultsAreWaitedOut(t *testing.T) {
	t.Parallel()
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.Fault500}, {Kind: sandbox.Fault502, After: true}, {Kind: sandbox.FaultReset}, {Kind: sandbox.FaultReset, After: true},
		{Kind: sandbox.FaultLimitUser, RetryAfter: 300 * time.Millisecond}, {Kind: sandbox.FaultLimitGlobal, RetryAfter: 300 * time.Millisecond},
		{Kind: sandbox.FaultLimitShared, RetryAfter: 300 * time.Millisecond}, {Kind: sandbox.FaultLimitEdge, RetryAfter: 300 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(f.Kind, f.After), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, 3)
			f.Count = 2
			r.ok(r.discord.AddFault(f))
			url, _ := r.start()
			if status, a := r.modify(url, code, r.body(0, all(3, silent)...)); status != 200 || a.Official != 3 {
				t.Errorf("%d %+v", status, a)
			}
			r.expect(all(3, silent)...)
		})
	}
}

// TestACrashConverges ends a muteproxy in the middle of a batch without any drain and
// starts another: the newest wishes are applied.
func TestANewInstanceTakesUpWhatIsLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 10)
	r.discord.SetLimits(sandbox.Limits{MemberPatch: sandbox.Limit{Requests: 5, Window: time.Second}})
	url, stop := r.start()
	answered := make(chan modifyAnswer, 1)
	go func() { _, a := r.modify(url, code, r.body(0, all(10, silent)...)); answered <- a }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r.ok(r.discord.AwaitRequests(ctx, 5, func(q sandbox.Request) bool { return q.Status == 200 }))
	stop()
	if a := <-answered; a.Official+a.Pending != 10 {
		t.Errorf("the caller was told %+v", a)
	}
	r.start()
	r.expect(all(10, silent)...)
}

func TestTwoInstancesShareOneGuildWithoutDoublingIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 10)
	r.discord.SetLimits(sandbox.Limits{MemberPatch: sandbox.Limit{Requests: 5, Window: time.Second}})
	r.cfg.Instance = "a"
	urlA, stopA := r.start()
	r.cfg.Instance = "b"
	urlB, _ := r.start()
	answers := make(chan modifyAnswer, 2)
	for i, url := range []string{urlA, urlB} {
		go func() {
			// Each gets its half of the members.
			var users []string
			for _, u := range r.users[i*5 : i*5+5] {
				users = append(users, fmt.Sprintf(`{"userID":%d,"mute":true}`, u))
			}
			_, a := r.modify(url, code, `{"users":[`+strings.Join(users, ",")+`]}`)
			answers <- a
		}()
	}
	for range 2 {
		if a := <-answers; a.Official != 5 {
			t.Errorf("%+v", a)
		}
	}
	r.expect(all(10, muted)...)
	if n := r.patches(); n[200] != 10 || n[429] != 0 {
		t.Errorf("requests: %v", n)
	}
	stopA()
	if status, a := r.modify(urlB, code, r.body(0, all(10, free)...)); status != 200 || a.Official != 10 {
		t.Errorf("after one left: %d %+v", status, a)
	}
}

func TestACaptureClientTakesPart(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 8) // more than the primary token may change in one window
	r.discord.SetLimits(sandbox.Limits{MemberPatch: sandbox.Limit{Requests: 5, Window: 3 * time.Second}})
	c, err := bus.ParseConnectCode(code)
	r.ok(err)
	var calls atomic.Int64
	stop, err := bus.Serve(t.Context(), r.bus, bus.ModifyCall(c), func(_ context.Context, q bus.ModifyTask) (bus.ModifyResult, error) {
		if calls.Add(1) == 1 {
			return bus.ModifyResult{V: 1, Done: false}, nil // not able to: another lane does it
		}
		err := r.discord.SetVoice(r.guild, sandbox.ID(q.User), q.Parameters.Mute, q.Parameters.Deaf)
		return bus.ModifyResult{V: 1, Done: err == nil}, nil
	})
	r.ok(err)
	url, _ := r.start()
	if status, a := r.modify(url, code, r.body(0, silent)); status != 200 || a.Official != 1 {
		t.Errorf("a refusal of the client: %d %+v", status, a)
	}
	if status, a := r.modify(url, code, r.body(0, all(8, muted)...)); status != 200 || a.Capture == 0 || a.Capture+a.Official != 8 {
		t.Errorf("%d %+v", status, a)
	}
	r.expect(all(8, muted)...)
	stop()
	if status, a := r.modify(url, code, r.body(0, all(8, free)...)); status != 200 || a.Official != 8 {
		t.Errorf("without the client: %d %+v", status, a)
	}
}

// TestALateCaptureClientIsPutRight has a client that answers after it was given up,
// when the member is wished free again.
func TestALateCaptureClientIsPutRight(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	r.cfg.AckTimeout, r.cfg.TaskTimeout = 50*time.Millisecond, 50*time.Millisecond
	c, err := bus.ParseConnectCode(code)
	r.ok(err)
	goOn := make(chan struct{})
	_, err = bus.Serve(t.Context(), r.bus, bus.ModifyCall(c), func(_ context.Context, q bus.ModifyTask) (bus.ModifyResult, error) {
		<-goOn
		err := r.discord.SetVoice(r.guild, sandbox.ID(q.User), q.Parameters.Mute, q.Parameters.Deaf)
		return bus.ModifyResult{V: 1, Done: err == nil}, nil
	})
	r.ok(err)
	url, _ := r.start()
	if status, a := r.modify(url, code, r.body(0, silent)); status != 200 || a.Official != 1 {
		t.Errorf("%d %+v", status, a)
	}
	if status, a := r.modify(url, code, r.body(0, free)); status != 200 || a.Official != 1 {
		t.Errorf("%d %+v", status, a)
	}
	changes, cancel := r.discord.SubscribeVoice(16)
	defer cancel()
	close(goOn)
	for want := range []int{0, 1} { // silenced by the late client, then freed again
		select {
		case ch := <-changes:
			if ch.After.Mute != (want == 0) {
				t.Errorf("change %d: %+v", want, ch)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the late answer was not put right")
		}
	}
}

func TestEventsTellWhatWasApplied(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 2)
	url, _ := r.start()
	r.modify(url, code, r.body(0, all(2, silent)...))
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := 0
	err := bus.Follow(ctx, r.bus, bus.Follower{}, bus.MuteAppliedIn(bus.GuildID(r.guild)), 1, func(_ context.Context, ds []bus.Delivery[bus.MuteApplied]) error {
		for _, d := range ds {
			if d.Value.State != silent || d.Value.Lane != "official" {
				t.Errorf("%+v", d.Value)
			}
		}
		if got += len(ds); got == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("%d events, %v", got, err)
	}
}

func TestDoor(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 2)
	r.cfg.Workers = nil
	r.cfg.Secret = secret.New("hush")
	url, _ := r.start()
	g, u := r.guild, r.users[0]
	auth := []string{"Authorization", "Bearer hush"}
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		has                      string
	}{
		{"alive without a secret", "GET", "/", "", nil, 200, "ok"},
		{"no secret", "POST", fmt.Sprintf("/modify/%d/%s", g, code), "{}", nil, 401, "GALACTUS_SECRET"},
		{"wrong secret", "POST", fmt.Sprintf("/modify/%d/%s", g, code), "{}", []string{"Authorization", "Bearer hus"}, 401, "GALACTUS_SECRET"},
		{"empty batch", "POST", fmt.Sprintf("/modify/%d/%s", g, code), "{}", auth, 200, `"worker":0,"capture":0,"official":0,"ratelimit":0`},
		{"null users", "POST", fmt.Sprintf("/modify/%d/x", g), `{"premium":5,"users":null}`, auth, 200, `"official":0`},
		{"guild is no number", "POST", "/modify/abc/" + code, "{}", auth, 400, "Invalid guildID"},
		{"id as string", "POST", fmt.Sprintf("/modify/%d/%s", g, code), `{"users":[{"userID":"12"}]}`, auth, 400, "not a batch"},
		{"id with a fraction", "POST", fmt.Sprintf("/modify/%d/%s", g, code), `{"users":[{"userID":1.5}]}`, auth, 400, "not a batch"},
		{"no id", "POST", fmt.Sprintf("/modify/%d/%s", g, code), `{"users":[{"mute":true}]}`, auth, 400, "no userID"},
		{"no JSON", "POST", fmt.Sprintf("/modify/%d/%s", g, code), `{`, auth, 400, "not a batch"},
		{"tier too large", "POST", fmt.Sprintf("/modify/%d/%s", g, code), `{"premium":70000}`, auth, 400, "not a batch"},
		{"too many", "POST", fmt.Sprintf("/modify/%d/%s", g, code), `{"users":[` + strings.Repeat(`{"userID":1},`, 1000) + `{"userID":1}]}`, auth, 400, "at most 1000"},
		{"too large", "POST", fmt.Sprintf("/modify/%d/%s", g, code), strings.Repeat(" ", 300<<10), auth, 413, "error"},
		{"long code", "POST", fmt.Sprintf("/modify/%d/%s", g, strings.Repeat("x", 65)), "{}", auth, 400, "longer"},
		{"other method", "GET", fmt.Sprintf("/modify/%d/%s", g, code), "", auth, 405, "POST only"},
		{"other path", "POST", "/nothing", "", auth, 404, "error"},
		{"one user", "POST", fmt.Sprintf("/modify/%d/%s/%d?mute=true&deaf=false", g, code, u), "", auth, 200, `"official":1`},
		{"one user, bad flag", "POST", fmt.Sprintf("/modify/%d/%s/%d?mute=perhaps", g, code, u), "", auth, 400, "true or false"},
		{"one user, bad id", "POST", fmt.Sprintf("/modify/%d/%s/x?mute=true", g, code), "", auth, 400, "user id"},
		{"verify", "POST", fmt.Sprintf("/verify/%d/3", g), "", auth, 200, ""},
		{"verify, bad tier", "POST", fmt.Sprintf("/verify/%d/9", g), "", auth, 400, "0 to 5"},
		{"token that is none", "POST", "/addtoken", `{"token":"x"}`, auth, 400, "not a bot token"},
		{"token that Discord refuses", "POST", "/addtoken", "MTIz.abc.def", auth, 401, "does not know"},
		{"token", "POST", "/addtoken", " Bot " + r.apps[1].Token + "\n", auth, 200, ""},
		{"token again", "POST", "/addtoken", r.apps[1].Token, auth, 208, "Token already exists on the server"},
		{"primary token", "POST", "/addtoken", r.apps[0].Token, auth, 208, "Token already exists on the server"},
	} {
		status, text := send(t, c.method, url+c.path, c.body, c.header...)
		if status != c.status || !strings.Contains(text, c.has) {
			t.Errorf("%s: %d %q, want %d with %q", c.name, status, text, c.status, c.has)
		}
		if status >= 400 && !strings.HasPrefix(text, `{"error":`) {
			t.Errorf("%s: the error is no JSON: %q", c.name, text)
		}
	}
	if vs, _ := r.discord.VoiceState(r.guild, u); !vs.Mute || vs.Deaf {
		t.Errorf("the single-user form left the member %+v", vs)
	}
}

func TestATokenThatWasHandedOverIsSealedAndComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 5)
	r.cfg.Workers = nil
	url, stop := r.start()
	if status, text := send(t, http.MethodPost, url+"/addtoken", r.apps[1].Token); status != 200 || text != "OK" && text != "" {
		t.Fatalf("%d %q", status, text)
	}
	if status, a := r.modify(url, code, r.body(5, all(5, silent)...)); status != 200 || a.Worker != 5 {
		t.Errorf("%d %+v", status, a)
	}
	stop()
	store := must[*bus.Records[bus.SealedToken]](t)(bus.OpenRecords(t.Context(), r.bus, bus.SealedTokens()))
	all, err := store.All(t.Context(), ">")
	r.ok(err)
	if len(all) != 1 || strings.Contains(string(all[0].Value.Sealed), r.apps[1].Token) || strings.Contains(all[0].Key, r.apps[1].Token) {
		t.Errorf("stored: %+v", all)
	}
	r.discord.SetLimits(sandbox.Limits{MemberPatch: sandbox.Limit{Requests: 50, Window: 5 * time.Second}})
	url, _ = r.start()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for state := free; ; state.Mute = !state.Mute {
		if _, a := r.modify(url, code, r.body(5, state)); a.Worker == 1 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the token did not come back after a restart")
		}
	}
}
