package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"

	"splashtail/jobs/backup/model"
)

// chunkSize is when a section of JSON lines is closed, in bytes before compression. The next lines of its kind go into
// another section of the same name, so that a reader never needs to hold more than one.
const chunkSize = 256 << 10

// chunk is the lines of one name that wait to become a section.
type chunk struct {
	name  string
	lines bytes.Buffer
}

// add puts a line into the section that is open, or closes that and opens another.
func (w *Writer) add(name string, line []byte) error {
	if w.err != nil {
		return w.err
	}
	if name != w.open.name || w.open.lines.Len() >= chunkSize {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.open.name = name
	w.open.lines.Write(line)
	w.open.lines.WriteByte('\n')
	return nil
}

// flush makes a section of the lines that wait. They were taken already, so that an archive without them is none.
func (w *Writer) flush() error {
	if w.open.lines.Len() == 0 {
		return w.err
	}
	raw := w.open.lines.Bytes()
	e, stored := w.pack(w.open.name, raw)
	err := w.put(e, bytes.NewReader(stored))
	if w.err == nil {
		w.err = err
	}
	w.open.lines.Reset()
	return err
}

// pack compresses what fits into memory. Bytes that would grow beyond what readers take are stored as they are.
func (w *Writer) pack(name string, raw []byte) (entry, []byte) {
	e := entry{codec: zstdCodec, name: name, raw: int64(len(raw))}
	w.packed.Reset()
	w.enc.Reset(&w.packed)
	_, _ = w.enc.Write(raw) // a buffer takes everything
	_ = w.enc.Close()
	if w.packed.Len() >= len(raw) || len(raw)/w.packed.Len() >= int(w.l.Ratio/2) {
		e.codec, e.stored = storedCodec, e.raw
		return e, raw
	}
	e.stored = int64(w.packed.Len())
	return e, w.packed.Bytes()
}

// checkLine refuses a line that readers would not take.
func checkLine(b []byte, l Limits) error {
	if len(b) > l.Line {
		return beyond("it has a value of %d bytes, the limit is %d", len(b), l.Line)
	}
	if shapeOf(b).depth > l.Depth {
		return beyond("it has a value nested deeper than %d", l.Depth)
	}
	return nil
}

// shape is what a JSON text consists of: how deep its lists and objects nest, how many objects there are, and commas.
type shape struct{ depth, objects, commas int }

func shapeOf(b []byte) (s shape) {
	level, text := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			level++
			s.depth = max(s.depth, level)
			if c == '{' {
				s.objects++
			}
		case c == '}' || c == ']':
			level--
		case c == ',':
			s.commas++
		}
	}
	return s
}

// weight is what a JSON text counts for against Limits.Structure: its bytes or, where that is more, about what it takes
// in memory once it is decoded. Empty objects have two bytes and become hundreds.
func weight(b []byte) int64 {
	s := shapeOf(b)
	return int64(max(len(b)+1, 64*s.objects, 16*s.commas))
}

// CheckWeight refuses JSON that would take more than so many bytes of memory once it is decoded, roughly, before it is.
func CheckWeight(b []byte, most int64) error {
	if weight(b) > most {
		return advised(beyond("a value of it has %d bytes and would take far more memory", len(b)))
	}
	return nil
}

// kind is one list or object of a snapshot, as lines of JSON.
type kind struct {
	name string
	size uintptr // of one value in memory, without what it points to
	each func(s *model.Snapshot, yield func(any) error) error
	add  func(s *model.Snapshot, line []byte) error
}

// kinds lists all of a snapshot, in the order in which it is written.
func kinds() []kind {
	return []kind{
		single("about", func(s *model.Snapshot) *model.About { return &s.About }),
		single("guild", func(s *model.Snapshot) *model.Guild { return &s.Guild }),
		list("roles", func(s *model.Snapshot) *[]model.Role { return &s.Roles }),
		list("channels", func(s *model.Snapshot) *[]model.Channel { return &s.Channels }),
		list("threads", func(s *model.Snapshot) *[]model.Thread { return &s.Threads }),
		list("emojis", func(s *model.Snapshot) *[]model.Emoji { return &s.Emojis }),
		list("stickers", func(s *model.Snapshot) *[]model.Sticker { return &s.Stickers }),
		list("sounds", func(s *model.Snapshot) *[]model.Sound { return &s.Sounds }),
		list("automod", func(s *model.Snapshot) *[]model.AutoModRule { return &s.AutoMod }),
		optional("welcome", func(s *model.Snapshot) **model.WelcomeScreen { return &s.Welcome }),
		optional("onboarding", func(s *model.Snapshot) **model.Onboarding { return &s.Onboarding }),
		list("events", func(s *model.Snapshot) *[]model.Event { return &s.Events }),
		list("webhooks", func(s *model.Snapshot) *[]model.Webhook { return &s.Webhooks }),
		list("bans", func(s *model.Snapshot) *[]model.Ban { return &s.Bans }),
		list("members", func(s *model.Snapshot) *[]model.Member { return &s.Members }),
		list("pins", func(s *model.Snapshot) *[]model.Pins { return &s.Pins }),
	}
}

// weight is what one value of the kind counts for against Limits.Structure.
func (k kind) weight(line []byte) int64 { return max(weight(line), int64(k.size)) }

var errTwice = errors.New("a guild has one of it, and it comes twice")

func list[T any](name string, at func(*model.Snapshot) *[]T) kind {
	return kind{name, reflect.TypeFor[T]().Size(), func(s *model.Snapshot, yield func(any) error) error {
		for i := range *at(s) {
			if err := yield(&(*at(s))[i]); err != nil {
				return err
			}
		}
		return nil
	}, func(s *model.Snapshot, line []byte) error {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		*at(s) = append(*at(s), v)
		return nil
	}}
}

func single[T any](name string, at func(*model.Snapshot) *T) kind {
	return kind{name, reflect.TypeFor[T]().Size(), func(s *model.Snapshot, yield func(any) error) error {
		return yield(at(s))
	}, func(s *model.Snapshot, line []byte) error {
		if !reflect.ValueOf(at(s)).Elem().IsZero() {
			return errTwice
		}
		return json.Unmarshal(line, at(s))
	}}
}

func optional[T any](name string, at func(*model.Snapshot) **T) kind {
	return kind{name, reflect.TypeFor[T]().Size(), func(s *model.Snapshot, yield func(any) error) error {
		if *at(s) == nil {
			return nil
		}
		return yield(*at(s))
	}, func(s *model.Snapshot, line []byte) error {
		if *at(s) != nil {
			return errTwice
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		*at(s) = &v
		return nil
	}}
}

// checkStructure refuses a snapshot that readers would not take, before any of it is written.
func checkStructure(s *model.Snapshot, l Limits) error {
	var size int64
	for _, k := range kinds() {
		err := k.each(s, func(v any) error {
			b, err := json.Marshal(v)
			if err != nil {
				return err
			}
			if size += k.weight(b); size > l.Structure {
				return beyond("its structure has more than %d bytes", l.Structure)
			}
			return checkLine(b, l)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
