package create

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
)

// a page as Discord sends it: a forward, a poll, a voice message with a sticker, an answer.
const pageOfKinds = `[
 {"id":"1000000000000000004","type":0,"content":"","author":{"id":"5","username":"ana"},"timestamp":"2026-01-02T03:04:05+00:00","flags":16384,
  "embeds":[],"attachments":[],"components":[],"pinned":false,
  "message_reference":{"type":1,"channel_id":"70","message_id":"60","guild_id":"80"},
  "message_snapshots":[{"message":{"type":0,"content":"look","timestamp":"2025-01-02T03:04:05+00:00","flags":0,"mentions":[],"mention_roles":[],"components":[],
   "embeds":[{"type":"rich","title":"card"},{"type":"image","url":"x"}],"sticker_items":[{"id":"7","name":"vent","format_type":1}],
   "attachments":[{"id":"901","filename":"map.png","size":5,"url":"%[1]s/901"}]}}]},
 {"id":"1000000000000000003","type":0,"content":"","author":{"id":"5","username":"ana"},"timestamp":"2026-01-02T03:04:05+00:00",
  "embeds":[],"attachments":[],"components":[],"pinned":false,
  "poll":{"question":{"text":"Skip?"},"answers":[{"answer_id":1,"poll_media":{"text":"yes","emoji":{"id":null,"name":"👍"}}},{"answer_id":2,"poll_media":{"text":"no"}}],
   "expiry":"2026-02-02T03:04:05+00:00","allow_multiselect":true,"layout_type":1,"results":{"is_finalized":true,"answer_counts":[{"id":1,"count":12,"me_voted":false}]}}},
 {"id":"1000000000000000002","type":0,"content":"","author":{"id":"5","username":"ana"},"timestamp":"2026-01-02T03:04:05+00:00","flags":8192,
  "embeds":[],"components":[],"pinned":false,"sticker_items":[{"id":"8","name":"dance","format_type":3}],
  "attachments":[{"id":"902","filename":"voice-message.ogg","content_type":"audio/ogg","size":5,"duration_secs":2.5,"waveform":"AAA=","url":"%[1]s/902"}]},
 {"id":"1000000000000000001","type":19,"content":"yes","author":{"id":"5","username":"ana"},"timestamp":"2026-01-02T03:04:05+00:00",
  "embeds":[],"attachments":[],"components":[],"pinned":false,"message_reference":{"type":0,"channel_id":"70","message_id":"61","guild_id":"80"}}
]`

// TestForwardsPollsAndVoice: what they hold is kept, the files of a forward too, of which one that cannot be had is named.
func TestForwardsPollsAndVoice(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	c := must(r.AddChannel(r.guild, "kinds", sandbox.TextChannel))(t)
	files := "/attachments/" + c.String()
	lost := false
	r.front = func(w http.ResponseWriter, q *http.Request) bool {
		switch {
		case strings.HasSuffix(q.URL.Path, "/channels/"+c.String()+"/messages"):
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, pageOfKinds, r.base+files)
		case strings.HasPrefix(q.URL.Path, files) && lost:
			w.WriteHeader(http.StatusGone)
		case strings.HasPrefix(q.URL.Path, files):
			fmt.Fprint(w, q.URL.Path[len(q.URL.Path)-3:])
		default:
			return false
		}
		return true
	}
	run := r.run()
	b := r.open(run, r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	list := b.messages[id(c)]
	if len(list) != 4 {
		t.Fatalf("%d messages", len(list))
	}
	bytesOf := func(a model.Attachment) string {
		in, _, err := b.File(a.File)
		r.ok(err)
		defer in.Close()
		return string(must(io.ReadAll(in))(t))
	}
	forward, poll, voice, answer := list[0], list[1], list[2], list[3]
	if ref := forward.Reply; ref == nil || *ref != (model.Reply{Type: model.Forwarding, Message: "60", Channel: "70", Guild: "80"}) || len(forward.Snapshots) != 1 {
		t.Fatalf("%+v", forward)
	}
	f := forward.Snapshots[0].Message
	if f.Content != "look" || string(f.Embeds) != `[{"type":"rich","title":"card"}]` || len(f.Stickers) != 1 || f.At.Year() != 2025 || len(f.Attachments) != 1 || bytesOf(f.Attachments[0]) != "901" {
		t.Errorf("%+v", f)
	}
	p := poll.Poll
	if p == nil || p.Question.Text != "Skip?" || len(p.Answers) != 2 || p.Answers[0].Media.Emoji.Name != "👍" || !p.Multiple || p.Expiry.Month() != time.February ||
		!p.Results.Final || len(p.Results.Counts) != 1 || p.Results.Counts[0] != (model.PollCount{ID: 1, Count: 12}) {
		t.Errorf("%+v", p)
	}
	if a := voice.Attachments; len(a) != 1 || a[0].Seconds != 2.5 || a[0].Waveform != "AAA=" || bytesOf(a[0]) != "902" || len(voice.Stickers) != 1 {
		t.Errorf("%+v", voice)
	}
	if answer.Reply == nil || answer.Reply.Type == model.Forwarding || answer.Snapshots != nil || answer.Poll != nil {
		t.Errorf("%+v", answer)
	}
	if i := b.item("attachments"); i.Count != 2 {
		t.Errorf("%+v", i)
	}

	lost = true
	run = r.run()
	b = r.open(run, r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	if a := b.messages[id(c)][0].Snapshots[0].Message.Attachments[0]; a.File != "" || !strings.Contains(a.Skipped, "410") {
		t.Errorf("%+v", a)
	}
	run = r.run()
	b = r.open(run, r.backup(run, bus.BackupArgs{Messages: 100}))
	if a := b.messages[id(c)][0].Snapshots[0].Message.Attachments[0]; a.File != "" || a.Skipped != "files were not asked for" {
		t.Errorf("%+v", a)
	}
}
