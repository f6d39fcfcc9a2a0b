package bustest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"splashtail/bus"
)

// Holding names the streams in which a stored message has a text, those of buckets included: what must be nowhere is then
// looked for everywhere. seen is how many messages were looked at.
func Holding(t testing.TB, b *bus.Bus, text string) (streams []string, seen int) {
	t.Helper()
	js := raw(t, b)
	names := js.StreamNames(t.Context())
	for name := range names.Name() {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		state := s.CachedInfo().State
		found := false
		for seq := max(state.FirstSeq, 1); seq <= state.LastSeq && !found; seq++ {
			m, err := s.GetMsg(t.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			if err != nil {
				t.Fatalf("message %d of %s: %v", seq, name, err)
			}
			seen++
			found = bytes.Contains(m.Data, []byte(text)) || bytes.Contains([]byte(m.Subject), []byte(text))
		}
		if found {
			streams = append(streams, name)
		}
	}
	if err := names.Err(); err != nil {
		t.Fatal(err)
	}
	return streams, seen
}
