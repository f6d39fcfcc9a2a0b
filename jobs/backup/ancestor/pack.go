package ancestor

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bounds of MessagePack. Repeated strings are references of three bytes, so what they grow to has a bound of its own.
const (
	maxDepth  = 32
	maxGrown  = 32 << 20
	maxString = 1 << 20   // bytes of one string: the longest of Discord's have thousands
	maxValues = 2 << 20   // of one section, names of fields counted
	maxStored = 1<<16 - 1 // strings that can be referred to
	minStored = 3         // bytes of a string that can be
)

// Extensions: a string that came before, and a time.
const (
	extString = -128
	extTime   = -1
)

// toJSON rewrites MessagePack as JSON. It knows what the ancestor's library wrote: strings of three bytes and more are
// numbered as they come, and said again by number.
func toJSON(b []byte) ([]byte, error) {
	p := &packed{in: b}
	if err := p.value(0); err != nil {
		return nil, damaged("byte %d of a section's MessagePack: %v", len(b)-len(p.in), err)
	}
	if len(p.in) > 0 {
		return nil, damaged("something follows the MessagePack of a section")
	}
	return p.out, nil
}

type packed struct {
	in, out []byte
	strings []string
	values  int
}

func (p *packed) take(n int) ([]byte, error) {
	if n < 0 || n > len(p.in) {
		return nil, fmt.Errorf("%d bytes are missing", n-len(p.in))
	}
	b := p.in[:n]
	p.in = p.in[n:]
	return b, nil
}

// number takes a big-endian number of n bytes.
func (p *packed) number(n int) (uint64, error) {
	b, err := p.take(n)
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, err
}

// value rewrites one value.
func (p *packed) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it nests deeper than %d", maxDepth)
	}
	if len(p.out) > maxGrown {
		return fmt.Errorf("it grows beyond %d bytes", maxGrown)
	}
	if p.values++; p.values > maxValues {
		return fmt.Errorf("it has more than %d values", maxValues)
	}
	b, err := p.take(1)
	if err != nil {
		return err
	}
	switch c := b[0]; {
	case c < 0x80:
		p.out = strconv.AppendInt(p.out, int64(c), 10)
	case c < 0x90:
		return p.pairs(int(c&0x0f), depth)
	case c < 0xa0:
		return p.items(int(c&0x0f), depth)
	case c < 0xc0:
		return p.text(int(c & 0x1f))
	case c >= 0xe0:
		p.out = strconv.AppendInt(p.out, int64(int8(c)), 10)
	case c >= 0xcc && c <= 0xd3 || c == 0xca || c == 0xcb:
		return p.numeric(c)
	case c >= 0xd4 && c <= 0xd8:
		return p.extension(1 << (c - 0xd4))
	default:
		return p.sized(c, depth)
	}
	return nil
}

// numeric rewrites numbers that take bytes of their own.
func (p *packed) numeric(c byte) error {
	size := 1 << (c & 3)
	if c < 0xcc {
		size = 4 << (c - 0xca)
	}
	v, err := p.number(size)
	if err != nil {
		return err
	}
	switch {
	case c == 0xca:
		return p.float(float64(math.Float32frombits(uint32(v))))
	case c == 0xcb:
		return p.float(math.Float64frombits(v))
	case c < 0xd0:
		p.out = strconv.AppendUint(p.out, v, 10)
	default:
		shift := 64 - 8*size
		p.out = strconv.AppendInt(p.out, int64(v<<shift)>>shift, 10)
	}
	return nil
}

func (p *packed) float(v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%v is no number of JSON", v)
	}
	p.out = strconv.AppendFloat(p.out, v, 'g', -1, 64)
	return nil
}

