package bus

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strconv"
)

// GuildID is the snowflake of a Discord guild. On the wire of AutoMuteUs it is a
// bare number, on Discord's a decimal string.
type GuildID uint64

// UserID is the snowflake of a Discord user.
type UserID uint64

// String gives the decimal form.
func (id GuildID) String() string { return strconv.FormatUint(uint64(id), 10) }

// String gives the decimal form.
func (id UserID) String() string { return strconv.FormatUint(uint64(id), 10) }

// ParseGuildID reads a decimal snowflake greater than zero; CodeInvalid otherwise.
func ParseGuildID(s string) (GuildID, error) {
	n, err := parseSnowflake(s, "guild id")
	return GuildID(n), err
}

// ParseUserID reads a decimal snowflake greater than zero; CodeInvalid otherwise.
func ParseUserID(s string) (UserID, error) {
	n, err := parseSnowflake(s, "user id")
	return UserID(n), err
}

func parseSnowflake(s, what string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	// "007" and "+7" would make two subjects for one id.
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != s {
		return 0, Errorf(CodeInvalid, "bad_snowflake", "%s is not a decimal number between 1 and 2^64-1; nothing was changed", what)
	}
	return n, nil
}

// connectCodeLen is the length in bytes that every galactus and every AutoMuteUs
// uses (galactus closes the socket for any other).
const connectCodeLen = 8

// ConnectCode is the code that binds a capture client to a game. It is a secret of
// sorts: who has it can feed the game, so it never appears in a log in clear.
type ConnectCode struct{ s string }

// ParseConnectCode accepts exactly 8 ASCII letters or digits, without folding case:
// AutoMuteUs makes 8 upper-case hexadecimal digits, and the code is a token of
// subjects, so nothing that could change a subject's shape passes. CodeInvalid
// otherwise.
func ParseConnectCode(s string) (ConnectCode, error) {
	if len(s) != connectCodeLen {
		return ConnectCode{}, Errorf(CodeInvalid, "bad_connect_code", "a connect code has %d letters or digits, not %d bytes", connectCodeLen, len(s))
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return ConnectCode{}, Errorf(CodeInvalid, "bad_connect_code", "a connect code has only letters and digits")
		}
	}
	return ConnectCode{s}, nil
}

// String gives the code in clear, for subjects, keys and the wire; not for logs.
func (c ConnectCode) String() string { return c.s }

// IsZero says whether no code was set.
func (c ConnectCode) IsZero() bool { return c.s == "" }

// LogValue shows a short hash, so that lines about one game can be matched without
// handing its code to whoever reads the log.
func (c ConnectCode) LogValue() slog.Value { return slog.StringValue(c.Hash8()) }

// Hash8 gives the first 8 hexadecimal digits of the code's SHA-256.
func (c ConnectCode) Hash8() string {
	sum := sha256.Sum256([]byte(c.s))
	return hex.EncodeToString(sum[:4])
}

// MarshalText gives the code in clear.
func (c ConnectCode) MarshalText() ([]byte, error) { return []byte(c.s), nil }

// UnmarshalText parses as ParseConnectCode does; an empty text gives the zero code.
func (c *ConnectCode) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = ConnectCode{}
		return nil
	}
	parsed, err := ParseConnectCode(string(text))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}
