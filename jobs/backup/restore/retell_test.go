package restore

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
)

func forwardOf(f model.Forwarded) model.Message {
	return model.Message{ID: "9", Author: model.Author{Name: "Ana"}, Reply: &model.Reply{Type: model.Forwarding, Message: "5"}, Snapshots: []model.Snapshotted{{Message: f}}}
}

// TestForwards: what was forwarded comes as a quotation with its files and embeds, whatever its length.
func TestForwards(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	f := model.Forwarded{
		Content: "look\nhere", At: at, Embeds: json.RawMessage(`[{"title":"card"}]`), Stickers: []model.MessageSticker{{ID: "7", Name: "vent", Format: 1}},
		Attachments: []model.Attachment{{Name: "map.png", Size: 3, File: "k"}, {Name: "lost.png", Skipped: "it is gone"}},
	}
	m := forwardOf(f)
	posts := postsOf(m, 10<<20)
	want := "-# [file lost.png is not in the backup: it is gone]\n-# [forwarded, of <t:1700000000:f>]\n>>> look\nhere\n" +
		"-# [sticker: vent](https://media.discordapp.net/stickers/7.png?size=160)"
	if len(posts) != 1 || posts[0].content != want || len(posts[0].files) != 1 || !strings.Contains(string(posts[0].embeds), "card") || posts[0].reply != "" {
		t.Errorf("%+v\nwant %s", posts, want)
	}
	if posts := postsOf(forwardOf(model.Forwarded{Attachments: f.Attachments[:1]}), 10<<20); len(posts) != 1 || posts[0].content != "-# [forwarded]" || len(posts[0].files) != 1 {
		t.Errorf("without a text: %+v", posts)
	}
	two := m
	two.Content, two.Snapshots = "see both", append(two.Snapshots, two.Snapshots...)
	if posts := postsOf(two, 10<<20); len(posts) != 2 || !strings.HasPrefix(posts[0].content, "see both\n") || !strings.HasPrefix(posts[1].content, "-# [forwarded") {
		t.Errorf("two in one: %+v", posts)
	}
}

// TestForwardsFit: every piece of a long forward is a quotation that fits, and no letter is lost.
func TestForwardsFit(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	plain := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for range 300 {
		var own, text strings.Builder
		for range r.IntN(2100) {
			own.WriteRune([]rune("aä😀 \n")[r.IntN(5)])
		}
		for range r.IntN(6000) {
			text.WriteRune([]rune("bé😀 \n")[r.IntN(5)])
		}
		m := forwardOf(model.Forwarded{Content: text.String()})
		m.Content = own.String()
		var said strings.Builder
		for _, p := range postsOf(m, 10<<20) {
			if n := utf8.RuneCountInString(p.content); n > maxContent || n == 0 {
				t.Fatalf("a piece of %d characters", n)
			}
			if strings.Count(p.content, ">>> ") > 1 || strings.ContainsAny(p.content, "bé") && !strings.Contains(p.content, ">>> ") {
				t.Fatalf("not one quotation: %q", p.content)
			}
			said.WriteString(strings.Replace(p.content, ">>> ", "", 1))
		}
		if want := plain(own.String() + "-#[forwarded]" + text.String()); plain(said.String()) != want {
			t.Fatalf("%q became %q", want, said.String())
		}
	}
}

// TestPolls: a poll is told with its question, its answers and what was chosen.
func TestPolls(t *testing.T) {
	t.Parallel()
	p := &model.Poll{
		Question: model.PollMedia{Text: "Skip?"},
		Answers: []model.PollAnswer{
			{ID: 1, Media: model.PollMedia{Text: "yes", Emoji: &model.PollEmoji{Name: "👍"}}}, {ID: 2, Media: model.PollMedia{Emoji: &model.PollEmoji{ID: "5", Name: "vent"}}},
		},
		Results: &model.PollResults{Final: true, Counts: []model.PollCount{{ID: 1, Count: 12}}},
	}
	for _, c := range []struct {
		change func()
		want   string
	}{
		{func() {}, "📊 Skip?\n- 👍 yes: **12**\n- <:vent:5>: **0**\n-# [poll, closed with 12 votes]"},
		{func() { p.Results.Final = false }, "📊 Skip?\n- 👍 yes: **12**\n- <:vent:5>: **0**\n-# [poll, 12 votes when it was saved]"},
		{func() { p.Results = nil }, "📊 Skip?\n- 👍 yes\n- <:vent:5>\n-# [poll, without its votes]"},
	} {
		c.change()
		if posts := postsOf(model.Message{Poll: p}, 10<<20); len(posts) != 1 || posts[0].content != c.want {
			t.Errorf("%+v, want %q", posts, c.want)
		}
	}
	for i := range 1000 {
		p.Answers = append(p.Answers, model.PollAnswer{ID: 3 + i, Media: model.PollMedia{Text: strings.Repeat("x", 55)}})
	}
	if posts := postsOf(model.Message{Poll: p}, 10<<20); len(posts) != 1 {
		t.Errorf("a poll of a thousand answers became %d posts", len(posts))
	}
}

