package restore

import (
	"encoding/json"
	"testing"

	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// TestAChannelHasOneLaneForItsWords: whoever writes into a channel or a thread of it shares its webhook, which two at once would make
// twice: also in a channel that is still there and was emptied.
func TestAChannelHasOneLaneForItsWords(t *testing.T) {
	text := func(name string, v any) plan.Field {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Field{Name: name, After: data}
	}
	thread := func(id model.ID, parent string) plan.Step {
		return plan.Step{Op: plan.Create, Kind: plan.Thread, ID: id, Fields: []plan.Field{text("parent_id", parent)}}
	}
	words := func(id model.ID, n int) plan.Step {
		return plan.Step{Op: plan.Create, Kind: plan.Messages, ID: id, Fields: []plan.Field{text("count", n)}}
	}
	x := &run{plan: plan.Plan{Steps: []plan.Step{
		words("1", 5), thread("11", "+1"), words("11", 2), // a channel that is made
		words("2", 50), thread("21", "2"), words("21", 3), // one that was emptied
		thread("31", "3"), words("31", 1), // one that has its messages
	}}}
	_, lanes := x.lanes()
	if len(lanes) != 3 {
		t.Fatalf("%d lanes, want one for each channel", len(lanes))
	}
	for i, want := range []struct{ steps, size int }{{3, 53}, {3, 7}, {2, 1}} { // the longest first
		if got := lanes[i]; len(got.steps) != want.steps || got.size != want.size {
			t.Errorf("lane %d has %d steps and %d messages, want %+v", i, len(got.steps), got.size, want)
		}
	}
}
