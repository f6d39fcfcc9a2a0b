package bus_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// TestMarksOfRemovedRecordsEnd looks at what a removed record leaves: a mark for those
// who watch, which must go by itself, or every connect code that ever was would stay.
func TestMarksOfRemovedRecordsEnd(t *testing.T) {
	b := bustest.New(t)
	owners, err := bus.OpenRecords(t.Context(), b, bus.Owners())
	if err != nil {
		t.Fatal(err)
	}
	rev, err := owners.Create(t.Context(), "7F3A09C2", bus.Owner{V: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := owners.Delete(t.Context(), "7F3A09C2", rev); err != nil {
		t.Fatal(err)
	}
	voice, err := bus.OpenRecords(t.Context(), b, bus.VoiceRecords())
	if err != nil {
		t.Fatal(err)
	}
	if rev, err = voice.Put(t.Context(), "1.2", bus.VoiceRecord{V: 1}); err != nil {
		t.Fatal(err)
	}
	if err := voice.Delete(t.Context(), "1.2", rev); err != nil {
		t.Fatal(err)
	}
	js := raw(t, b)
	for stream, subject := range map[string]string{"KV_LEASES": "$KV.LEASES.owner.7F3A09C2", "KV_VOICE": "$KV.VOICE.1.2"} {
		s, err := js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.GetLastMsgForSubject(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("KV-Operation") != "PURGE" || m.Header.Get(jetstream.MsgTTLHeader) != "1h0m0s" {
			t.Errorf("%s: the mark has the headers %v", stream, m.Header)
		}
	}
}
