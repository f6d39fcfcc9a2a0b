package upstream

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"strings"
	"testing"

	"splashtail/internal/sandbox"
)

// TestZlibStreamCarriesASession: over a RESUME too, which begins another stream.
func TestZlibStreamCarriesASession(t *testing.T) {
	w := newWorld(t, 2, sandbox.GatewaySettings{})
	cfg := w.config()
	cfg.Zlib = true
	u := w.start(cfg)
	w.live(u)
	w.burst(1, 500)
	w.d.Reconnect(sandbox.Sessions{})
	w.burst(501, 500)
	w.until("a RESUME", func() bool { return w.d.Resumes() == 1 })
	w.exactly(1000)
	if s := w.d.Sessions(); len(s) != 1 || s[0].Compress != zlibStream {
		t.Errorf("sessions %+v", s)
	}
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs", n)
	}
}

// zlibMessages compresses texts as one stream, each flushed.
func zlibMessages(t *testing.T, texts ...[]byte) [][]byte {
	t.Helper()
	var all [][]byte
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	for _, text := range texts {
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := z.Flush(); err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(buf.Bytes()))
		buf.Reset()
	}
	return all
}

func TestZlibMessagesBuildOnOneAnother(t *testing.T) {
	var texts [][]byte
	for n := range 200 {
		texts = append(texts, []byte(strings.Repeat(fmt.Sprintf(`{"op":0,"s":%d,"d":"the same again"}`, n), n*n%97+1)))
	}
	z := &zlibInflater{}
	for i, m := range zlibMessages(t, texts...) {
		cut := len(m) / 2 // a message may come in parts
		if out, err := z.inflate(m[:cut]); out != nil || err != nil {
			t.Fatalf("message %d, first half: %q %v", i, out, err)
		}
		if out, err := z.inflate(m[cut:]); err != nil || !bytes.Equal(out, texts[i]) {
			t.Fatalf("message %d: %d bytes, %v", i, len(out), err)
		}
	}
}

func TestZlibIsBounded(t *testing.T) {
	bomb := zlibMessages(t, make([]byte, maxInflated+1))[0]
	if _, err := (&zlibInflater{}).inflate(bomb); !errors.Is(err, errInflated) {
		t.Errorf("%d bytes: %v", len(bomb), err)
	}
	for _, bad := range [][]byte{[]byte("{}\x00\x00\xff\xff"), {0, 0, 0xff, 0xff}, {0x78, 0x9c, 0xff, 0xff, 0, 0, 0xff, 0xff}} {
		if out, err := (&zlibInflater{}).inflate(bad); err == nil {
			t.Errorf("%x gave %q", bad, out)
		}
	}
}
