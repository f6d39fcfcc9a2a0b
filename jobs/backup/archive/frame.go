package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"splashtail/jobs/backup/model"
)

// The container, byte by byte; numbers are big-endian.
//
//	header   magic (18) version (2) kind (2)
//	section  'S' codec (1) name length (2) stored (8) raw (8) · name · stored bytes · SHA-256 of all of it (32)
//	index    'I' count (4) length (8) · entries · SHA-256 of header and all of it (32) · offset of the 'I' (8) · end mark (16)
//	entry    codec (1) name length (2) offset (8) stored (8) raw (8) digest (32) · name
const (
	magic       = "splashtail backup\n"
	endMark     = "\nsplashtail end\n"
	headerSize  = len(magic) + 4
	sectionHead = 1 + 1 + 2 + 8 + 8
	indexHead   = 1 + 4 + 8
	entryHead   = 1 + 2 + 8 + 8 + 8 + sha256.Size
	tailSize    = sha256.Size + 8 + len(endMark)
	maxName     = 120
)

// Kinds of containers, in the header.
const (
	wholeKind = 0
	partKind  = 1
)

// Codecs of a section's bytes.
const (
	storedCodec = 0
	zstdCodec   = 1
)

// entry is a section as the index names it.
type entry struct {
	codec       byte
	name        string
	offset      int64 // of the section's first byte
	stored, raw int64
	digest      [sha256.Size]byte
}

// size is how many bytes the section takes in the file.
func (e *entry) size() int64 {
	return int64(sectionHead) + int64(len(e.name)) + e.stored + sha256.Size
}

func header(kind uint16) []byte {
	b := binary.BigEndian.AppendUint16([]byte(magic), FormatVersion)
	return binary.BigEndian.AppendUint16(b, kind)
}

// readHeader takes the header from r and tells whether it is of the wanted kind.
func readHeader(r io.Reader, kind uint16) ([]byte, error) {
	b := make([]byte, headerSize)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if n < headerSize || !bytes.HasPrefix(b, []byte(magic)) {
		if n < headerSize && strings.HasPrefix(magic, string(b[:min(n, len(magic))])) && n > 0 {
			return nil, damaged("it ends after %d bytes", n)
		}
		return nil, fmt.Errorf("%w: it does not begin like one", ErrNotBackup)
	}
	if v := binary.BigEndian.Uint16(b[len(magic):]); v > FormatVersion {
		return nil, fmt.Errorf("%w: its format is %d and this program reads up to %d; update the program", ErrNewer, v, FormatVersion)
	} else if v == 0 {
		return nil, damaged("no version has the number 0")
	}
	switch got := binary.BigEndian.Uint16(b[len(magic)+2:]); {
	case got == kind:
		return b, nil
	case got == partKind:
		return nil, fmt.Errorf("%w: it is a part that an unfinished backup left", ErrNotBackup)
	case got == wholeKind:
		return nil, fmt.Errorf("%w: a part was expected, and this is a whole one", ErrNotBackup)
	default:
		return nil, damaged("there is no kind %d", got)
	}
}

func (e *entry) sectionHead() []byte {
	b := make([]byte, 0, sectionHead+len(e.name))
	b = append(b, 'S', e.codec)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.name)))
	b = binary.BigEndian.AppendUint64(b, uint64(e.stored))
	b = binary.BigEndian.AppendUint64(b, uint64(e.raw))
	return append(b, e.name...)
}

// parseSectionHead reads what stands before a section's name; n is the length of the name.
func parseSectionHead(b []byte) (e entry, n int) {
	e.codec = b[1]
	n = int(binary.BigEndian.Uint16(b[2:]))
	e.stored, e.raw = int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint64(b[12:]))
	return e, n
}

func (e *entry) appendTo(b []byte) []byte {
	b = append(b, e.codec)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.name)))
	b = binary.BigEndian.AppendUint64(b, uint64(e.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(e.stored))
	b = binary.BigEndian.AppendUint64(b, uint64(e.raw))
	b = append(b, e.digest[:]...)
	return append(b, e.name...)
}

// parseEntry takes one entry from b and gives the rest.
func parseEntry(b []byte) (e entry, rest []byte, ok bool) {
	if len(b) < entryHead {
		return e, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < entryHead+n {
		return e, nil, false
	}
	e.codec = b[0]
	e.offset, e.stored = int64(binary.BigEndian.Uint64(b[3:])), int64(binary.BigEndian.Uint64(b[11:]))
	e.raw = int64(binary.BigEndian.Uint64(b[19:]))
	copy(e.digest[:], b[27:])
	e.name = string(b[entryHead : entryHead+n])
	return e, b[entryHead+n:], true
}

// check refuses a section that breaks the format or a limit, before anything is allocated for it.
func (e *entry) check(l Limits) error {
	switch {
	case e.codec > zstdCodec:
		return damaged("section %.40q is compressed in an unknown way", e.name)
	case e.name == "" || len(e.name) > maxName:
		return damaged("a section has a name of %d bytes", len(e.name))
	case e.stored < 0 || e.raw < 0 || e.codec == storedCodec && e.stored != e.raw:
		return damaged("section %.40q has impossible sizes", e.name)
	case e.stored > l.File+l.File/8+1024 || e.raw > l.File:
		return beyond("section %.40q has %d bytes, the limit is %d", e.name, max(e.raw, e.stored), l.File)
	case !e.isFile() && e.raw > chunkMost(l):
		return beyond("section %.40q has %d bytes, the limit for its kind is %d", e.name, e.raw, chunkMost(l))
	case !e.isFile() && e.stored > e.raw+e.raw/8+1024:
		return damaged("section %.40q has impossible sizes", e.name)
	case e.raw > 1<<20 && e.raw/l.Ratio > e.stored:
		return beyond("section %.40q would grow from %d to %d bytes, more than %d times", e.name, e.stored, e.raw, l.Ratio)
	}
	return nil
}

// chunkMost is the size that a section of JSON lines may have: it is cut at chunkSize, after a whole line.
func chunkMost(l Limits) int64 { return chunkSize + int64(l.Line) + 1 }

// The names of sections. Readers pass over names that they do not know.
const (
	manifestName  = "manifest"
	structureName = "structure/"
	messagesName  = "messages/"
	filesName     = "files/"
)

func (e *entry) isFile() bool { return strings.HasPrefix(e.name, filesName) }

// channel is the channel whose messages a section holds; empty: it holds something else.
func (e *entry) channel() model.ID {
	id, ok := strings.CutPrefix(e.name, messagesName)
	if !ok {
		return ""
	}
	return model.ID(id)
}

func validID(id model.ID) bool {
	if id == "" || len(id) > 20 {
		return false
	}
	for _, c := range id {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// seal is the running digest of the index.
type seal struct{ h hash.Hash }

func newSeal(head []byte) seal {
	s := seal{sha256.New()}
	s.h.Write(head)
	return s
}
