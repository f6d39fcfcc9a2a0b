package upstream

import (
	"testing"

	"splashtail/internal/sandbox"
)

func TestEveryEventIsStoredOnceAndInOrder(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWorld(t, 2, sandbox.GatewaySettings{})
		cfg := w.config()
		cfg.Plain = plain
		u := w.start(cfg)
		w.live(u)
		w.burst(1, 2000)
		w.exactly(2000)
		if s := w.d.Sessions(); len(s) != 1 || (s[0].Compress == "zstd-stream") == plain {
			t.Errorf("sessions %+v", s)
		}
		if err := u.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAStopAndAStartResume(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	w.burst(1, 500)
	w.exactly(500)
	u.stop()
	w.burst(501, 500)
	u = w.start(w.config())
	w.live(u)
	w.exactly(1000)
	c := w.d.GatewayCounts()
	if c.Identifies != 1 || c.Resumes != 1 || c.Replayed != 500 {
		t.Errorf("%+v", c)
	}
	if s := w.d.Sessions(); len(s) != 1 || s[0].Path != "/gateway/resume" {
		t.Errorf("%+v", s)
	}
}
