package restore

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// written is a message as everybody sees it.
type written struct {
	Author      struct{ Username, Avatar string }
	Content     string
	Pinned      bool
	Type, Flags int
	Webhook     string `json:"webhook_id"`
	Mentions    []any
	Everyone    bool `json:"mention_everyone"`
	Embeds      []struct{ Title string }
	Attachments []struct {
		URL  string
		Size int
	}
}

// saidIn is what was written in a channel or thread, oldest first, Discord's own messages aside.
func (x *rig) saidIn(id, _ string) []written {
	x.t.Helper()
	place, err := sandbox.ParseID(id)
	x.ok(err)
	var list []written
	for _, m := range x.Messages(place) {
		var w written
		x.ok(json.Unmarshal(m.JSON, &w))
		if w.Type == 0 {
			list = append(list, w)
		}
	}
	return list
}

// idOfChannel finds a channel or thread of the guild by name and topic.
func (x *rig) idOfChannel(name string, parent bool) string {
	x.t.Helper()
	s := must(readGuild(x.t.Context(), x.tools.Bot, x.guild.String()))(x.t)
	for _, c := range s.Channels {
		if c.Name == name && (c.Parent != nil) == parent {
			return string(c.ID)
		}
	}
	for _, c := range s.Threads {
		if c.Name == name {
			return string(c.ID)
		}
	}
	x.t.Fatalf("there is no channel %s", name)
	return ""
}

// TestRoundTrip: an empty guild becomes what the backup of another one says, and a second plan is empty (acceptance 38; R7,
// R8, R9, R11, R12, R20). That a whole guild comes back as it was, the tests with generated guilds show.
func TestRoundTrip(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	done, r := x.restored(savedGuild(x), bus.PlanArgs{})
	if len(done.Failed) > 0 {
		t.Errorf("failed: %s", strings.Join(done.Failed, "\n"))
	}
	if text := string(x.files[r.job.ID+"/"+ReportName]); !strings.Contains(text, "The restore is finished: 37 of 39 steps done") || !strings.Contains(text, done.Safety) {
		t.Error(text)
	}
	snap, _ := x.Snapshot(x.guild)
	var roles, channels []string
	for _, r := range snap.Roles {
		roles = append(roles, r.Name)
	}
	for _, c := range snap.Channels {
		channels = append(channels, c.Parent+"/"+c.Name)
	}
	if have := strings.Join(roles, " "); have != "@everyone Member Crew Crew Captain guard" {
		t.Errorf("roles from the bottom up: %s", have)
	}
	if have := strings.Join(channels, " "); have != "/general /general /Stage /Information Information/rules Information/updates /Talk Talk/memes Talk/general Talk/help Talk/Lounge" {
		t.Errorf("channels as shown: %s", have)
	}
	b := savedGuild(x)
	b.Structure.Guild.Icon, b.Lacks = "", true // the reader of these tests fetches no pictures
	again, p := x.planned(b, bus.PlanArgs{})
	if !p.Empty() {
		t.Errorf("a plan of the result: %v %v", again.Counts, again.Lines)
	}
}

// TestMessagesComeBack: oldest first, in their authors' names, long ones in pieces, files byte for byte, answers with a link,
// pins pinned; nobody is mentioned and nobody notified; no webhook stays (acceptance 40; R14 to R17).
func TestMessagesComeBack(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	b := savedGuild(x)
	x.restored(b, bus.PlanArgs{})
	general := x.saidIn(x.idOfChannel("general", true), "")
	if len(general) != 30 { // one of the 30 was Discord's own, one comes in two pieces
		t.Fatalf("%d messages", len(general))
	}
	for i, m := range general {
		if m.Webhook == "" || m.Flags&flagSilent == 0 || len(m.Mentions) > 0 || m.Everyone {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	for i, want := range map[int]string{0: "message 0 of 923", 1: "message 1 of 923", 4: "message 3 of 923", 29: "message 29 of 923"} {
		if general[i].Content != want || general[i].Author.Username != []string{"Ana", "Bo of disc0rd"}[authorAt(i)] {
			t.Errorf("message %d is %+v", i, general[i])
		}
	}
	if long := general[2].Content + " " + general[3].Content; long != strings.TrimSpace(b.Said["923"][2].Content) {
		t.Errorf("the long one has %d characters", len(long))
	}
	if a := general[4].Attachments; len(a) != 1 || a[0].Size != 5000 || x.fetch(a[0].URL) != strings.Repeat("x", 5000) {
		t.Errorf("the file is %+v", a)
	}
	if !strings.HasPrefix(general[5].Content, "-# ↪ https://discord.com/channels/"+x.guild.String()+"/") || !strings.HasSuffix(general[5].Content, "message 4 of 923") {
		t.Errorf("the answer is %q", general[5].Content)
	}
	if memes := x.idOfChannel("memes", true); !strings.HasPrefix(general[6].Content, "see <#"+memes+">") {
		t.Errorf("the mention is %q", general[6].Content)
	}
	if len(general[7].Embeds) != 1 || !general[1].Pinned || !general[8].Pinned || general[9].Pinned {
		t.Errorf("embeds %v, pins %v %v", general[7].Embeds, general[1].Pinned, general[8].Pinned)
	}
	for _, name := range []string{"a thread", "a question"} {
		if n := len(x.saidIn(x.idOfChannel(name, false), "")); n != 3 {
			t.Errorf("%s has %d messages", name, n)
		}
	}
	snap, _ := x.Snapshot(x.guild)
	if len(snap.Webhooks) != 1 || snap.Webhooks[0].Name != "News" {
		t.Errorf("webhooks: %v", snap.Webhooks)
	}
}

// authorAt is who wrote the message at a place of the channel: 0 Ana, 1 Bo.
func authorAt(i int) int { return map[int]int{1: 1, 4: 1, 29: 1}[i] }

// fetch downloads a file of the sandbox.
func (x *rig) fetch(url string) string {
	x.t.Helper()
	resp := must(http.Get(url))(x.t)
	defer resp.Body.Close()
	return string(must(io.ReadAll(resp.Body))(x.t))
}
