package sandbox

import (
	"context"
	"fmt"
	"testing"

	"github.com/coder/websocket"

	"splashtail/internal/gateway"
)

// TestCompression reads the same session in every encoding.
func TestCompression(t *testing.T) {
	const n = 300
	w := newGatewayWorld(t, patient())
	for _, tc := range []struct {
		what, path string
		compress   any // of IDENTIFY
	}{
		{"text", "/?v=10&encoding=json", false},
		{"a word", "/?v=10&encoding=json", "zlib-stream"},
		{"payload", "/?v=9&encoding=json", true},
		{"zlib", "/?v=10&encoding=json&compress=zlib-stream", nil},
		{"zlib wins over payload", "/?compress=zlib-stream&encoding=json&v=10", true},
		{"zstd", "/?v=10&encoding=json&compress=zstd-stream", nil},
	} {
		t.Run(tc.what, func(t *testing.T) {
			c := w.dial(tc.path)
			c.t = t
			d := identity(w.all, IntentGuilds|IntentGuildMessages|IntentMessageContent)
			if tc.compress != nil {
				d["compress"] = tc.compress
			}
			c.ready(d)
			if g := c.read(); g.name() != "GUILD_CREATE" {
				t.Fatalf("came %s", g.name())
			}
			w.ok(w.Burst(context.Background(), Burst{Guild: w.guild, Channel: w.text, Author: w.ana, Count: n}))
			for i := range n {
				if m := c.read(); content(t, m) != fmt.Sprintf("burst %d", i+1) {
					t.Fatalf("message %d: %s", i+1, m.D)
				}
			}
		})
	}
}

// TestPayloadCompression looks at the kind of frames: large ones are binary, small ones text, also after a RESUME.
func TestPayloadCompression(t *testing.T) {
	w := newGatewayWorld(t, patient())
	kinds := func(c *gatewayClient, first int) {
		t.Helper()
		for i := range 2 {
			typ, b, err := c.ws.Read(c.ctx)
			if err != nil {
				t.Fatal(err)
			}
			text, err := b, error(nil)
			if typ == websocket.MessageBinary {
				text, err = c.text(b)
			}
			if err != nil || (typ == websocket.MessageBinary) != (len(text) >= compressFrom) || (typ == websocket.MessageBinary) != (i >= first) {
				t.Errorf("frame %d of %d bytes is of type %v: %v", i, len(text), typ, err)
			}
		}
	}
	c := w.dial("/?v=10")
	d := identity(w.all, IntentGuilds)
	d["compress"] = true
	c.send(gateway.OpIdentify, d)
	id := ""
	kinds(c, 1) // READY is small here
	id = w.Sessions()[0].ID
	w.CutSessions(Sessions{})
	c = w.dial("/?v=10")
	c.resume(w.all, id, 1)
	typ, _, err := c.ws.Read(c.ctx)
	if err != nil || typ != websocket.MessageBinary {
		t.Errorf("after a RESUME the guild came as %v: %v", typ, err)
	}
}
