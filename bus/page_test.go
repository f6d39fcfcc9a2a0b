package bus_test

import (
	"encoding/json"
	"testing"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// TestPagesTogetherAreTheStream: page after page gives every message of the filter once,
// in order, and says when that was all.
func TestPagesTogetherAreTheStream(t *testing.T) {
	b := bustest.New(t)
	const n = 250
	var last uint64
	for i := range n {
		d := bus.Dispatch{Shard: i % 2, Event: "MESSAGE_CREATE", Session: "s", Seq: int64(i + 1), Data: json.RawMessage(`{}`)}
		s, err := bus.DispatchSubject(d)
		if err != nil {
			t.Fatal(err)
		}
		if last, err = bus.Publish(t.Context(), b, s, d); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	from, more := uint64(1), true
	for pages := 0; more; pages++ {
		var page []bus.Delivery[bus.Dispatch]
		var err error
		page, more, err = bus.ReadPage(t.Context(), b, bus.DispatchesOfShard(1), from, 50)
		if err != nil || len(page) > 50 || pages > n {
			t.Fatalf("page %d has %d messages, %v", pages, len(page), err)
		}
		for _, d := range page {
			got = append(got, d.Value.Seq)
			from = d.Seq + 1
		}
	}
	if len(got) != n/2 {
		t.Fatalf("%d messages, want %d", len(got), n/2)
	}
	for i, s := range got {
		if s != int64(2*i+2) {
			t.Fatalf("message %d is event %d", i, s)
		}
	}
	page, more, err := bus.ReadPage(t.Context(), b, bus.AllDispatches(), last+1, 50)
	if len(page) != 0 || more || err != nil {
		t.Errorf("behind the end: %d messages, %v, %v", len(page), more, err)
	}
}
