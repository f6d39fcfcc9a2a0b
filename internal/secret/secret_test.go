package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"splashtail/internal/secret"
)

func TestNothingPrintsIt(t *testing.T) {
	const text = "MTIz.abc.hush"
	v := secret.New(text)
	inner := struct {
		Token secret.Value
		inner secret.Value
		List  []secret.Value
		Map   map[string]secret.Value
	}{v, v, []secret.Value{v}, map[string]secret.Value{"a": v}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, v)
		fmt.Fprintf(&out, verb, inner)
		fmt.Fprintf(&out, verb, &inner)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "token", v, "all", inner, "err", fmt.Errorf("with %v: %w", v, errors.New("e")))
	}
	if err := json.NewEncoder(&out).Encode(inner); err != nil {
		t.Fatal(err)
	}
	hexed := fmt.Sprintf("%x", text)
	if got := out.String(); strings.Contains(got, text) || strings.Contains(got, "hush") || strings.Contains(got, hexed) {
		t.Errorf("it was printed: %s", got)
	}
}

func TestValue(t *testing.T) {
	v := secret.New("abc")
	if v.Reveal() != "abc" || v.IsZero() || !v.Equal("abc") || v.Equal("abd") || v.Equal("") {
		t.Errorf("%q", v.Reveal())
	}
	if v.Hash8() != "ba7816bf" {
		t.Errorf("hash %s", v.Hash8())
	}
	var zero secret.Value
	if !zero.IsZero() || zero != secret.New("") || zero.Reveal() != "" || fmt.Sprint(zero) != "" {
		t.Error("the zero value is not the empty secret")
	}
}
