// Package logs makes the one logger of a process. What comes in: a writer, a level and a format; what goes out: a
// *slog.Logger that main hands to every component. Nothing else in the project makes a logger or holds one in a
// package variable.
//
// Keys are fixed words, so that a search works across components: component guild user code token lane shard job
// attempt subject session addr err. A connect code is logged as a bus.ConnectCode and a token as a secret.Value; both
// print a short hash. What this package adds is a bound: no attribute and no message of a stranger's making can fill
// the disk with one line or break out of it.
package logs

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// Format is how a line looks.
type Format string

// The formats of LOG_FORMAT.
const (
	Text Format = "text" // key=value, for people
	JSON Format = "json" // one object per line, for collectors
)

// maxText is the longest text, in bytes, that one attribute or message keeps.
const maxText = 2048

// New makes a logger that writes lines of level and above to w. w must accept one Write per line, as files and pipes do.
func New(w io.Writer, level slog.Level, format Format) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: bound}
	if format == JSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// bound cuts long texts and says how long they were. slog has resolved LogValuers by the time it calls this.
func bound(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Cut(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			return slog.String(a.Key, Cut(v.Error()))
		case []byte:
			return slog.String(a.Key, Cut(string(v)))
		}
	}
	return a
}

// Cut shortens s to what one log attribute keeps, at a character boundary, and appends the whole length.
func Cut(s string) string {
	if len(s) <= maxText {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes in all)", strings.ToValidUTF8(s[:end], "\uFFFD"), len(s))
}
