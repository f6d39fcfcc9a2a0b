package bustest

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"splashtail/bus"
)

// AgeDispatches lets the stream of dispatches forget everything before a place, as it does
// with what is older than an hour.
func AgeDispatches(t testing.TB, b *bus.Bus, before uint64) {
	t.Helper()
	js := raw(t, b)
	s, err := js.Stream(t.Context(), "DISPATCH")
	if err == nil {
		err = s.Purge(t.Context(), jetstream.WithPurgeSequence(before))
	}
	if err != nil {
		t.Fatalf("the stream keeps what it has: %v", err)
	}
}