// TestStickersAndVoice: a sticker that Discord has as a picture is shown by its address, others by name; nothing of a backup
// leads to another address.
func TestStickersAndVoice(t *testing.T) {
	t.Parallel()
	const host = "https://media.discordapp.net/stickers/"
	for _, c := range []struct {
		s    model.MessageSticker
		want string
	}{
		{model.MessageSticker{ID: "7", Name: "a", Format: 1}, "-# [sticker: a](" + host + "7.png?size=160)"},
		{model.MessageSticker{ID: "7", Name: "a", Format: 4}, "-# [sticker: a](" + host + "7.gif?size=160)"},
		{model.MessageSticker{ID: "7", Name: "a", Format: 3}, "-# [sticker: a]"},
		{model.MessageSticker{ID: "../7", Name: "a", Format: 1}, "-# [sticker: a]"},
		{model.MessageSticker{ID: "7", Name: "a](http://evil)[", Format: 1}, "-# [sticker: a)(http://evil)(](" + host + "7.png?size=160)"},
	} {
		if posts := postsOf(model.Message{Stickers: []model.MessageSticker{c.s}}, 10<<20); len(posts) != 1 || posts[0].content != c.want {
			t.Errorf("%+v: %+v, want %q", c.s, posts, c.want)
		}
	}
	m := model.Message{Attachments: []model.Attachment{{Name: "voice-message.ogg", Size: 5, File: "k", Seconds: 12.3, Waveform: "AAA="}}, Flags: 1 << 13}
	if posts := postsOf(m, 10<<20); len(posts) != 1 || posts[0].content != "-# [voice message, 12 s]" || len(posts[0].files) != 1 || posts[0].flags != flagSilent {
		t.Errorf("%+v", posts)
	}
}

// TestRetoldComesBackOnce: forwards, polls and voice messages come back once each, with their files, across a crash at any
// point of their writing, and the report counts what came in another form and what was lost, also what an earlier attempt
// wrote.
func TestRetoldComesBackOnce(t *testing.T) {
	t.Parallel()
	saved := func(x *rig) *stored {
		b := &stored{Structure: must(readGuild(t.Context(), x.tools.Bot, x.guild.String()))(t)}
		b.Files = map[model.FileKey][]byte{"k": []byte("OggS voice"), "m": []byte("a map")}
		for i := range 30 { // more than one note of messages
			m := model.Message{ID: model.ID(fmt.Sprint(80000000000000000 + i)), Content: fmt.Sprint("line ", i)}
			switch i {
			case 1:
				m = forwardOf(model.Forwarded{Content: "quoted", Attachments: []model.Attachment{{Name: "map.png", Size: 5, File: "m"}}})
				m.ID = "80000000000000001"
			case 2:
				m.Poll = &model.Poll{Question: model.PollMedia{Text: "Skip?"}}
			case 3:
				m.Attachments = []model.Attachment{{Name: "voice-message.ogg", Size: 10, File: "k", Seconds: 3, Waveform: "AAA="}}
			case 4:
				m.Attachments = []model.Attachment{{Name: "lost.txt", Size: 10, File: "none"}}
			}
			b.say("70000000000000000", m)
		}
		return b
	}
	whole := newRig(t, sandbox.Administrator)
	done, _ := whole.restored(saved(whole), bus.PlanArgs{Mode: bus.RestoreMerge})
	want := whole.end()
	left := strings.Join(done.Left, "\n")
	for _, part := range []string{"30 messages of told: 1 poll came back as text", "1 forward came back as a quotation", "1 voice message came back as a file", "without lost.txt"} {
		if !strings.Contains(left, part) {
			t.Errorf("the report does not say %q: %s", part, left)
		}
	}
	if text := strings.Join(want, "\n"); strings.Count(text, "map.png") != 1 || strings.Count(text, "voice-message.ogg") != 1 || !strings.Contains(text, "quoted") {
		t.Errorf("%s", text)
	}
	for at := 0; at < whole.kill.passed; at++ {
		x := newRig(t, sandbox.Administrator)
		plan, _ := x.planned(saved(x), bus.PlanArgs{Mode: bus.RestoreMerge})
		r := x.newRun(bus.JobBackupRestore, restoreJob)
		_ = x.attempt(r, plan.Hash, at)
		x.ok(x.attempt(r, plan.Hash, -1))
		if have := x.end(); strings.Join(have, "\n") != strings.Join(want, "\n") {
			t.Fatalf("after a kill at %d: %s", at, differ(want, have))
		}
		if again := strings.Join(r.out.(bus.RestoreDone).Left, "\n"); at > 20 && !strings.Contains(again, "1 poll came back") {
			t.Fatalf("after a kill at %d the report says %s", at, again)
		}
	}
}
