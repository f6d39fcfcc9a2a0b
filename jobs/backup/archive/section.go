package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"splashtail/jobs/backup/model"
)

// Section is a piece of an archive in a Reader's hands, good until the next call of Next. Exactly one of Channel, File,
// IsManifest and IsStructure says what it is; a section that none knows is of a later version and may be passed over.
type Section struct {
	entry
	l     Limits
	lines []byte      // of a section of lines: all of it, checked
	body  *fileReader // of a file
}

// Name is the section's name.
func (s *Section) Name() string { return s.name }

// Size is how many bytes it holds, before compression.
func (s *Section) Size() int64 { return s.raw }

// Channel is the channel or thread whose messages it holds; empty: it holds something else.
func (s *Section) Channel() model.ID { return s.channel() }

// File is the key of the file that it holds; empty: it holds something else.
func (s *Section) File() model.FileKey { return s.file() }

func (e *entry) file() model.FileKey {
	key, ok := strings.CutPrefix(e.name, filesName)
	if !ok {
		return ""
	}
	return model.FileKey(key)
}

// IsManifest tells whether it is the manifest, the last section.
func (s *Section) IsManifest() bool { return s.name == manifestName }

// IsStructure tells whether it is a part of the guild's structure, a model.Snapshot.
func (s *Section) IsStructure() bool { return strings.HasPrefix(s.name, structureName) }

// Read reads the bytes of a file. They are verified when io.EOF is returned, not before: what was done with them by then
// must not count if another error comes.
func (s *Section) Read(b []byte) (int, error) {
	if s.body == nil {
		return 0, fmt.Errorf("section %.40q is not a file", s.name)
	}
	return s.body.Read(b)
}

// Messages decodes the messages of a section, newest first.
func (s *Section) Messages() ([]model.Message, error) {
	var all []model.Message
	err := s.each(func(line []byte) error {
		m, err := decodeMessage(line)
		all = append(all, m)
		return err
	})
	return all, err
}

func decodeMessage(line []byte) (m model.Message, err error) {
	if err = json.Unmarshal(line, &m); err == nil && !validID(m.ID) {
		err = fmt.Errorf("a message has the id %.40q", m.ID)
	}
	return m, err
}

// addTo adds what a section of the structure holds to a snapshot. size is what sections before it have taken of
// Limits.Structure, and grows.
func (s *Section) addTo(snap *model.Snapshot, size *int64) error {
	name := strings.TrimPrefix(s.name, structureName)
	at := slices.IndexFunc(kinds(), func(k kind) bool { return k.name == name })
	if at < 0 {
		return nil // of a later version
	}
	k := kinds()[at]
	for line := range bytes.Lines(s.lines) {
		if *size += k.weight(bytes.TrimSuffix(line, []byte{'\n'})); *size > s.l.Structure {
			return advised(beyond("its structure takes more than %d bytes", s.l.Structure))
		}
	}
	return s.each(func(line []byte) error { return k.add(snap, line) })
}

// Manifest decodes the manifest. The error wraps ErrNewer when what the archive holds means something else than here.
func (s *Section) Manifest() (m model.Manifest, err error) {
	if err = s.each(func(line []byte) error { return json.Unmarshal(line, &m) }); err == nil {
		err = CheckSchema(m.Schema)
	}
	return m, err
}

// CheckSchema refuses what was written by a program that knows more of backups.
func CheckSchema(schema int) error {
	if schema > model.Version {
		return fmt.Errorf("%w: its contents are version %d and this program reads up to %d; update the program", ErrNewer, schema, model.Version)
	}
	return nil
}

// each gives every line to f.
func (s *Section) each(f func(line []byte) error) error {
	rest := s.lines
	for len(rest) > 0 {
		line, after, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			return damaged("section %.40q ends within a line", s.name)
		}
		if err := s.one(line, f); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

func (s *Section) one(line []byte, f func(line []byte) error) error {
	if err := checkLine(line, s.l); err != nil {
		return advised(err)
	}
	if err := f(line); err != nil {
		return damaged("section %.40q has a line that is no such thing (%v)", s.name, err)
	}
	return nil
}

// unpacker turns stored bytes back. It may be used by several goroutines.
type unpacker struct {
	l   Limits
	dec *zstd.Decoder
}

func newUnpacker(l Limits) (*unpacker, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(uint64(max(chunkMost(l), window))), zstd.WithDecoderMaxWindow(window)) // less than a window refuses every frame
	if err != nil {
		return nil, err
	}
	return &unpacker{l: l, dec: dec}, nil
}

