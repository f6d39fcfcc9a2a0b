package discord

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newCDNRig(t *testing.T, h http.HandlerFunc) *CDN {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c := must(NewCDN(srv.URL))(t)
	t.Cleanup(c.Close)
	return c
}

func fetch(t *testing.T, c *CDN, address string, most int64) (string, error) {
	t.Helper()
	d, err := c.Open(t.Context(), address, most)
	if err != nil {
		return "", err
	}
	defer d.Close()
	data, err := io.ReadAll(d)
	return string(data), err
}

func TestCDNReasons(t *testing.T) {
	t.Parallel()
	const size = 1000
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		want  CDNReason // empty: it comes
	}{
		{"whole", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), size)) }, ""},
		{"in pieces", func(w http.ResponseWriter, _ *http.Request) {
			for range size {
				w.Write([]byte("x"))
				_ = http.NewResponseController(w).Flush()
			}
		}, ""},
		{"one too many", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), size+1)) }, CDNTooLarge},
		{"one too many, unannounced", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			w.Write(bytes.Repeat([]byte("x"), size+1))
		}, CDNTooLarge},
		{"404", http.NotFound, CDNRefused},
		{"410", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, CDNRefused},
		{"partial", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206) }, CDNRefused},
		{"redirect", func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/elsewhere", http.StatusFound) }, CDNRefused},
		{"429", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, CDNFailing},
		{"502", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, CDNFailing},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 1<<20))
			z.Close()
		}, CDNEncoded},
		{"reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, CDNBroken},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			w.Write(make([]byte, 100))
			panic(http.ErrAbortHandler)
		}, CDNBroken},
		{"silence", func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, CDNBroken},
		{"stall", func(w http.ResponseWriter, q *http.Request) {
			w.Write(make([]byte, 100))
			_ = http.NewResponseController(w).Flush()
			<-q.Context().Done()
		}, CDNBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cdn := newCDNRig(t, c.serve)
			if c.name == "silence" || c.name == "stall" {
				cdn = cdn.Patient(200 * time.Millisecond)
			}
			data, err := fetch(t, cdn, "/attachments/1/2/f.bin", size)
			var e *CDNError
			switch {
			case c.want == "" && (err != nil || len(data) != size):
				t.Errorf("%d bytes, %v", len(data), err)
			case c.want != "" && (!errors.As(err, &e) || e.Reason != c.want || e.Why == "" || strings.Contains(e.Why, "127.0.0.1")):
				t.Errorf("%v, want %s", err, c.want)
			case c.want != "" && e.Again() != (c.want == CDNBroken || c.want == CDNFailing):
				t.Errorf("%s can be tried again: %v", c.name, e.Again())
			}
		})
	}
}

