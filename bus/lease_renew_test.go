package bus_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// TestALeaseSurvivesARenewalWithoutAnswer stores a lease's own value once more behind its
// back: that is what a renewal leaves whose answer came too late.
func TestALeaseSurvivesARenewalWithoutAnswer(t *testing.T) {
	b := bustest.New(t)
	l, err := bus.Acquire(t.Context(), b, bus.CaptureEdgeLease(), time.Second, "me")
	if err != nil {
		t.Fatal(err)
	}
	js := raw(t, b)
	kv, err := js.KeyValue(t.Context(), "LEASES")
	if err != nil {
		t.Fatal(err)
	}
	own, err := kv.Get(t.Context(), bus.CaptureEdgeLease().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), own.Key(), own.Value()); err != nil {
		t.Fatal(err)
	}
	w, err := kv.Watch(t.Context(), own.Key(), jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // two renewals more
		select {
		case <-w.Updates():
		case <-l.Lost():
			t.Fatal("the lease was given up although nobody else has it")
		case <-time.After(30 * time.Second):
			t.Fatal("the lease is not renewed")
		}
	}
	if _, err := kv.Put(t.Context(), own.Key(), []byte(`{"v":1,"holder":"somebody else"}`)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.Lost():
	case <-time.After(30 * time.Second):
		t.Fatal("the lease was not lost although somebody else has it")
	}
}
