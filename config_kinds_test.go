package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestURLsHidePasswords(t *testing.T) {
	for text, want := range map[string]string{
		"nats://h:4222":                           "nats://h:4222",
		"nats://u:hunter2@h:4222":                 "nats://(hidden)@h:4222",
		"nats://u:hunt@er2@h":                     "nats://(hidden)@h",
		"nats://a:hunter2@h1,nats://b:hunter2@h2": "nats://(hidden)@h1,nats://(hidden)@h2",
		"nats://h1, nats://u:hunter2@h2/x@y":      "nats://h1, nats://(hidden)@y",
		"nats://u:hunter2@h%C3%BC":                "nats://(hidden)@h%C3%BC",
		"nats://u:hun/ter2@h":                     "nats://(hidden)@h",
		"nats://u:hun,ter2@h":                     "nats://(hidden)@h",
		"nats://u:12,hunter2@h":                   "nats://(hidden)@h",
		"nats://u:hun#ter2@h":                     "nats://(hidden)@h",
		"nats://u:hun?ter2@h":                     "nats://(hidden)@h",
		"u:hunter2@h":                             "(hidden)@h",
		"u:hun//ter2@h":                           "(hidden)@h",
		"nats:/u:hunter2@h":                       "(hidden)@h",
		"no address":                              "no address",
	} {
		if got := maskURL(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// FuzzURLsHidePasswords holds that whatever stands in a password, in the right place or
// not, neither the value nor a fault shows it.
func FuzzURLsHidePasswords(f *testing.F) {
	f.Add("nats://", "u", "p@ss,w/o#rd?", "h:4222", false)
	f.Add("", "", "//x://", "h", true)
	f.Add("nats://", "u", "", "h%C3%BC", false)
	f.Add("A://", "0", "#", "0", false)
	f.Fuzz(func(t *testing.T, scheme, user, password, host string, twice bool) {
		const secret = "hunter2"
		if strings.Contains(scheme+host+user, secret) || strings.ContainsAny(host, "@") {
			return
		}
		text := scheme + user + ":" + password + secret + "@" + host
		if twice {
			text += "," + text
		}
		var u URL
		u.text = text
		err := u.parse(text, "nats,tls")
		if strings.Contains(u.String(), secret) || strings.Contains(shown(&u), secret) || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q is shown as %q, %s, %v", text, u.String(), shown(&u), err)
		}
	})
}

// FuzzKindsComeBack holds that what a kind of setting took is within its rule, and that
// its value, written down, is taken again as the same.
func FuzzKindsComeBack(f *testing.F) {
	for _, s := range []string{"5", "+5", "0", "65", "127.0.0.1:6379", "[::1]:0", "[::1", "localhost:", ":1", "h:00080", "Debug", "a.b-c:1", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return
		}
		again := func(s setting, written, rule string) {
			t.Helper()
			s.told().text = written
			if err := s.parse(written, rule); err != nil || s.String() != written {
				t.Errorf("%T: %q became %q, which became %q, %v", s, text, written, s.String(), err)
			}
		}
		var n Number
		n.text = text
		if n.parse(text, "1..64") == nil {
			if n.N < 1 || n.N > 64 {
				t.Errorf("%q is %d", text, n.N)
			}
			again(&Number{}, n.String(), "1..64")
		}
		var p Port
		if p.parse(text, "") == nil && (p.N < 0 || p.N > 65535) {
			t.Errorf("port %q is %d", text, p.N)
		}
		var ms Millis
		if ms.parse(text, "10..60000") == nil && (ms.duration() < 10*time.Millisecond || ms.duration() > time.Minute) {
			t.Errorf("%q is %s", text, ms.duration())
		}
		var h Host
		if h.parse(text, "") == nil {
			again(&Host{}, h.Value, "")
			if strings.ContainsAny(h.Value, " /[]@\n") {
				t.Errorf("host %q is %q", text, h.Value)
			}
		}
		var hp HostPort
		if hp.parse(text, "") == nil {
			again(&HostPort{}, hp.Value, "")
			if a, err := netip.ParseAddrPort(text); err == nil && a.Addr().IsLoopback() != hp.loopback() {
				t.Errorf("%q counts as loopback: %t", text, hp.loopback())
			}
		}
		var c Choice
		if c.parse(text, "debug,info,warn,error") == nil {
			again(&Choice{}, c.Value, "debug,info,warn,error")
			if !strings.EqualFold(c.level().String(), c.Value) {
				t.Errorf("%q is the level %s", text, c.level())
			}
		}
	})
}
