package protect_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bot/protect"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// hit puts a met limit on the bus, as an engine would.
func (p *post) hit(n uint64) {
	p.T.Helper()
	h := bus.LimitHit{V: 1, Guild: p.GuildID(), Limit: "l", Name: fmt.Sprint("limit-", n), Kind: bus.ActionBan, Actor: bus.UserID(p.Mod), Causes: []uint64{n}, Count: 1, Window: 60, Respond: bus.RespondAlert, Result: "ok", At: time.Now().UTC()}
	_, err := bus.Publish(p.T.Context(), p.Bus, bus.LimitHitSubject(h.Guild), h, bus.WithID(h.ID()))
	p.OK(err)
}

// tells runs one more teller until it is stopped.
func (p *post) tells() (stop func()) {
	p.T.Helper()
	ctx, cancel := context.WithCancel(p.T.Context())
	ended := make(chan error, 1)
	go func() { ended <- protect.NewTeller(p.telling, p.Bus, bustest.Log(p.T)).Run(ctx) }()
	return func() {
		cancel()
		p.OK(<-ended)
	}
}

// alarms gives which of the limits were told, in order.
func (p *post) alarms() (all []string) {
	for _, m := range p.Discord.Messages(p.Text) {
		if _, after, ok := strings.Cut(string(m.JSON), "limit-"); ok {
			all = append(all, after[:1])
		}
	}
	return all
}

// TestAlarmsAreKeptAndToldOnce: while Discord refuses, alarms wait on the bus, whatever
// becomes of the process; then each is told once and in order, also when a process dies
// before it has noted that.
func TestAlarmsAreKeptAndToldOnce(t *testing.T) {
	t.Parallel()
	p := newTelling(t)
	p.OK(p.Discord.AddFault(sandbox.Fault{Kind: sandbox.Fault502, Count: -1, Route: "POST /channels/{channel_id}/messages"}))
	stop := p.tells()
	for n := range uint64(3) {
		p.hit(n + 1)
	}
	tried := func() bool {
		for _, r := range p.Discord.Requests(0, 0) {
			if r.Method == "POST" && strings.HasSuffix(r.Path, "/messages") {
				return true
			}
		}
		return false
	}
	p.OK(p.Discord.Await(t.Context(), tried))
	stop()
	if got := p.alarms(); len(got) != 0 {
		t.Fatalf("told already: %v", got)
	}
	p.Discord.ClearFaults()
	stop = p.tells()
	p.told("limit-3")
	stop()
	places, err := bus.OpenRecords(t.Context(), p.Bus, bus.Positions())
	p.OK(err)
	p.OK(places.Delete(t.Context(), "bot-alarms", 0))
	p.hit(4)
	defer p.tells()()
	p.told("limit-4")
	if got := strings.Join(p.alarms(), ""); got != "1234" {
		t.Errorf("told: %s", got)
	}
}

// TestAnAlarmThatDiscordRefusesHoldsUpNothing: the next one is told, where that is allowed.
func TestAnAlarmThatDiscordRefusesHoldsUpNothing(t *testing.T) {
	t.Parallel()
	p := newTelling(t)
	real := p.telling.Policy
	p.telling.Policy = func(g bus.GuildID) protect.Policy {
		q := real(g)
		if len(p.asked) == cap(p.asked) {
			return q
		}
		p.asked <- struct{}{}
		q.AlertChannel = "12345678901234567" // there is none
		return q
	}
	defer p.tells()()
	p.hit(1)
	p.hit(2)
	p.told("limit-2")
	if got := strings.Join(p.alarms(), ""); got != "2" {
		t.Errorf("told: %s", got)
	}
}
