// Package words holds every sentence that people read in Discord, in each language, from
// one catalogue of files.
//
// What comes in: a key, a locale of Discord and values. What goes out: a sentence. A key
// that a language lacks is taken from English, and one that English lacks shows itself;
// the test of this package sees to it that neither happens.
package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Each language is a directory; each file in it is an object of keys and sentences. A
// value stands in braces: {user}.
//
//go:embed en/*.json de/*.json
var files embed.FS

// English is the language of everything that has no other.
const English = "en"

// Catalogue is all languages.
type Catalogue struct{ languages map[string]map[string]string }

// Language is one of them, with English behind it.
type Language struct {
	locale       string
	own, english map[string]string
}

// Locale is what Catalogue.In was asked for; it gives the same language again.
func (l Language) Locale() string { return l.locale }

// Load reads the catalogue. Errors: a file is no object of texts, or a key stands twice.
func Load() (*Catalogue, error) {
	c := &Catalogue{languages: map[string]map[string]string{}}
	dirs, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if c.languages[dir.Name()], err = load(dir.Name()); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func load(dir string) (map[string]string, error) {
	list, err := files.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, f := range list {
		data, err := files.ReadFile(path.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		var one map[string]string
		if err := json.Unmarshal(data, &one); err != nil {
			return nil, fmt.Errorf("the words in %s/%s cannot be read: %w", dir, f.Name(), err)
		}
		for key, text := range one {
			if _, twice := all[key]; twice {
				return nil, fmt.Errorf("the words in %s/%s have the key %q a second time", dir, f.Name(), key)
			}
			all[key] = text
		}
	}
	return all, nil
}

// Languages lists what there is, sorted.
func (c *Catalogue) Languages() []string { return slices.Sorted(maps.Keys(c.languages)) }

// In gives the language for a locale of Discord, such as de or en-GB.
func (c *Catalogue) In(locale string) Language {
	base, _, _ := strings.Cut(locale, "-")
	return Language{locale, c.languages[base], c.languages[English]}
}

// Has says whether there is a sentence in English.
func (c *Catalogue) Has(key string) bool {
	_, ok := c.languages[English][key]
	return ok
}

// Others gives a sentence in every language but English, by Discord's locale.
func (c *Catalogue) Others(key string) map[string]string {
	out := map[string]string{}
	for name, l := range c.languages {
		if text, ok := l[key]; ok && name != English {
			out[name] = text
		}
	}
	return out
}

// T gives a sentence. values are pairs of a name and what stands for it.
func (l Language) T(key string, values ...any) string {
	text, ok := l.own[key]
	if !ok {
		text, ok = l.english[key]
	}
	if !ok {
		return key
	}
	pairs := make([]string, 0, len(values))
	for i := 0; i+1 < len(values); i += 2 {
		pairs = append(pairs, fmt.Sprintf("{%v}", values[i]), fmt.Sprint(values[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
