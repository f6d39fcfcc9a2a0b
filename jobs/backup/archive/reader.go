package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
)

// Reader reads an archive from front to back.
type Reader struct {
	*intake
	l        Limits
	un       *unpacker
	in       *counting
	seal     seal
	entries  hash.Hash // of the index's entries as they should be
	sections int
	raw      int64
	manifest bool
	kind     uint16
	now      *Section
	err      error
}

// NewReader begins to read an archive.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	return newReader(r, byPassword, wholeKind, o)
}

func newReader(r io.Reader, id identify, kind uint16, o Options) (*Reader, error) {
	k, err := newIntake(r, id, o)
	if err != nil {
		return nil, err
	}
	return k.begin(kind, o)
}

// begin reads the header.
func (k *intake) begin(kind uint16, o Options) (*Reader, error) {
	a := &Reader{intake: k, l: o.limits(), in: &counting{r: k.in}, entries: sha256.New(), kind: kind}
	head, err := readHeader(a.in, kind)
	if err != nil {
		return nil, k.fault(err)
	}
	a.seal = newSeal(head)
	a.un, err = newUnpacker(a.l)
	return a, err
}

// Next gives the next section and verifies the rest of the one before. It gives io.EOF when everything was read, the index
// agrees with it and nothing follows: only then is it known that the archive is whole.
func (r *Reader) Next() (*Section, error) {
	s, err := r.next()
	if err != nil {
		r.err = err
	}
	return s, err
}

func (r *Reader) next() (*Section, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := r.leave(); err != nil {
		return nil, r.fault(err)
	}
	e, err := r.head()
	if err != nil {
		return nil, r.fault(err)
	}
	if e == nil {
		return nil, io.EOF
	}
	s, err := r.un.section(*e, r.in, nil)
	if err != nil {
		return nil, r.fault(err)
	}
	r.now = s
	r.manifest = s.IsManifest()
	return s, nil
}

// leave verifies what is left of the section that was given last, and counts it.
func (r *Reader) leave() error {
	s := r.now
	if s == nil {
		return nil
	}
	if s.body != nil && !errors.Is(s.body.end, io.EOF) {
		if s.body.end != nil {
			return s.body.end
		}
		s.body.close()
		s.body.end = errors.New("the next section was asked for")
		if err := s.body.skip(); err != nil {
			return err
		}
	}
	r.now = nil
	r.entries.Write(s.appendTo(nil))
	return nil
}

// head reads the begin of a section; nil: the index was there, and is right.
func (r *Reader) head() (*entry, error) {
	at := r.in.n
	b := make([]byte, sectionHead)
	if _, err := io.ReadFull(r.in, b[:1]); err != nil {
		return nil, err
	}
	if b[0] == 'I' {
		return nil, r.index(at)
	}
	if b[0] != 'S' {
		return nil, damaged("byte %d begins no section", at)
	}
	if _, err := io.ReadFull(r.in, b[1:]); err != nil {
		return nil, err
	}
	e, n := parseSectionHead(b)
	e.offset = at
	if n == 0 || n > maxName {
		return nil, damaged("a section has a name of %d bytes", n)
	}
	name := make([]byte, n)
	if _, err := io.ReadFull(r.in, name); err != nil {
		return nil, err
	}
	e.name = string(name)
	r.sections++
	r.raw += max(e.raw, 0)
	switch {
	case r.manifest:
		return nil, damaged("something follows its manifest")
	case r.sections > r.l.Sections:
		return nil, beyond("it has more than %d sections", r.l.Sections)
	case r.raw > r.l.Total:
		return nil, beyond("it has more than %d bytes", r.l.Total)
	}
	return &e, e.check(r.l)
}

// index compares the index with what was read.
func (r *Reader) index(at int64) error {
	head := make([]byte, indexHead)
	head[0] = 'I'
	if _, err := io.ReadFull(r.in, head[1:]); err != nil {
		return err
	}
	count, length := binary.BigEndian.Uint32(head[1:]), int64(binary.BigEndian.Uint64(head[5:]))
	if int64(count) != int64(r.sections) {
		return damaged("its index names %d sections, and %d are there", count, r.sections)
	}
	if length < 0 || length > int64(count)*(entryHead+maxName) {
		return damaged("its index of %d sections cannot have %d bytes", count, length)
	}
	r.seal.h.Write(head)
	got := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(got, r.seal.h), r.in, length); err != nil {
		return err
	}
	tail := make([]byte, tailSize)
	if _, err := io.ReadFull(r.in, tail); err != nil {
		return err
	}
	if !bytes.Equal(got.Sum(nil), r.entries.Sum(nil)) {
		return damaged("its index names other sections than are there")
	}
	if err := checkTail(tail, r.seal.h.Sum(nil), at); err != nil {
		return err
	}
	if n, err := io.ReadFull(r.in, tail[:1]); n > 0 {
		return damaged("something follows its end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	if r.kind == wholeKind && !r.manifest {
		return damaged("it has no manifest")
	}
	return nil
}

// checkTail verifies the last bytes of an archive.
func checkTail(tail, sum []byte, at int64) error {
	switch {
	case string(tail[sha256.Size+8:]) != endMark:
		return damaged("its last bytes are missing")
	case !bytes.Equal(tail[:sha256.Size], sum):
		return damaged("its index is not what was written")
	case int64(binary.BigEndian.Uint64(tail[sha256.Size:])) != at:
		return damaged("its index stands elsewhere than it says")
	}
	return nil
}
