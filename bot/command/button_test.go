package command

import (
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/secret"
)

// TestButtonIDs: an id is read by every process with the token, in its guild, and fits.
func TestButtonIDs(t *testing.T) {
	s, again, other := newSealer(secret.New("a.b.c")), newSealer(secret.New("a.b.c")), newSealer(secret.New("x.y.z"))
	want := pressed{name: strings.Repeat("n", 16), state: strings.Repeat("s", MaxState), by: 1<<64 - 1, until: time.Unix(1<<31, 0)}
	id := s.seal(7, want)
	if len(id) > 100 {
		t.Errorf("an id has %d characters", len(id))
	}
	if got, ok := again.open(7, id); !ok || got != want {
		t.Errorf("read as %+v, %v", got, ok)
	}
	if _, ok := other.open(7, id); ok {
		t.Error("another token reads it")
	}
	if _, ok := s.open(8, id); ok {
		t.Error("it works in another guild")
	}
	for i := range len(id) {
		changed := []byte(id)
		changed[i] ^= 1
		if _, ok := s.open(7, string(changed)); ok {
			t.Errorf("it works with another character at %d", i)
		}
	}
}

// FuzzButtonID: what others put on buttons is never ours.
func FuzzButtonID(f *testing.F) {
	s := newSealer(secret.New("a.b.c"))
	f.Add(uint64(7), "1help|2|3|4|AAAAAAAAAAAAAAAA")
	f.Add(uint64(0), "||||")
	f.Fuzz(func(t *testing.T, guild uint64, id string) {
		if p, ok := s.open(bus.GuildID(guild), id); ok {
			t.Errorf("%q was read as %+v", id, p)
		}
	})
}
