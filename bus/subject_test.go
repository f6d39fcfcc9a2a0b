package bus_test

import (
	"testing"

	"splashtail/bus"
)

func TestSubjectsHaveInverses(t *testing.T) {
	code := mustCode(t, "7F3A09C2")
	for _, kind := range bus.CaptureKinds {
		c, k, err := bus.ParseCaptureSubject(bus.CaptureSubject(code, kind).String())
		if err != nil || c != code || k != kind {
			t.Errorf("capture subject of %s: got %v %v %v", kind, c, k, err)
		}
	}
	if c, err := bus.ParseModifyCall(bus.ModifyCall(code).String()); err != nil || c != code {
		t.Errorf("modify call: %v %v", c, err)
	}
	for _, applied := range []bool{true, false} {
		s := bus.MuteFailedSubject(7).String()
		if applied {
			s = bus.MuteAppliedSubject(7).String()
		}
		if g, a, err := bus.ParseMuteSubject(s); err != nil || g != 7 || a != applied {
			t.Errorf("%s: got %v %v %v", s, g, a, err)
		}
	}
	cmd, err := bus.CommandSubject("broker", "drain")
	if err != nil {
		t.Fatal(err)
	}
	if c, v, err := bus.ParseCommandSubject(cmd.String()); err != nil || c != "broker" || v != "drain" {
		t.Errorf("command: %v %v %v", c, v, err)
	}
	if n, k, err := bus.ParseGatewaySendCall(bus.GatewaySendCall(4, 3).String()); err != nil || n != 4 || k != 3 {
		t.Errorf("gateway send: %v %v %v", n, k, err)
	}
	if g, u, err := bus.ParseVoiceKey(bus.VoiceKey(7, 9)); err != nil || g != 7 || u != 9 {
		t.Errorf("voice key: %v %v %v", g, u, err)
	}
}

func TestCommandSubjectRefusesWildcards(t *testing.T) {
	for _, w := range []string{"", "*", ">", "a.b", "a b", "ä"} {
		if _, err := bus.CommandSubject("broker", w); !bus.IsCode(err, bus.CodeInvalid) {
			t.Errorf("verb %q: %v", w, err)
		}
	}
}

// FuzzParseSubjects holds every parser of an address to two promises: it does not
// panic, and what it accepts is exactly what its constructor builds.
func FuzzParseSubjects(f *testing.F) {
	for _, s := range []string{"capture.7F3A09C2.player", "modify.7F3A09C2", "event.mute.applied.812345678901234567", "command.broker.drain", "7.9", "capture.*.>", "...", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, k, err := bus.ParseCaptureSubject(s); err == nil && bus.CaptureSubject(c, k).String() != s {
			t.Errorf("capture subject %q", s)
		}
		if c, err := bus.ParseModifyCall(s); err == nil && bus.ModifyCall(c).String() != s {
			t.Errorf("modify call %q", s)
		}
		if g, applied, err := bus.ParseMuteSubject(s); err == nil {
			want := bus.MuteFailedSubject(g).String()
			if applied {
				want = bus.MuteAppliedSubject(g).String()
			}
			if want != s {
				t.Errorf("mute subject %q", s)
			}
		}
		if c, v, err := bus.ParseCommandSubject(s); err == nil {
			if built, err := bus.CommandSubject(c, v); err != nil || built.String() != s {
				t.Errorf("command subject %q", s)
			}
		}
		if n, k, err := bus.ParseGatewaySendCall(s); err == nil && bus.GatewaySendCall(n, k).String() != s {
			t.Errorf("gateway send %q", s)
		}
		if g, u, err := bus.ParseVoiceKey(s); err == nil && bus.VoiceKey(g, u) != s {
			t.Errorf("voice key %q", s)
		}
	})
}
