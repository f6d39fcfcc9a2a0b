package upstream

import (
	"testing"

	"splashtail/bus"
)

// TestWhatIsAbandonedGivesBackItsSlots: other shards of the process need them.
func TestWhatIsAbandonedGivesBackItsSlots(t *testing.T) {
	p := &publisher{slots: make(chan struct{}, 3), queue: make(chan underway, 4)}
	for range 3 {
		p.slots <- struct{}{}
		p.queue <- underway{write: &bus.Write{}}
	}
	p.queue <- underway{} // of an event that needed no slot
	p.abandon()
	if len(p.slots) != 0 || len(p.queue) != 0 {
		t.Errorf("%d slots are taken by %d events", len(p.slots), len(p.queue))
	}
}
