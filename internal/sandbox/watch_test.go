package sandbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestRingAgainstModel(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		r := newRing[uint64](1 + rng.IntN(9))
		var all []uint64
		for range rng.IntN(40) {
			all = append(all, r.add(func(seq uint64) uint64 { return seq }))
		}
		kept := all[max(0, len(all)-r.size):]
		after, limit := uint64(rng.IntN(45)), rng.IntN(6)
		var want []uint64
		for _, v := range kept {
			if v > after && (limit == 0 || len(want) < limit) {
				want = append(want, v)
			}
		}
		if got := r.after(after, limit); !slices.Equal(got, want) {
			t.Fatalf("seed %d: after(%d, %d) = %v, want %v", seed, after, limit, got, want)
		}
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Latency: time.Second})
		go w.patch(w.ana, `{"mute":true,"deaf":true}`)
		start := time.Now()
		w.ok(w.AwaitVoice(t.Context(), w.guild, w.ana, true, true))
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("seen after %v", took)
		}
		w.ok(w.AwaitRequests(t.Context(), 1, func(r Request) bool { return r.Status == 200 && r.User == w.ana }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.AwaitVoice(ctx, w.guild, w.bo, true, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("never true: %v", err)
		}
		synctest.Wait()
		advance(time.Second)
	})
}

func TestSlowSubscriberIsCutOff(t *testing.T) {
	w := newWorld(t, Config{})
	slow, cancelSlow := w.SubscribeVoice(1)
	fast, cancelFast := w.SubscribeVoice(10)
	for _, mute := range []bool{true, false, true} {
		w.ok(w.SetVoice(w.guild, w.ana, mute, false))
	}
	if c := <-slow; !c.After.Mute {
		t.Errorf("first change %+v", c)
	}
	if _, ok := <-slow; ok {
		t.Error("a full subscription went on")
	}
	cancelSlow()
	cancelFast()
	cancelFast()
	n := 0
	for range fast {
		n++
	}
	if n != 3 {
		t.Errorf("%d changes", n)
	}
	if got := w.VoiceChanges(w.LastVoiceChange()-2, 1); len(got) != 1 || got[0].After.Mute {
		t.Errorf("missed change %+v", got)
	}
}

func TestScriptedMistakesAreErrors(t *testing.T) {
	w := newWorld(t, Config{})
	before := w.LastVoiceChange()
	for what, err := range map[string]error{
		"guild of nobody":         second(w.AddGuild("x", 1)),
		"role in no guild":        second(w.AddRole(1, "x", 0)),
		"channel in no guild":     second(w.AddChannel(1, "x", VoiceChannel)),
		"unknown role":            w.SetRolePermissions(w.guild, 1, 0),
		"overwrite: no channel":   w.SetOverwrite(w.guild, 1, w.ana, Overwrite{}),
		"overwrite: no target":    w.SetOverwrite(w.guild, w.voice, 1, Overwrite{}),
		"unknown user":            w.AddMember(w.guild, 1),
		"member with no role":     w.AddMember(w.guild, w.stranger, 1),
		"removing nobody":         w.RemoveMember(w.guild, w.stranger),
		"removing the owner":      w.RemoveMember(w.guild, w.owner),
		"joining a text channel":  w.JoinVoice(w.guild, w.cat, w.text),
		"joining as a stranger":   w.JoinVoice(w.guild, w.stranger, w.voice),
		"muting out of voice":     w.SetVoice(w.guild, w.cat, true, true),
		"revoking nobody":         w.Revoke(1, true),
		"token with a space":      second(w.AddApplication(ApplicationSpec{Name: "x", Token: "a b"})),
		"token of somebody":       second(w.AddApplication(ApplicationSpec{Name: "x", Token: w.bot.Token})),
		"leaving as a stranger":   w.LeaveVoice(w.guild, w.stranger),
		"self mute in no guild":   w.SetSelfVoice(1, w.ana, true, true),
		"everyone role as a gift": w.AddMember(w.guild, w.cat, w.guild),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if w.LastVoiceChange() != before {
		t.Error("a mistake changed a voice state")
	}
	if _, ok := w.VoiceState(w.guild, w.stranger); ok {
		t.Error("a stranger has a voice state")
	}
	if list := w.VoiceStates(w.guild); len(list) != 2 || list[0].User != w.ana {
		t.Errorf("in voice: %+v", list)
	}
}

func second[T any](_ T, err error) error { return err }

func TestRemovedMemberLeavesVoice(t *testing.T) {
	w := newWorld(t, Config{})
	w.ok(w.RemoveMember(w.guild, w.ana))
	c := w.VoiceChanges(w.LastVoiceChange()-1, 0)
	if len(c) != 1 || c[0].After.Channel != 0 || c[0].By != 0 {
		t.Errorf("change %+v", c)
	}
}

func TestIDs(t *testing.T) {
	for _, s := range []string{"", "0", "-1", "+1", "01", "1 ", "1e3", "18446744073709551616", "x"} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %d", s, id)
		}
	}
	if id, err := ParseID("18446744073709551615"); err != nil || id.String() != "18446744073709551615" {
		t.Errorf("largest: %d %v", id, err)
	}
	d := New(Config{})
	seen := ID(0)
	for range 5000 { // more than one millisecond's worth
		d.mu.Lock()
		id := d.newID()
		d.mu.Unlock()
		if id <= seen {
			t.Fatalf("%d follows %d", id, seen)
		}
		seen = id
	}
}