// TestCDNAsksNobodyElse: only Discord's hosts by https, and the base (acceptance 44).
func TestCDNAsksNobodyElse(t *testing.T) {
	t.Parallel()
	asked := false
	c := newCDNRig(t, func(http.ResponseWriter, *http.Request) { asked = true })
	for _, address := range []string{
		"https://169.254.169.254/latest", "http://cdn.discordapp.com/a", "https://cdn.discordapp.com.evil.example/a", "https://evil.example/a",
		"https://user@cdn.discordapp.com/a", "https://cdn.discordapp.com:444/a", "//evil.example/a", "file:///etc/passwd", "ftp://cdn.discordapp.com/a",
		"http://127.0.0.1:1/a", "http://localhost/a", "", "x", "https:cdn.discordapp.com/a", "https://[::1]/a", "https://cdn.discordapp.com/" + strings.Repeat("a", maxURL),
		"/" + strings.Repeat("a", maxURL),
	} {
		var e *CDNError
		if _, err := fetch(t, c, address, 10); !errors.As(err, &e) || e.Reason != CDNForeign {
			t.Errorf("%.60s: %v", address, err)
		}
	}
	if asked {
		t.Error("the base was asked")
	}
	for _, address := range []string{"https://cdn.discordapp.com/attachments/1/2/a.png?ex=1", "https://media.discordapp.net/stickers/1.gif"} {
		if got, err := c.Check(address); err != nil || got != address {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
	for _, base := range []string{"", "cdn", "ftp://x", "https://user:pass@x"} {
		if _, err := NewCDN(base); err == nil {
			t.Errorf("the base %q", base)
		}
	}
}

// TestCDNDialsNoPrivateAddress: a name of Discord's that leads into our network is not followed there.
func TestCDNDialsNoPrivateAddress(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"127.0.0.1:80", "10.0.0.1:443", "192.168.1.1:443", "172.16.3.4:443", "169.254.169.254:80", "100.64.0.1:443", "0.0.0.0:80", "[::1]:80",
		"[fe80::1]:80", "[fd00::1]:80", "[::ffff:10.0.0.1]:80", "[64:ff9b::a00:1]:80", "224.0.0.1:80", "255.255.255.255:80", "198.18.0.1:80",
	} {
		if err := publicOr(false, a); err == nil {
			t.Errorf("%s counts as public", a)
		}
	}
	for _, a := range []string{"162.159.135.233:443", "[2606:4700::6810:84e5]:443"} {
		if err := publicOr(false, a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	if err := publicOr(true, "127.0.0.1:80"); err != nil {
		t.Errorf("a stand-in on loopback: %v", err)
	}
	if publicOr(true, "10.0.0.1:80") == nil || public(netip.MustParseAddr("10.0.0.1")) {
		t.Error("a stand-in on loopback opens the private network")
	}
}

// TestCDNEndsWithItsContext and says that it was the context, not the file.
func TestCDNEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := newCDNRig(t, func(w http.ResponseWriter, q *http.Request) {
		w.Write(make([]byte, 10))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-q.Context().Done()
	})
	d, err := c.Open(ctx, "/a", 100)
	if err == nil {
		_, err = io.ReadAll(d)
		d.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCDNMedia(t *testing.T) {
	if got := must(NewCDN(DefaultCDN))(t).Media("/stickers/1.gif"); got != "https://media.discordapp.net/stickers/1.gif" {
		t.Error(got)
	}
	if got := must(NewCDN("http://127.0.0.1:9"))(t).Media("/stickers/1.gif"); got != "http://127.0.0.1:9/stickers/1.gif" {
		t.Error(got)
	}
}

// answering is a transport that answers every request with a body.
type answering func(*http.Request) io.Reader

func (a answering) RoundTrip(q *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Body: io.NopCloser(a(q))}, nil
}

// silent is a body of which nothing comes until its request ends.
type silent struct{ ctx context.Context }

func (s silent) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// TestCDNTimesTheHostAndNotItsReader: a file that is sent on slowly is not taken for one that does not come.
func TestCDNTimesTheHostAndNotItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := must(NewCDN("http://cdn.test"))(t)
		c.http.Transport = answering(func(q *http.Request) io.Reader {
			return io.MultiReader(strings.NewReader("a"), strings.NewReader("b"), silent{q.Context()})
		})
		d := must(c.Open(t.Context(), "/a", math.MaxInt64))(t)
		defer d.Close()
		b := make([]byte, 8)
		for _, want := range []string{"a", "b"} {
			time.Sleep(2 * cdnStall)
			if n, err := d.Read(b); err != nil || string(b[:n]) != want {
				t.Fatalf("%q, %v, want %q", b[:n], err, want)
			}
		}
		begun := time.Now()
		var e *CDNError
		if _, err := d.Read(b); !errors.As(err, &e) || e.Reason != CDNBroken {
			t.Errorf("of a silent host: %v", err)
		}
		if took := time.Since(begun); took != cdnStall {
			t.Errorf("it was waited for %s", took)
		}
	})
}
