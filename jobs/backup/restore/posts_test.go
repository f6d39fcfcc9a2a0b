package restore

import (
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"splashtail/jobs/backup/model"
)

// TestSplitLosesNothing: pieces fit and together have every character of a text but white space (R15, R17).
func TestSplitLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	letters := []rune("aä€😀b \n")
	plain := func(s string) string { return strings.Join(strings.Fields(s), "") }
	for range 500 {
		var b strings.Builder
		for range r.IntN(5000) {
			b.WriteRune(letters[r.IntN(len(letters)-r.IntN(3))])
		}
		text, most := b.String(), 1+r.IntN(2000)
		pieces := split(text, most)
		for _, p := range pieces {
			if n := utf8.RuneCountInString(p); n > most || n == 0 || !utf8.ValidString(p) {
				t.Fatalf("a piece of %d characters, at most %d fit", n, most)
			}
		}
		if plain(strings.Join(pieces, "")) != plain(text) {
			t.Fatalf("%q became %q", text, pieces)
		}
	}
}

// TestPosts: who wrote a message, in how many pieces it comes, and what is not said again (R14, R15, R17). What
// has nothing to say, as that somebody joined, becomes no empty post (R16).
func TestPosts(t *testing.T) {
	avatar := "a_1f"
	author := model.Author{ID: "7", Name: "discord Clyde", Avatar: &avatar}
	file := func(size int64) model.Attachment { return model.Attachment{Name: "f", Size: size, File: "k"} }
	for name, c := range map[string]struct {
		m      model.Message
		pieces int
		check  func([]post) bool
	}{
		"nothing":         {m: model.Message{Content: " \n"}, pieces: 0},
		"somebody joined": {m: model.Message{Type: 7, Content: "x"}, pieces: 0},
		"4000 characters": {m: model.Message{Content: strings.Repeat("a", 4000)}, pieces: 2, check: func(p []post) bool { return p[0].first && !p[1].first }},
		"a reply of 2000": {m: model.Message{Type: 19, Content: strings.Repeat("a", 2000), Reply: &model.Reply{Message: "5"}}, pieces: 2, check: func(p []post) bool {
			return p[0].reply == "5" && p[1].reply == ""
		}},
		"name":       {m: model.Message{Content: "x"}, pieces: 1, check: func(p []post) bool { return p[0].name == "disc0rd c1yde" }},
		"picture":    {m: model.Message{Content: "x"}, pieces: 1, check: func(p []post) bool { return p[0].avatar == "https://cdn.discordapp.com/avatars/7/a_1f.png" }},
		"flags":      {m: model.Message{Content: "x", Flags: 1<<2 | 1<<6}, pieces: 1, check: func(p []post) bool { return p[0].flags == 1<<2|1<<12 }},
		"eleven":     {m: model.Message{Attachments: []model.Attachment{file(1), file(1), file(1), file(1), file(1), file(1), file(1), file(1), file(1), file(1), file(1)}}, pieces: 2},
		"large":      {m: model.Message{Attachments: []model.Attachment{file(9 << 20), file(9 << 20), file(9 << 20)}}, pieces: 2},
		"too large":  {m: model.Message{Attachments: []model.Attachment{file(11 << 20)}}, pieces: 1, check: func(p []post) bool { return len(p[0].files) == 0 && strings.Contains(p[0].content, "larger") }},
		"not kept":   {m: model.Message{Attachments: []model.Attachment{{Name: "f", Skipped: "gone"}}}, pieces: 1, check: func(p []post) bool { return strings.Contains(p[0].content, "gone") }},
		"a sticker":  {m: model.Message{Stickers: []model.MessageSticker{{Name: "vent"}}}, pieces: 1, check: func(p []post) bool { return strings.Contains(p[0].content, "vent") }},
		"embeds":     {m: model.Message{Embeds: json.RawMessage("[" + strings.Repeat("{},", 11) + "{}]")}, pieces: 1, check: func(p []post) bool { return strings.Count(string(p[0].embeds), "{}") == 10 }},
		"bad embeds": {m: model.Message{Content: "x", Embeds: json.RawMessage("{")}, pieces: 1, check: func(p []post) bool { return p[0].embeds == nil }},
	} {
		c.m.Author = author
		posts := postsOf(c.m, 10<<20)
		if len(posts) != c.pieces || c.check != nil && !c.check(posts) {
			t.Errorf("%s: %d pieces: %.300v", name, len(posts), posts)
		}
	}
	for _, n := range []string{"", " ", strings.Repeat("ä", 90), "DISCORD"} {
		if got := username(model.Author{Name: n}); got == "" || utf8.RuneCountInString(got) > 80 || strings.Contains(strings.ToLower(got), "discord") {
			t.Errorf("%q becomes %q", n, got)
		}
	}
	bad := "../../x"
	if avatarOf := (model.Author{ID: "1", Avatar: &bad}); avatar == "" || avatarURL(avatarOf) != "" {
		t.Error("a hash that is none makes an address")
	}
}

