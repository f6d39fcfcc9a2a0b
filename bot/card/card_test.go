package card

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"
)

// checkEmbed holds an embed against every limit of Discord.
func checkEmbed(t testing.TB, e *discordgo.MessageEmbed) {
	t.Helper()
	all := 0
	count := func(what, s string, limit int, need bool) {
		n := utf8.RuneCountInString(s)
		all += n
		if n > limit || need && strings.TrimSpace(s) == "" {
			t.Errorf("%s has %d characters", what, n)
		}
	}
	count("the title", e.Title, 256, false)
	count("the text", e.Description, 4096, false)
	if e.Footer != nil {
		count("the footer", e.Footer.Text, 2048, false)
	}
	if len(e.Fields) > 25 {
		t.Errorf("%d fields", len(e.Fields))
	}
	for _, f := range e.Fields {
		count("a name", f.Name, 256, true)
		count("a value", f.Value, 1024, true)
	}
	if all > 6000 || all == 0 {
		t.Errorf("%d characters in all", all)
	}
}

// FuzzEmbed: whatever is put on a card, Discord takes it.
func FuzzEmbed(f *testing.F) {
	f.Add("t", "x", "n", "v", 3, 1)
	f.Add("", "", "", "", 0, 0)
	f.Add("ä", "ö", "ü", "ß", 30, 5000)
	f.Add("a", strings.Repeat("x", 4096), "n", strings.Repeat("y", 633), 3, 1)
	f.Fuzz(func(t *testing.T, title, text, name, value string, fields, times int) {
		times, fields = min(max(times, 0), 5000), min(max(fields, 0), 40)
		c := Card{Title: strings.ToValidUTF8(title, "?"), Text: strings.Repeat(strings.ToValidUTF8(text, "?"), times)}
		if len(c.Text) > 1<<20 {
			return
		}
		for range fields {
			c.Fields = append(c.Fields, Field{Name: strings.ToValidUTF8(name, "?"), Value: strings.ToValidUTF8(value, "?")})
		}
		checkEmbed(t, c.Embed())
	})
}

func TestPage(t *testing.T) {
	for n, pages := range map[int]int{0: 1, 1: 1, 9: 1, 10: 2, 18: 2, 19: 3} {
		items := make([]int, n)
		seen := 0
		for number := range pages {
			page, at, of := Page(items, 9, number)
			if at != number || of != pages || len(page) == 0 && n > 0 {
				t.Errorf("%d items, page %d: %d items, page %d of %d", n, number, len(page), at, of)
			}
			seen += len(page)
		}
		if seen != n {
			t.Errorf("%d of %d items seen", seen, n)
		}
		for _, out := range []int{-1, pages, 1 << 40} {
			if _, at, _ := Page(items, 9, out); at < 0 || at >= pages {
				t.Errorf("page %d became %d of %d", out, at, pages)
			}
		}
	}
}

func TestRows(t *testing.T) {
	c := Card{Buttons: make([]Button, 30)}
	rows := c.Rows()
	if len(rows) != 5 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if n := len(r.(discordgo.ActionsRow).Components); n != 5 {
			t.Errorf("%d buttons in a row", n)
		}
	}
	if rows := (Card{}).Rows(); rows == nil || len(rows) != 0 {
		t.Errorf("no buttons are %v", rows)
	}
	if rows := (Card{Buttons: make([]Button, 6)}).Rows(); len(rows) != 2 {
		t.Errorf("6 buttons in %d rows", len(rows))
	}
}
