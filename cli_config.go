package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// configCmd prints the settings. It prints them even when some are wrong, so that a fault can be seen in its place.
type configCmd struct {
	JSON     bool `name:"json" xor:"form" help:"Print one JSON object per setting in an array."`
	Markdown bool `xor:"form" help:"Print the reference of all settings, as in docs/config.md."`
}

// Run implements the command.
func (cmd configCmd) Run(c *call) error {
	var err error
	switch {
	case cmd.Markdown:
		return writeReference(c.stdout, c.entries)
	case cmd.JSON:
		err = writeSettingsJSON(c.stdout, c.entries)
	default:
		err = writeSettings(c.stdout, c.entries)
	}
	return errors.Join(err, c.bad.asError())
}

// writeSettings prints a table for people.
func writeSettings(w io.Writer, all []entry) error {
	wide, widest := 0, 0
	for _, e := range all {
		wide, widest = max(wide, len(e.env())), max(widest, min(len(orUnset(e.String())), 48))
	}
	var b strings.Builder
	group := ""
	for _, e := range all {
		if e.flag.Group.Key != group {
			group = e.flag.Group.Key
			fmt.Fprintf(&b, "\n# %s\n", e.flag.Group.Title)
		}
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", wide, e.env(), widest, orUnset(e.String()), e.origin())
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// origin says where the value came from, for people.
func (e entry) origin() string {
	if e.told().from == fromFlag {
		return "flag --" + e.flag.Name
	}
	return string(e.told().from)
}

// settingJSON is one setting as `splashtail config --json` prints it.
type settingJSON struct {
	Name    string `json:"name"`
	Flag    string `json:"flag"`
	Value   string `json:"value"` // empty: unset; secrets print a mark
	From    source `json:"from"`
	Default string `json:"default,omitempty"`
	Allowed string `json:"allowed"`
	Help    string `json:"help"`
}

func writeSettingsJSON(w io.Writer, all []entry) error {
	out := make([]settingJSON, len(all))
	for i, e := range all {
		out[i] = settingJSON{Name: e.env(), Flag: "--" + e.flag.Name, Value: e.String(), From: e.told().from,
			Default: e.flag.Default, Allowed: e.limits(), Help: e.flag.Help}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

// writeReference prints docs/config.md.
func writeReference(w io.Writer, all []entry) error {
	var b strings.Builder
	b.WriteString(`# Settings

Rendered from ` + "`config.go`" + ` by ` + "`make docs`" + `; ` + "`make check`" + ` fails when this page is stale.

Each setting can be given as an environment variable or as a flag, which wins. The flag is the name in lower case with
dashes: ` + "`REDIS_ADDR`" + ` is ` + "`--redis-addr`" + `. An empty value counts as unset, spaces around a value do not count. Secrets belong
into the environment, since other users of a machine can see flags. ` + "`splashtail config`" + ` prints what is in effect and where
it came from; a command that finds faults names all of them at once and starts nothing.
`)
	group := ""
	for _, e := range all {
		if e.flag.Group.Key != group {
			group = e.flag.Group.Key
			fmt.Fprintf(&b, "\n## %s\n\n| variable | default | allowed | meaning |\n|---|---|---|---|\n", e.flag.Group.Title)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.env(), cmp.Or(code(e.flag.Default), "–"), cell(e.limits()), cell(e.flag.Help))
	}
	b.WriteString("\n## Exit codes\n\n| code | meaning |\n|---|---|\n")
	for n, meaning := range exitMeanings() {
		fmt.Fprintf(&b, "| %d | %s |\n", n, cell(meaning))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