func avatarURL(a model.Author) string { return avatar(a) }

// FuzzPosts: no message makes it panic, every piece fits and says something, and nothing is lost or said twice.
func FuzzPosts(f *testing.F) {
	f.Add("hello", "Ana", "a", "", "a_1f", "[{}]", int64(5), 0, uint8(1))
	f.Add(strings.Repeat("a b\n", 900), "Discord", "", "gone", "..", "{", int64(11<<20), 19, uint8(23))
	f.Add(strings.Repeat("ä😀", 1001)+"\n", " \n", "x\ny", "", "", "["+strings.Repeat("{},", 11)+"{}]", int64(9<<20), 20, uint8(30))
	f.Add("", "", "", "", "", "", int64(-1), 23, uint8(12))
	f.Add("\xff\u2028 \u00a0", "\x00", strings.Repeat("s", 2100), strings.Repeat("w", 5000), "A", "null", int64(1)<<62, 19, uint8(2))
	f.Add(strings.Repeat("word ", 800), "Ana", "a", "gone", "", "[{}]", int64(5), 0, uint8(64+7))
	f.Add(strings.Repeat("ä", 1990), "Ana", "a", "", "", "[{}]", int64(5), 19, uint8(128+64+7))
	f.Add("joined", "Ana", "", "", "", "", int64(0), 7, uint8(0))
	f.Fuzz(func(t *testing.T, content, name, sticker, skipped, avatar, embeds string, size int64, kind int, count uint8) {
		m := model.Message{Type: kind, Content: content, Author: model.Author{Name: sticker, GlobalName: &name, Avatar: &avatar},
			Embeds: json.RawMessage(embeds), Reply: &model.Reply{Message: "5"}, Stickers: []model.MessageSticker{{Name: sticker}}}
		for i := range int(count % 64) {
			m.Attachments = append(m.Attachments, model.Attachment{Name: name, Size: size * int64(i%3), File: []model.FileKey{"k", "k", ""}[i%3], Skipped: skipped})
		}
		if count&64 != 0 {
			said := model.PollMedia{Text: content, Emoji: &model.PollEmoji{Name: name}}
			m.Poll = &model.Poll{Question: said, Answers: slices.Repeat([]model.PollAnswer{{Media: said}}, int(count))}
		}
		if count&128 != 0 {
			f := model.Forwarded{Content: content, Embeds: m.Embeds, Attachments: m.Attachments, Stickers: m.Stickers}
			m.Snapshots = slices.Repeat([]model.Snapshotted{{Message: f}}, int(count%8))
		}
		checkPosts(t, m, postsOf(m, 10<<20))
	})
}

func checkPosts(t *testing.T, m model.Message, posts []post) {
	t.Helper()
	plain := func(s string) string { return strings.Join(strings.Fields(s), "") }
	var text strings.Builder
	files, embeds := 0, 0
	for i, p := range posts {
		n, most := utf8.RuneCountInString(p.content), maxContent
		if p.reply != "" {
			most -= replyRoom
		}
		if n > most || len(p.files) > maxFiles || utf8.RuneCountInString(p.name) > maxUsername || p.name == "" || n == 0 && len(p.files) == 0 && p.embeds == nil {
			t.Errorf("piece %d does not fit: %+v", i, p)
		}
		if p.first != (i == 0) || p.reply != "" && (i > 0 || m.Type != 19) {
			t.Errorf("piece %d: first %v, reply %q", i, p.first, p.reply)
		}
		var list []json.RawMessage
		if p.embeds != nil && (json.Unmarshal(p.embeds, &list) != nil || len(list) == 0 || len(list) > maxEmbeds) {
			t.Errorf("piece %d: embeds %s", i, p.embeds)
		}
		text.WriteString(p.content)
		files, embeds = files+len(p.files), embeds+len(list)
	}
	if len(posts) == 0 && m.Type != 0 && m.Type != 19 {
		return
	}
	want, sent := textOf(m, 10<<20)
	if len(m.Snapshots) > 0 {
		want = text.String() // quotations have marks of their own
	}
	if plain(text.String()) != plain(want) || files != len(sent) || embeds > maxEmbeds {
		t.Errorf("%.200q with %d files became %.200q with %d, and %d embeds", want, len(sent), text.String(), files, embeds)
	}
}

// TestPostsOfAHugeMessage: a message as large as an archive holds, made of the smallest pieces, is split in one go: with
// sixteen times the pieces it takes no more memory for each.
func TestPostsOfAHugeMessage(t *testing.T) {
	allocated := func(n int) float64 {
		m := model.Message{Stickers: make([]model.MessageSticker, n)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		posts := postsOf(m, 10<<20)
		runtime.ReadMemStats(&after)
		if len(posts) < n*len("-# [sticker: ]")/maxContent {
			t.Errorf("%d pieces", len(posts))
		}
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	}
	if few, many := allocated(1000), allocated(16_000); many > 3*few {
		t.Errorf("%.0f bytes for each of 1000 stickers, %.0f for each of 16,000", few, many)
	}
}
