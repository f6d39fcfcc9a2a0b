package restore

import (
	"encoding/json"
	"math/rand/v2"
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

// TestPosts: who wrote a message, in how many pieces it comes, and what is not said again (R14 to R17).
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

// FuzzPosts: no message makes it panic, and every piece fits.
func FuzzPosts(f *testing.F) {
	f.Add("hello", "Ana", "a", int64(5), 0)
	f.Fuzz(func(t *testing.T, content, name, sticker string, size int64, kind int) {
		m := model.Message{Type: kind, Content: content, Author: model.Author{Name: name}, Stickers: []model.MessageSticker{{Name: sticker}},
			Attachments: []model.Attachment{{Name: name, Size: size, File: "k"}, {Name: sticker, Size: size, File: "k"}}}
		for _, p := range postsOf(m, 10<<20) {
			if utf8.RuneCountInString(p.content) > maxContent || len(p.files) > maxFiles || utf8.RuneCountInString(p.name) > maxUsername {
				t.Errorf("does not fit: %+v", p)
			}
		}
	})
}
