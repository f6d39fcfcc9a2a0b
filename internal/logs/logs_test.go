package logs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"splashtail/internal/logs"
)

func TestOneEventIsOneBoundedLine(t *testing.T) {
	hostile := "a\nlevel=ERROR msg=forged \x00\xff" + strings.Repeat("é", 5000)
	for _, format := range []logs.Format{logs.Text, logs.JSON} {
		t.Run(string(format), func(t *testing.T) {
			var out bytes.Buffer
			log := logs.New(&out, slog.LevelInfo, format)
			log.Info(hostile, "text", hostile, "err", errors.New(hostile), "raw", []byte(hostile))
			if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "\n") {
				t.Errorf("%d line ends in one event", n)
			}
			if out.Len() > 4*3000 {
				t.Errorf("the line has %d bytes", out.Len())
			}
			if !strings.Contains(out.String(), "bytes in all") {
				t.Error("a cut text must say so")
			}
		})
	}
}

func TestLevelAndShape(t *testing.T) {
	var out bytes.Buffer
	log := logs.New(&out, slog.LevelWarn, logs.JSON)
	log.Info("too low")
	log.Warn("kept", "component", "broker", "n", 3)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one JSON object: %v in %q", err, out.String())
	}
	if line["msg"] != "kept" || line["component"] != "broker" || line["n"] != 3.0 || line["level"] != "WARN" {
		t.Errorf("got %v", line)
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	for _, s := range []string{"", "plain", strings.Repeat("x", 2048), "x" + strings.Repeat("é", 2000), strings.Repeat("\x80", 4000)} {
		got := logs.Cut(s)
		if !utf8.ValidString(got) || len(got) > 4*2048 {
			t.Errorf("Cut of %d bytes: %d bytes", len(s), len(got))
		}
		if len(s) <= 2048 && got != s {
			t.Errorf("a short text was changed: %q", got)
		}
	}
}
