package muteproxy

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// loose makes the wishes of a muteproxy that does not run, on a connection of its own.
func (r *rig) loose() (*wishes, *bus.Bus) {
	r.t.Helper()
	b := must[*bus.Bus](r.t)(r.bus.Component(r.t.Context(), "muteproxy"))
	r.t.Cleanup(func() { bustest.Close(r.t, b) })
	cfg := r.cfg
	cfg.Metrics = prometheus.NewRegistry()
	m := must[*Muteproxy](r.t)(New(cfg, b, bustest.Log(r.t)))
	return must[*wishes](r.t)(openWishes(r.t.Context(), m)), b
}

// counted gives what a counter says of all with a label.
func (r *rig) counted(m *Muteproxy, counter, label, value string) (n float64) {
	r.t.Helper()
	families, err := m.cfg.Metrics.(*prometheus.Registry).Gather()
	r.ok(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == counter && l.GetName() == label && l.GetValue() == value {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// TestAStopCutsWhatDiscordDoesNotAnswer: a call that outlasts the patience of a stop is cut,
// as the log says, and its wish stays stored for the next process.
func TestAStopCutsWhatDiscordDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	r.ok(r.discord.AddFault(sandbox.Fault{Kind: sandbox.FaultTimeout, Route: sandbox.RoutePatchMember}))
	w, _ := r.loose()
	w.post(t.Context(), bus.GuildID(r.guild), code, 0, []request{{bus.UserID(r.users[0]), silent}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r.ok(r.discord.AwaitRequests(ctx, 1, func(q sandbox.Request) bool { return q.Route == sandbox.RoutePatchMember }))
	w.drain(0)
	w.working.Wait()
	if n := r.counted(w.m, "muteproxy_refusals_total", "reason", "stopped"); n != 1 {
		t.Errorf("%v calls were cut, want 1", n)
	}
	e, err := w.store.Get(t.Context(), bus.VoiceKey(bus.GuildID(r.guild), bus.UserID(r.users[0])))
	if r.ok(err); e.Value.Settled() || e.Value.Wish.VoiceState != silent {
		t.Errorf("stored: %+v", e.Value)
	}
}

// TestAStopAnswersWhoWaits: nobody's request is cut, although nothing comes of it any more.
func TestAStopAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	r.ok(r.discord.AddFault(sandbox.Fault{Kind: sandbox.FaultTimeout, Route: sandbox.RoutePatchMember, Count: -1}))
	b := must[*bus.Bus](t)(r.bus.Component(t.Context(), "muteproxy"))
	t.Cleanup(func() { bustest.Close(t, b) })
	var told bytes.Buffer
	m := must[*Muteproxy](t)(New(r.cfg, b, slog.New(slog.NewTextHandler(&told, nil))))
	stop := run(t, m.Run)
	<-m.Ready()
	answered := make(chan modifyAnswer, 1)
	go func() {
		_, a := r.modify("http://"+m.Addr(), code, r.body(0, silent))
		answered <- a
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r.ok(r.discord.AwaitRequests(ctx, 1, func(q sandbox.Request) bool { return q.Route == sandbox.RoutePatchMember }))
	stop()
	if n := r.counted(m, "muteproxy_http_requests_total", "status", "200"); n != 1 {
		t.Errorf("%v requests were answered when it had ended", n)
	}
	if a := <-answered; a.Pending != 1 {
		t.Errorf("the caller was told %+v", a)
	}
	if strings.Contains(told.String(), "requests at the door were cut") {
		t.Errorf("the log says %s", told.String())
	}
}

// TestAStopDoesNotWaitForALateCaptureClient: nobody listens to it any more, so that nothing
// of a muteproxy outlives its Run.
func TestAStopDoesNotWaitForALateCaptureClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	r.cfg.AckTimeout, r.cfg.TaskTimeout = time.Millisecond, time.Millisecond
	c, err := bus.ParseConnectCode(code)
	r.ok(err)
	asked, goOn := make(chan struct{}), make(chan struct{})
	defer close(goOn)
	_, err = bus.Serve(t.Context(), r.bus, bus.ModifyCall(c), func(context.Context, bus.ModifyTask) (bus.ModifyResult, error) {
		close(asked)
		<-goOn
		return bus.ModifyResult{V: 1, Done: true}, nil
	})
	r.ok(err)
	w, _ := r.loose()
	g := newGuild(w, bus.GuildID(r.guild))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.viaCapture(t.Context(), c, call{user: bus.UserID(r.users[0]), state: silent})
	}()
	<-asked
	if got := <-g.results; got.err != errCaptureSlow {
		t.Errorf("the guild was told %v", got.err)
	}
	w.drain(0)
	select {
	case <-ended:
	case <-time.After(lateAnswers - 5*time.Second):
		t.Error("the late answer is waited for after the stop")
	}
}

// TestAnOwedUnmuteIsRememberedThoughItsFailureWasNotWritten: with the bus away no watch tells
// of it.
func TestAnOwedUnmuteIsRememberedThoughItsFailureWasNotWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	w, b := r.loose()
	g := newGuild(w, bus.GuildID(r.guild))
	who := member{g.id, bus.UserID(r.users[0])}
	now := time.Now().UTC()
	rec := bus.VoiceRecord{V: 1, Wish: bus.VoiceWish{VoiceState: free, ID: "unmute", Code: code, At: now}}
	e := bus.Entry[bus.VoiceRecord]{Key: who.key(), Revision: 1, Value: rec}
	w.known[who] = e
	bustest.Close(t, b)

	rec.Failed = &bus.VoiceFailed{WishID: "unmute", Reason: reasonNotInVoice, At: now, RetryAt: now.Add(time.Hour)}
	g.settle(who.user, &memberWork{entry: e}, rec)
	w.working.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if due := w.owed[who]; !due.Equal(rec.Failed.RetryAt) {
		t.Errorf("it is tried again at %v, want %v", due, rec.Failed.RetryAt)
	}
}

// TestATokenThatIsHandedOverAnewWorksAgain: the primary one, too, which cannot be a worker.
func TestATokenThatIsHandedOverAnewWorksAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, 0)
	w, _ := r.loose()
	all := w.m.tokens
	workers, _ := all.list()
	for _, tok := range append(workers, all.primary) {
		tok.spoil("token_invalid")
		if err := all.add(t.Context(), tok.value, "addtoken"); err != errKnown {
			t.Errorf("handing over a known token says %v", err)
		}
		if tok.gone() {
			t.Errorf("the token %s is still taken for no good", tok.name())
		}
	}
}
