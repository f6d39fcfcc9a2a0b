package restore

import (
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// TestThePlanIsThereAsText: people can read every line of the plan that they approve, under its hash, and a name cannot add a line.
func TestThePlanIsThereAsText(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	saved := savedGuild(x)
	saved.Structure.Channels[0].Name = "one\nDeletes: 99"
	done, _ := x.planned(saved, bus.PlanArgs{Mode: bus.RestoreExact})
	text := string(x.files["planjob/"+done.Text])
	if done.Text != PlanText || !strings.HasPrefix(text, "Plan "+done.Hash+"\n") {
		t.Fatalf("the file %q is %q", done.Text, text)
	}
	steps := 0
	for _, n := range done.Counts {
		steps += n
	}
	lines := 0
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, "  ") {
			lines++
		} else if strings.HasPrefix(l, "Deletes: 99") {
			t.Error("a name has added a line")
		}
	}
	if lines != steps || steps < 10 {
		t.Errorf("it has %d lines for %d steps:\n%s", lines, steps, text)
	}
	for _, l := range append(done.Lines, done.Cannot...) {
		if !strings.Contains(text, "  "+strings.Map(printable, l)+"\n") {
			t.Errorf("it lacks %q", l)
		}
	}
}
