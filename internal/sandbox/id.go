package sandbox

import (
	"fmt"
	"strconv"
	"time"
)

// ID is a snowflake: of a guild, user, application, role or channel. On the wire it is a decimal string.
type ID uint64

// discordEpoch is the first second of 2015, where the milliseconds in snowflakes start.
const discordEpoch = 1_420_070_400_000

// String gives the decimal form.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// MarshalText makes ids strings in JSON, as Discord does.
func (id ID) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(id), 10), nil }

// UnmarshalText reads the decimal form.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// ParseID reads a decimal snowflake greater than zero without sign or leading zeros.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 || s[0] < '1' || s[0] > '9' {
		return 0, fmt.Errorf("%.40q is not a snowflake: want a decimal number from 1 to 2^64-1", s)
	}
	return ID(n), nil
}

// nullableID is an id that is null on the wire when it is zero.
type nullableID ID

func (id nullableID) MarshalJSON() ([]byte, error) {
	if id == 0 {
		return []byte("null"), nil
	}
	return []byte(`"` + ID(id).String() + `"`), nil
}

// newID makes a snowflake of this moment, larger than all before. Call it with the lock held.
func (d *Discord) newID() ID {
	ms := max(time.Now().UnixMilli()-discordEpoch, 1)
	d.lastID = max(d.lastID+1, ID(ms)<<22)
	return d.lastID
}

// time is the moment in an id.
func (id ID) time() time.Time { return time.UnixMilli(int64(id>>22) + discordEpoch) }
