// Package secret holds tokens and passwords so that they cannot be printed by
// accident: every way that fmt, slog and encoding/json print a value shows a mark
// instead.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// mark is what is shown in place of a secret.
const mark = "[secret]"

// Value is one secret text. The zero Value is the empty one. The text stays behind a
// pointer, so that even reflection that ignores methods prints an address.
type Value struct{ text *string }

// New wraps a text.
func New(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{&text}
}

// Reveal gives the text, for the place that sends it.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero says whether there is no text.
func (v Value) IsZero() bool { return v.text == nil }

// Equal compares with a text in constant time.
func (v Value) Equal(text string) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(text)) == 1
}

// Hash gives the SHA-256 of the text in hexadecimal, as a key that gives nothing away.
func (v Value) Hash() string {
	sum := sha256.Sum256([]byte(v.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Hash8 gives the first 8 digits of Hash, the name of a token in logs.
func (v Value) Hash8() string { return v.Hash()[:8] }

func (v Value) shown() string {
	if v.IsZero() {
		return ""
	}
	return mark
}

// String gives a mark, or nothing for an empty value.
func (v Value) String() string { return v.shown() }

// GoString gives a mark.
func (v Value) GoString() string { return v.shown() }

// Format writes a mark, whatever the verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(v.shown())) }

// LogValue gives a mark.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.shown()) }

// MarshalText gives a mark, for every encoding that asks for a text.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.shown()), nil }
