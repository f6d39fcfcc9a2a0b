package sandbox

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxEmbedText is for all texts of all embeds of a message together.
const maxEmbedText = 6000

type wireEmbed struct {
	Type        string           `json:"type"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	URL         string           `json:"url,omitempty"`
	Timestamp   nullableTime     `json:"timestamp,omitzero"`
	Color       *int             `json:"color,omitempty"`
	Footer      *wireEmbedText   `json:"footer,omitempty"`
	Author      *wireEmbedText   `json:"author,omitempty"`
	Image       *wireEmbedImage  `json:"image,omitempty"`
	Thumbnail   *wireEmbedImage  `json:"thumbnail,omitempty"`
	Fields      []wireEmbedField `json:"fields,omitempty"`
}

// wireEmbedText is a footer, with a text, or an author, with a name.
type wireEmbedText struct {
	Text    string `json:"text,omitempty"`
	Name    string `json:"name,omitempty"`
	URL     string `json:"url,omitempty"`
	IconURL string `json:"icon_url,omitempty"`
}

type wireEmbedImage struct {
	URL string `json:"url"`
}

type wireEmbedField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

// asEmbeds reads the embeds of a message, at most ten.
func asEmbeds(bad *formErrors, key string, raw json.RawMessage) []wireEmbed {
	items := asItems(10)(bad, key, raw)
	list := make([]wireEmbed, len(items))
	total := 0
	for i, item := range items {
		bad.nest([]string{key, strconv.Itoa(i)}, func(bad *formErrors) {
			if keys, ok := asObject(bad, item); ok {
				list[i] = readEmbed(bad, keys)
				total += list[i].length()
			}
		})
	}
	if total > maxEmbedText {
		bad.add("MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000", key)
	}
	return list
}

func readEmbed(bad *formErrors, keys map[string]json.RawMessage) wireEmbed {
	e := wireEmbed{Type: "rich"}
	var at field[time.Time]
	var color field[int]
	e.Title = readText(bad, keys, "title", 0, 256)
	e.Description = readText(bad, keys, "description", 0, 4096)
	e.URL = readText(bad, keys, "url", 0, 2048)
	read(bad, keys, "timestamp", &at, asTime)
	read(bad, keys, "color", &color, asRange(0, maxColor))
	e.Timestamp.Time = at.value
	setPointer(&e.Color, color)
	e.Footer = readEmbedText(bad, keys, "footer", "text", 2048)
	e.Author = readEmbedText(bad, keys, "author", "name", 256)
	e.Image = readEmbedImage(bad, keys, "image")
	e.Thumbnail = readEmbedImage(bad, keys, "thumbnail")
	if raw, ok := keys["fields"]; ok && string(raw) != "null" {
		e.Fields = readEmbedFields(bad, raw)
	}
	return e
}

// readText reads a text that is empty when it was not sent.
func readText(bad *formErrors, keys map[string]json.RawMessage, key string, shortest, longest int) string {
	var f field[string]
	read(bad, keys, key, &f, asText(shortest, longest))
	return f.value
}

func readEmbedText(bad *formErrors, keys map[string]json.RawMessage, key, main string, longest int) *wireEmbedText {
	raw, ok := keys[key]
	if !ok || string(raw) == "null" {
		return nil
	}
	var t wireEmbedText
	bad.nest([]string{key}, func(bad *formErrors) {
		inner, ok := asObject(bad, raw)
		if !ok {
			return
		}
		text := readText(bad, inner, main, 0, longest)
		if main == "name" {
			t.Name = text
		} else {
			t.Text = text
		}
		t.URL = readText(bad, inner, "url", 0, 2048)
		t.IconURL = readText(bad, inner, "icon_url", 0, 2048)
	})
	return &t
}

func readEmbedImage(bad *formErrors, keys map[string]json.RawMessage, key string) *wireEmbedImage {
	raw, ok := keys[key]
	if !ok || string(raw) == "null" {
		return nil
	}
	var i wireEmbedImage
	bad.nest([]string{key}, func(bad *formErrors) {
		if inner, ok := asObject(bad, raw); ok {
			i.URL = readText(bad, inner, "url", 1, 2048)
		}
	})
	return &i
}

func readEmbedFields(bad *formErrors, raw json.RawMessage) []wireEmbedField {
	items := asItems(25)(bad, "fields", raw)
	list := make([]wireEmbedField, len(items))
	for i, item := range items {
		bad.nest([]string{"fields", strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			var name, value field[string]
			var inline field[bool]
			read(bad, keys, "name", &name, asText(1, 256))
			read(bad, keys, "value", &value, asText(1, 1024))
			read(bad, keys, "inline", &inline, asBool)
			required(bad, "name", name)
			required(bad, "value", value)
			list[i] = wireEmbedField{name.value, value.value, inline.value}
		})
	}
	return list
}

// length counts the characters that go into the limit of a message.
func (e wireEmbed) length() int {
	n := utf8.RuneCountInString(e.Title) + utf8.RuneCountInString(e.Description)
	for _, t := range []*wireEmbedText{e.Footer, e.Author} {
		if t != nil {
			n += utf8.RuneCountInString(t.Text) + utf8.RuneCountInString(t.Name)
		}
	}
	for _, f := range e.Fields {
		n += utf8.RuneCountInString(f.Name) + utf8.RuneCountInString(f.Value)
	}
	return n
}
