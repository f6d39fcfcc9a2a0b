package restore

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// said is what was written in a guild, by place.
func (x *rig) said() []string {
	var lines []string
	snap, _ := x.Snapshot(x.guild)
	_ = snap
	live := must(readGuild(x.t.Context(), x.tools.Bot, x.guild.String()))(x.t)
	for _, c := range live.Channels {
		lines = append(lines, x.saidIn(string(c.ID), c.Name)...)
	}
	return lines
}

func (x *rig) saidIn(id, name string) []string {
	var lines []string
	place, err := sandbox.ParseID(id)
	x.ok(err)
	for _, m := range x.Messages(place) {
		var w struct {
			Author  struct{ Username string }
			Pinned  bool
			Content string
		}
		x.ok(json.Unmarshal(m.JSON, &w))
		lines = append(lines, fmt.Sprintf("%s: %s %.40q files %d pinned %v", name, w.Author.Username, w.Content, len(m.Files), w.Pinned))
	}
	return lines
}

// TestRoundTrip: a guild in ruins becomes what the backup says: names, topics, overwrites, order, tags, settings, screens,
// expressions, messages (acceptance 38, 40; R8, R9, R11, R12, R14, R15, R16, R17, R20).
func TestRoundTrip(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	done, r := x.restored(savedGuild(x), bus.PlanArgs{})
	t.Log(string(x.files[r.job.ID+"/"+ReportName]))
	if len(done.Failed) > 0 {
		t.Errorf("failed: %s", strings.Join(done.Failed, "\n"))
	}
	t.Log(strings.Join(x.said(), "\n"))
	snap, _ := x.Snapshot(x.guild)
	data, _ := json.MarshalIndent(snap, "", " ")
	t.Log(string(data))
	b := savedGuild(x)
	b.Structure.Guild.Icon, b.Lacks = "", true // the reader of these tests fetches no pictures
	again, p := x.planned(b, bus.PlanArgs{})
	if !p.Empty() {
		t.Errorf("a plan of the result: %v %v", again.Counts, again.Lines)
	}
}
