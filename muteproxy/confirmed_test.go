package muteproxy

import (
	"testing"
	"time"

	"splashtail/bus"
)

// A process was killed: it had changed a member to an older wish without coming to write that down, so the newest record
// names a state as applied that Discord had before.
func TestARecordOfADeadProcessIsNotTakenForTheTruth(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	r.ok(r.discord.SetVoice(r.guild, r.users[0], false, false)) // what the dead process did last
	store := must[*bus.Records[bus.VoiceRecord]](t)(bus.OpenRecords(t.Context(), r.bus, bus.VoiceRecords()))
	now := time.Now().UTC()
	_, err := store.Put(t.Context(), bus.VoiceKey(bus.GuildID(r.guild), bus.UserID(r.users[0])), bus.VoiceRecord{V: 1,
		Wish:    bus.VoiceWish{VoiceState: silent, ID: "newest", Tier: 5, Code: code, At: now},
		Applied: &bus.VoiceApplied{VoiceState: silent, WishID: "the one before the one before", Lane: "official", At: now},
	})
	r.ok(err)
	r.start()
	r.expect(silent)
}

func TestWhatIsKnownForCertain(t *testing.T) {
	c, now := confirmed{}, time.Now()
	want := func(what string, applied *bus.VoiceApplied, sure bool, at time.Time) {
		t.Helper()
		if a, s := c.of(1, at); a != applied || s != sure {
			t.Errorf("%s: %+v, sure %t; want %+v, %t", what, a, s, applied, sure)
		}
	}
	want("before any call", nil, true, now)
	c.begin(1, now)
	want("during a call", nil, false, now.Add(time.Second))
	want("long after a call without an answer", nil, true, now.Add(settleTime+time.Millisecond))
	a := &bus.VoiceApplied{VoiceState: muted, At: now.Add(time.Second)}
	c.done(1, a)
	want("after the answer", a, true, now.Add(time.Second))
	c.begin(1, now.Add(2*time.Second))
	want("during the next call", nil, false, now.Add(2*time.Second))
	c.forget(now.Add(2*time.Second + sameFor))
	if len(c) != 1 {
		t.Error("a call that still counts was forgotten")
	}
	c.forget(now.Add(3*time.Second + sameFor))
	if len(c) != 0 {
		t.Error("a call that counts no more is kept")
	}
}
