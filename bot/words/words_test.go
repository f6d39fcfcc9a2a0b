package words

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func catalogue(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryLanguageHasEveryKey: with the same values, and nothing is empty.
func TestEveryLanguageHasEveryKey(t *testing.T) {
	c := catalogue(t)
	if !slices.Contains(c.Languages(), "de") {
		t.Fatal("there is no German")
	}
	value := regexp.MustCompile(`\{[a-z]+\}`)
	english := c.languages[English]
	for name, l := range c.languages {
		for key, text := range english {
			other, ok := l[key]
			if !ok || strings.TrimSpace(other) == "" {
				t.Errorf("%s lacks %s", name, key)
				continue
			}
			want, got := value.FindAllString(text, -1), value.FindAllString(other, -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(slices.Compact(want), slices.Compact(got)) {
				t.Errorf("%s: %s has the values %v, English %v", name, key, got, want)
			}
		}
		for key := range l {
			if _, ok := english[key]; !ok {
				t.Errorf("%s has %s, which English has not", name, key)
			}
		}
	}
}

// TestSizes: what goes on a button fits with 40 % more, descriptions have Discord's 100.
func TestSizes(t *testing.T) {
	for name, l := range catalogue(t).languages {
		for key, text := range l {
			n := len([]rune(text))
			switch {
			case strings.HasPrefix(key, "button.") && n*14/10 > 38 && name == English, strings.HasPrefix(key, "button.") && n > 38:
				t.Errorf("%s: %s has %d characters", name, key, n)
			case (strings.HasPrefix(key, "cmd.") || strings.HasPrefix(key, "opt.")) && n > 100:
				t.Errorf("%s: %s has %d characters", name, key, n)
			}
		}
	}
}

func TestT(t *testing.T) {
	c := catalogue(t)
	if got := c.In("de").T("error.guild_only"); got == c.In("fr").T("error.guild_only") || got == "" {
		t.Errorf("German is %q", got)
	}
	if got := c.In("en-GB").T("error.internal", "ref", "{x}"); !strings.Contains(got, "{x}") {
		t.Errorf("got %q", got)
	}
	if got := c.In("de").T("no.such.key"); got != "no.such.key" {
		t.Errorf("got %q", got)
	}
}