// section takes a section of lines whole, or gets ready to read a file. in stands behind the section's name; want is the
// digest by the index when that is known.
func (u *unpacker) section(e entry, in io.Reader, want *[sha256.Size]byte) (*Section, error) {
	s := &Section{entry: e, l: u.l}
	h := sha256.New()
	h.Write(e.sectionHead())
	if e.isFile() {
		if !validKey(e.file()) {
			return nil, damaged("a file has the name %.80q", e.name)
		}
		body, err := newFileReader(s, h, in, want)
		s.body = body
		return s, err
	}
	if id, ok := strings.CutPrefix(e.name, messagesName); ok && !validID(model.ID(id)) {
		return nil, damaged("messages belong to the channel %.40q", id)
	}
	stored := make([]byte, e.stored+sha256.Size)
	if _, err := io.ReadFull(in, stored); err != nil {
		return nil, err
	}
	h.Write(stored[:e.stored])
	if err := s.sealed(h, stored[e.stored:], want); err != nil {
		return nil, err
	}
	s.lines = stored[:e.stored]
	if e.codec == zstdCodec {
		var err error
		if s.lines, err = u.dec.DecodeAll(s.lines, make([]byte, 0, e.raw)); err != nil {
			return nil, damaged("section %.40q cannot be unpacked (%v)", e.name, err)
		}
	}
	if int64(len(s.lines)) != e.raw {
		return nil, damaged("section %.40q has %d bytes instead of %d", e.name, len(s.lines), e.raw)
	}
	return s, nil
}

// sealed compares a section's digest with what it should be, and keeps it for the index.
func (s *Section) sealed(h hash.Hash, got []byte, want *[sha256.Size]byte) error {
	h.Sum(s.digest[:0])
	if !bytes.Equal(s.digest[:], got) || want != nil && s.digest != *want {
		return damaged("section %.40q is not what was written", s.name)
	}
	return nil
}

// fileReader reads the bytes of a file and verifies them at their end.
type fileReader struct {
	s      *Section
	want   *[sha256.Size]byte
	in     io.Reader // behind the stored bytes
	stored io.Reader // the stored bytes, hashed on their way
	dec    *zstd.Decoder
	sum    hash.Hash // of stored bytes
	raw    hash.Hash // of the file
	n      int64
	end    error
}

func newFileReader(s *Section, h hash.Hash, in io.Reader, want *[sha256.Size]byte) (*fileReader, error) {
	return &fileReader{s: s, want: want, in: in, sum: h, raw: sha256.New(),
		stored: io.TeeReader(&exactly{r: in, left: s.stored}, h)}, nil
}

func (f *fileReader) Read(b []byte) (int, error) {
	if f.end != nil {
		return 0, f.end
	}
	src := f.stored
	if f.s.codec == zstdCodec {
		if f.dec == nil {
			var err error
			if f.dec, err = newDecoder(f.stored); err != nil {
				return 0, err
			}
		}
		src = f.dec
	}
	n, err := src.Read(b)
	f.n += int64(n)
	f.raw.Write(b[:n])
	switch {
	case f.n > f.s.raw:
		err = damaged("file %s is longer than it says", f.s.file())
	case errors.Is(err, io.EOF):
		if err = f.finish(); err == nil {
			err = io.EOF
		}
	}
	if err != nil {
		f.close()
		f.end = err
	}
	return n, err
}

// finish verifies a file that was read to its end.
func (f *fileReader) finish() error {
	if err := f.skip(); err != nil {
		return err
	}
	if f.n != f.s.raw || fileKey(f.raw.Sum(nil)) != f.s.file() {
		return damaged("file %s is not what was written", f.s.file())
	}
	return nil
}

// skip reads what is left of the stored bytes without unpacking them and verifies them.
func (f *fileReader) skip() error {
	if _, err := io.Copy(io.Discard, f.stored); err != nil {
		return err
	}
	var got [sha256.Size]byte
	if _, err := io.ReadFull(f.in, got[:]); err != nil {
		return err
	}
	return f.s.sealed(f.sum, got[:], f.want)
}

func (f *fileReader) close() {
	if f.dec != nil {
		f.dec.Close()
		f.dec = nil
	}
}

// exactly reads a number of bytes; fewer are an error.
type exactly struct {
	r    io.Reader
	left int64
}

func (x *exactly) Read(b []byte) (int, error) {
	if x.left == 0 {
		return 0, io.EOF
	}
	n, err := x.r.Read(b[:min(int64(len(b)), x.left)])
	x.left -= int64(n)
	if errors.Is(err, io.EOF) && x.left > 0 {
		err = io.ErrUnexpectedEOF
	} else if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
