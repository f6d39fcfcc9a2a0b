package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"splashtail/internal/logs"
)

// The kinds of value that a setting can have. kong only fills in the text of each; settle reads the text afterwards,
// so that one bad value does not hide the next. Each kind says what it allows and prints itself without secrets.

// setting is one field of Settings.
type setting interface {
	told() *given
	// parse reads text, which is never empty, under the rule of the field's `allowed` tag.
	parse(text, rule string) error
	// allowed says in words what parse takes.
	allowed(rule string) string
	// String prints the value for people; a secret prints as a mark that it is set.
	String() string
}

// given is what somebody wrote for a setting, and where.
type given struct {
	text string
	from source
}

// source says where the value in effect came from.
type source string

const (
	fromFlag        source = "flag"
	fromEnvironment source = "environment"
	fromDefault     source = "default"
)

func (g *given) told() *given { return g }

// Decode takes the text from kong. It implements kong.MapperValue.
func (g *given) Decode(ctx *kong.DecodeContext) error {
	return ctx.Scan.PopValueInto("value", &g.text)
}

// Text is any single line.
type Text struct {
	given
	Value string
}

func (v *Text) parse(text, _ string) error { v.Value = text; return nil }
func (v *Text) allowed(string) string      { return "any text" }
func (v *Text) String() string             { return v.Value }

// Dir is a directory path.
type Dir struct{ Text }

func (v *Dir) allowed(string) string { return "a path; made if missing" }

// Number is a whole number in a range.
type Number struct {
	given
	N int
}

func (v *Number) parse(text, rule string) error {
	low, high := span(rule)
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("is not a whole number")
	}
	if n < low || n > high {
		return errors.New("is out of range")
	}
	v.N = n
	return nil
}

func (v *Number) allowed(rule string) string {
	low, high := span(rule)
	return fmt.Sprintf("%d to %d", low, high)
}

func (v *Number) String() string {
	if v.text == "" {
		return ""
	}
	return strconv.Itoa(v.N)
}

// span reads a rule like "1..64".
func span(rule string) (low, high int) {
	a, b, _ := strings.Cut(rule, "..")
	low, _ = strconv.Atoi(a)
	high, _ = strconv.Atoi(b)
	return low, high
}

// Port is a TCP port; 0 takes a free one.
type Port struct{ Number }

func (v *Port) parse(text, _ string) error { return v.Number.parse(text, "0..65535") }
func (v *Port) allowed(string) string      { return "a port, 0 to 65535; 0 takes a free one" }

// Millis is a time span written as a number of milliseconds.
type Millis struct{ Number }

func (v *Millis) duration() time.Duration { return time.Duration(v.N) * time.Millisecond }
func (v *Millis) allowed(rule string) string {
	return v.Number.allowed(rule) + " milliseconds"
}

// Choice is one of the words that its rule lists.
type Choice struct{ Text }

func (v *Choice) parse(text, rule string) error {
	word := strings.ToLower(text)
	if !strings.Contains(","+rule+",", ","+word+",") {
		return errors.New("is not one of the words")
	}
	v.Value = word
	return nil
}

func (v *Choice) allowed(rule string) string { return strings.ReplaceAll(rule, ",", ", ") }

// level is the value as a log level; "warning" is not a word of the rule, so every word has one.
func (v *Choice) level() (l slog.Level) {
	if l.UnmarshalText([]byte(v.Value)) != nil {
		return slog.LevelInfo
	}
	return l
}

func (v *Choice) format() logs.Format { return logs.Format(v.Value) }

// IDs is one id of Discord, or several with commas.
type IDs struct {
	given
	Values []uint64
}

func (v *IDs) parse(text, rule string) error {
	for one := range strings.SplitSeq(strings.ReplaceAll(text, " ", ""), ",") {
		n, err := strconv.ParseUint(one, 10, 63)
		if err != nil || n < 1<<22 {
			return errors.New("is not an id of Discord, which is a long number")
		}
		v.Values = append(v.Values, n)
	}
	if rule == "one" && len(v.Values) > 1 {
		return errors.New("is more than one id")
	}
	return nil
}

func (v *IDs) allowed(rule string) string {
	if rule == "one" {
		return "an id of Discord"
	}
	return "ids of Discord with commas"
}

func (v *IDs) String() string { return v.text }

// texts gives the ids as Discord's API names them.
func (v *IDs) texts() []string {
	var out []string
	for _, n := range v.Values {
		out = append(out, strconv.FormatUint(n, 10))
	}
	return out
}

// first is the only id; 0 when it is unset.
func (v *IDs) first() uint64 {
	if len(v.Values) == 0 {
		return 0
	}
	return v.Values[0]
}