// sized rewrites what says its size in bytes of its own.
func (p *packed) sized(c byte, depth int) error {
	switch c {
	case 0xc0:
		p.out = append(p.out, "null"...)
		return nil
	case 0xc2, 0xc3:
		p.out = strconv.AppendBool(p.out, c == 0xc3)
		return nil
	case 0xc1:
		return fmt.Errorf("no value begins with 0xc1")
	}
	size, err := p.number(widthOf(c))
	n := int(size)
	switch {
	case err != nil:
		return err
	case n > len(p.in):
		return fmt.Errorf("it says %d, and %d bytes are left", n, len(p.in))
	case c <= 0xc6:
		raw, err := p.take(n)
		p.out = append(append(p.out, '"'), base64.StdEncoding.EncodeToString(raw)...)
		p.out = append(p.out, '"')
		return err
	case c <= 0xc9:
		return p.extension(n)
	case c <= 0xdb:
		return p.text(n)
	case c <= 0xdd:
		return p.items(n, depth)
	}
	return p.pairs(n, depth)
}

// widthOf is how many bytes the size of what begins with c has.
func widthOf(c byte) int {
	switch c {
	case 0xc4, 0xc7, 0xd9:
		return 1
	case 0xc5, 0xc8, 0xda, 0xdc, 0xde:
		return 2
	}
	return 4
}

func (p *packed) items(n, depth int) error {
	p.out = append(p.out, '[')
	for i := range n {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		if err := p.value(depth + 1); err != nil {
			return err
		}
	}
	p.out = append(p.out, ']')
	return nil
}

func (p *packed) pairs(n, depth int) error {
	p.out = append(p.out, '{')
	for i := range n {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		at := len(p.out)
		if err := p.value(depth + 1); err != nil {
			return err
		}
		if p.out[at] != '"' {
			return fmt.Errorf("a name is no text")
		}
		p.out = append(p.out, ':')
		if err := p.value(depth + 1); err != nil {
			return err
		}
	}
	p.out = append(p.out, '}')
	return nil
}

func (p *packed) text(n int) error {
	if n > maxString {
		return fmt.Errorf("a text has %d bytes, the limit is %d", n, maxString)
	}
	b, err := p.take(n)
	if err != nil {
		return err
	}
	s := string(b)
	if n >= minStored && len(p.strings) < maxStored {
		p.strings = append(p.strings, s)
	}
	return p.quote(s)
}

func (p *packed) quote(s string) error {
	if plain(s) { // most are, and there may be millions
		p.out = append(append(append(p.out, '"'), s...), '"')
		return nil
	}
	b, err := json.Marshal(s)
	p.out = append(p.out, b...)
	return err
}

// plain tells whether a text stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (p *packed) extension(n int) error {
	kind, err := p.number(1)
	if err != nil {
		return err
	}
	b, err := p.take(n)
	if err != nil {
		return err
	}
	switch {
	case int8(kind) == extString && n <= 4:
		at := 0
		for _, c := range b {
			at = at<<8 | int(c)
		}
		if at >= len(p.strings) {
			return fmt.Errorf("string %d was not there before", at)
		}
		return p.quote(p.strings[at])
	case int8(kind) == extTime:
		at, err := moment(b)
		if err != nil {
			return err
		}
		return p.quote(at.Format(time.RFC3339Nano))
	}
	return fmt.Errorf("there is no extension %d of %d bytes", int8(kind), n)
}

// moment reads a time in one of its three sizes.
func moment(b []byte) (time.Time, error) {
	var at time.Time
	switch len(b) {
	case 4:
		at = time.Unix(int64(binary.BigEndian.Uint32(b)), 0)
	case 8:
		v := binary.BigEndian.Uint64(b)
		at = time.Unix(int64(v&(1<<34-1)), int64(v>>34))
	case 12:
		at = time.Unix(int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint32(b)))
	default:
		return at, fmt.Errorf("a time has %d bytes", len(b))
	}
	if at = at.UTC(); at.Year() < 0 || at.Year() > 9999 {
		return at, fmt.Errorf("a time is in the year %d", at.Year())
	}
	return at, nil
}
