package protect_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bot/protect"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// benchLatency is what the sandbox takes for one request, there and back.
const benchLatency = 60 * time.Millisecond

// nukeEvery is how fast a script with a stolen account acts: about as fast as Discord lets it.
const nukeEvery = 100 * time.Millisecond

// attacks is how many are measured at a time.
const attacks = 8

// BenchmarkNuke measures how long an actor who destroys goes on: from the audit-log entry
// that completes a limit (when the sandbox made it) to the actor's roles gone at Discord,
// and how much was lost in all. Each request to Discord takes 60 ms. The limits are three
// channels, three roles, three bans and three kicks; the attack does one of each in turn
// as far as it can, so that what is lost is up to two of every kind, the third of one, and
// what happens while the roles are taken.
func BenchmarkNuke(b *testing.B) {
	var took []time.Duration
	lost, most := 0, 0
	for b.Loop() {
		for range attacks {
			t, n := nuke(b)
			took = append(took, t)
			lost += n
			most = max(most, n)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms/p50")
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "ms/p99")
	b.ReportMetric(float64(lost)/float64(len(took)), "lost/attack")
	b.ReportMetric(float64(most), "lost/most")
	b.ReportMetric(0, "ns/op") // making the guild is in it
}

// nuke lets one attack run in a guild of its own.
func nuke(b *testing.B) (took time.Duration, lost int) {
	w := bottest.New(b)
	for i := range 12 {
		w.ID(w.Discord.AddChannel(w.Guild, fmt.Sprint("room-", i), sandbox.TextChannel))
		w.OK(w.Discord.AddMember(w.Guild, w.ID(w.Discord.AddUser(fmt.Sprint("member", i)))))
	}
	rules, err := bus.OpenRecords(b.Context(), w.Bus, bus.LimitRules())
	w.OK(err)
	for _, kind := range []bus.ActionKind{bus.ActionChannelRemove, bus.ActionRoleRemove, bus.ActionBan, bus.ActionKick} {
		r := bus.LimitRule{V: 1, ID: string(kind), Name: string(kind), Kind: kind, Count: 3, Window: 600, Respond: bus.RespondStripRoles, At: time.Now().Add(-time.Minute)}
		_, err = rules.Put(b.Context(), bus.LimitKey(w.GuildID(), r.ID), r)
		w.OK(err)
	}
	hits := make(chan bus.LimitHit, 16)
	done := make(chan time.Time, 16)
	stored := w.Stored()
	e := protect.New(protect.Config{Bot: w.Bot, Self: w.Self, Stored: stored.At, Alert: func(_ context.Context, _ protect.Policy, h bus.LimitHit) {
		done <- time.Now()
		hits <- h
	}}, w.Bus, bustest.Log(b))
	w.Run(e.Run)
	<-e.Ready()
	w.OK(e.Restore(b.Context()))
	w.Feed()
	w.Everybody(stored)
	w.Run(func(ctx context.Context) error {
		return bus.Consume(ctx, w.Bus, bus.Durable{Name: "bench"}, bus.AllDispatches(), func(d bus.Delivery[bus.Dispatch]) string { return d.Value.Guild.String() }, e.Handle)
	})
	_, err = w.Bot.Guild(b.Context(), w.Guild.String()) // the connection is open, as after the first minute
	w.OK(err)
	w.Discord.SetLatency(benchLatency, 0)
	dmg, err := w.Discord.Nuke(b.Context(), sandbox.Attack{Guild: w.Guild, Actor: w.Mod, Every: nukeEvery})
	w.OK(err)
	h := <-hits
	if h.Result != "ok" || dmg.StoppedBy == nil {
		b.Fatalf("the attack was not stopped: %+v, %+v", h, dmg)
	}
	return (<-done).Sub(h.At), dmg.Lost()
}
