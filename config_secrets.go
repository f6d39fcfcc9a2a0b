package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"splashtail/internal/logs"
	"splashtail/internal/secret"
)

// The kinds of settings that nobody may read again.

// Secret is a password or key. It never prints.
type Secret struct {
	given
	Value secret.Value
}

func (v *Secret) parse(text, rule string) error {
	if low, _ := span(rule); len(text) < low {
		return fmt.Errorf("has only %d characters", len(text))
	}
	v.Value = secret.New(text)
	return nil
}

func (v *Secret) allowed(rule string) string {
	if low, _ := span(rule); low > 0 {
		return fmt.Sprintf("at least %d characters", low)
	}
	return "any text"
}

func (v *Secret) String() string {
	if v.Value.IsZero() {
		return ""
	}
	return "(set, hidden)"
}

// Key is a 256-bit key. It never prints.
type Key struct{ Secret }

func (v *Key) parse(text, _ string) error {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if raw, err := decode(text); err == nil && len(raw) == 32 {
			v.Value = secret.New(text)
			return nil
		}
	}
	return errors.New("is no key of 32 bytes")
}

func (v *Key) allowed(string) string {
	return "32 bytes in base64 or hexadecimal, as `openssl rand -base64 32` prints them"
}

// Tokens is a list of bot tokens, or a single one under the rule "one". They print as the short hash that names them
// in log lines.
type Tokens struct {
	given
	Values []secret.Value
}

// A Discord token is three parts of URL-safe base64; what else might be meant as one (tests, proxies) stays possible
// as long as it is a single word of header-safe characters.
var tokenShape = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)

func (v *Tokens) parse(text, rule string) error {
	seen := map[string]bool{}
	for one := range strings.SplitSeq(strings.ReplaceAll(text, " ", ""), ",") {
		switch {
		case one == "":
			continue
		case !tokenShape.MatchString(one):
			return fmt.Errorf("has a token with a character that no token has (quotes, a line break?)")
		case rule == "one" && strings.HasPrefix(one, "Bot") && strings.HasPrefix(text, "Bot "):
			return errors.New(`begins with "Bot "; give the bare token`)
		case !seen[one]:
			seen[one] = true
			v.Values = append(v.Values, secret.New(one))
		}
	}
	if rule == "one" && len(v.Values) > 1 {
		return fmt.Errorf("has %d tokens", len(v.Values))
	}
	return nil
}

func (v *Tokens) allowed(rule string) string {
	if rule == "one" {
		return "one bot token"
	}
	return "bot tokens with commas between them; spaces do not count"
}

// first is the token of a setting under the rule "one"; zero when unset.
func (v *Tokens) first() secret.Value {
	if len(v.Values) == 0 {
		return secret.Value{}
	}
	return v.Values[0]
}

func (v *Tokens) String() string {
	names := make([]string, len(v.Values))
	for i, t := range v.Values {
		names[i] = t.Hash8()
	}
	if len(names) == 0 {
		return ""
	}
	return "(set, hidden; in logs: " + strings.Join(names, " ") + ")"
}

// shown is the given text of s as a fault may print it.
func shown(s setting) string {
	text := s.told().text
	switch s.(type) {
	case *Secret, *Key, *Tokens, *ClientSecrets:
		return fmt.Sprintf("(hidden, %d characters)", len(text))
	case *URL:
		return strconv.Quote(logs.Cut(maskURL(text)))
	}
	return strconv.Quote(logs.Cut(text))
}

// ClientSecrets is a list of clients and their secrets. It prints the clients.
type ClientSecrets struct {
	given
	Values map[string]secret.Value
}

// minClientSecret is the shortest secret of a client, in characters.
const minClientSecret = 16

func (v *ClientSecrets) parse(text, _ string) error {
	v.Values = map[string]secret.Value{}
	for i, one := range strings.Split(text, ",") { // faults name entries by their place: a client may be a secret that was misplaced
		client, hidden, ok := strings.Cut(strings.TrimSpace(one), "=")
		switch {
		case strings.TrimSpace(one) == "":
			continue
		case !ok || client == "" || len(client) > 64 || strings.ContainsAny(client, " \t"):
			return fmt.Errorf("has an entry that is not CLIENT=SECRET, number %d", i+1)
		case len(hidden) < minClientSecret || strings.ContainsAny(hidden, " \t"):
			return fmt.Errorf("has a secret with spaces or fewer than %d characters, number %d", minClientSecret, i+1)
		case !v.Values[client].IsZero():
			return fmt.Errorf("names the client of number %d twice", i+1)
		}
		v.Values[client] = secret.New(hidden)
	}
	return nil
}

func (v *ClientSecrets) allowed(string) string {
	return fmt.Sprintf("CLIENT=SECRET with commas between, a secret of at least %d characters", minClientSecret)
}

func (v *ClientSecrets) String() string {
	if len(v.Values) == 0 {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(v.Values)), ",") + " (secrets hidden)"
}
