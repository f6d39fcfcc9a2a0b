package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"splashtail/internal/logs"
	"splashtail/internal/secret"
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

// Host is an address to listen on, without a port.
type Host struct{ Text }

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$`)

func (v *Host) parse(text, _ string) error {
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if _, err := netip.ParseAddr(bare); err != nil && !hostName.MatchString(bare) {
		return errors.New("is neither an IP address nor a host name")
	}
	v.Value = bare
	return nil
}

func (v *Host) allowed(string) string {
	return "an IP address or host name without a port; 0.0.0.0 is every interface"
}

// HostPort is an address with a port.
type HostPort struct{ Text }

func (v *HostPort) parse(text, _ string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return errors.New("is not host:port")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("has the port %q", port)
	}
	var h Host
	if host == "" || h.parse(host, "") != nil {
		return fmt.Errorf("has the host %q, which is neither an IP address nor a host name", host)
	}
	v.Value = text
	return nil
}

func (v *HostPort) allowed(string) string { return "host:port" }

// loopback tells whether only this machine can reach the address.
func (v *HostPort) loopback() bool {
	host, _, _ := net.SplitHostPort(v.Value)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// URL is an address with one of the schemes that its rule lists. A password in it does not print.
type URL struct{ Text }

func (v *URL) parse(text, rule string) error {
	for one := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil:
			return errors.New("is not a URL")
		case !strings.Contains(","+rule+",", ","+u.Scheme+","):
			return fmt.Errorf("has the scheme %q", u.Scheme)
		case u.Host == "":
			return errors.New("names no host")
		}
	}
	v.Value = strings.TrimRight(text, "/")
	return nil
}

func (v *URL) allowed(rule string) string {
	return "a URL that begins with " + strings.ReplaceAll(rule, ",", ":// or ") + "://"
}

var urlScheme = regexp.MustCompile(`^ *[A-Za-z][A-Za-z0-9+.-]*://`)

// maskURL hides user and password of every URL in text: what stands before its last @, since a password may have one
// too. In a text that is no list of URLs, as when somebody forgot to encode a slash or a comma of a password, that is the
// last @ of all.
func maskURL(text string) string {
	urls := strings.Split(text, ",")
	for i, one := range urls {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Scheme == "" || u.Host == "" {
			return maskAll(text)
		}
		urls[i] = maskAll(one)
	}
	return strings.Join(urls, ",")
}

func maskAll(text string) string {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return text
	}
	return urlScheme.FindString(text) + "(hidden)" + text[at:]
}

func (v *URL) String() string { return maskURL(v.Value) }

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
	case *Secret, *Key, *Tokens:
		return fmt.Sprintf("(hidden, %d characters)", len(text))
	case *URL:
		return strconv.Quote(logs.Cut(maskURL(text)))
	}
	return strconv.Quote(logs.Cut(text))
}

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
