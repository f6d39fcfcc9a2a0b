package upstream

import (
	"fmt"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/bus/bustest"
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

// TestAGuildOfMegabytesPasses: Discord sends guilds that are larger than a message of
// NATS is by default.
func TestAGuildOfMegabytesPasses(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	topic := strings.Repeat("🏰", 1024)
	for i := range 300 {
		c, err := w.d.AddChannel(w.guilds[0], fmt.Sprintf("channel-%d", i), 0)
		if err == nil {
			err = w.d.As(w.owner).EditChannel(c, sandbox.Fields{"topic": topic})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, plain := range []bool{true, false} {
		cfg := w.config()
		cfg.Plain = plain
		u := w.start(cfg)
		w.live(u)
		var guild bus.Delivery[bus.Dispatch]
		w.until("the guild is stored", func() bool {
			var err error
			guild, err = bus.Last(t.Context(), w.b, bus.DispatchesNamed("GUILD_CREATE"))
			return err == nil
		})
		if n := len(guild.Value.Data); n < 1<<20 || strings.Count(string(guild.Value.Data), topic) != 300 {
			t.Errorf("%d bytes", n)
		}
		u.stop()
		w.b = bustest.New(t)
	}
}
