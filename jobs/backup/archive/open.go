package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"

	"splashtail/jobs/backup/model"
)

// Archive is an archive that can be read at any place. It may be used by several goroutines.
type Archive struct {
	in       io.ReaderAt // decrypted
	size     int64       // of in
	src      func() error
	l        Limits
	un       *unpacker
	entries  []entry
	channels []model.ID
	messages map[model.ID][]int
	files    map[model.FileKey]int
	manifest int
	temp     *spooled
}

// Open reads the index of an archive of size bytes. The index is verified here, each section when it is read.
func Open(r io.ReaderAt, size int64, o Options) (*Archive, error) {
	src := &failingAt{r: r}
	in, size, err := decryptAt(src, size, o)
	if err != nil {
		return nil, err
	}
	a := &Archive{in: in, size: size, src: src.failed, l: o.limits(), messages: map[model.ID][]int{}, files: map[model.FileKey]int{}, manifest: -1}
	if a.un, err = newUnpacker(a.l); err != nil {
		return nil, err
	}
	if err := a.readIndex(size); err != nil {
		return nil, fault(src.failed(), err)
	}
	return a, nil
}

// Spool copies a stream into a temporary file, as it is, and opens that. Close removes it.
func Spool(r io.Reader, o Options) (*Archive, error) {
	s, err := newSpooled(o.TempDir)
	if err != nil {
		return nil, err
	}
	most := o.limits().Total
	n, err := io.Copy(s, io.LimitReader(r, most+1))
	if err != nil {
		err = fmt.Errorf("fetch the backup: %w", err)
	} else if n > most {
		err = beyond("it has more than %d bytes", most)
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	a, err := Open(s, n, o)
	if err != nil {
		s.drop()
		return nil, err
	}
	a.temp = s
	return a, nil
}

// Verify reads all of the archive, as the function Verify does.
func (a *Archive) Verify() (Report, error) {
	// The source stands below the decryption here: its errors are asked for, and all others are the archive's.
	k := &intake{src: &failing{}, in: io.NewSectionReader(a.in, 0, a.size)}
	r, err := k.begin(wholeKind, Options{Limits: a.l})
	if err != nil {
		return Report{}, fault(a.src(), err)
	}
	report, err := r.verify()
	if src := a.src(); src != nil {
		err = fault(src, src)
	}
	return report, err
}

// Close removes what Spool kept.
func (a *Archive) Close() error {
	if a.temp != nil {
		a.temp.drop()
		a.temp = nil
	}
	return nil
}

func decryptAt(src *failingAt, size int64, o Options) (io.ReaderAt, int64, error) {
	start := make([]byte, min(size, ageHeader))
	if _, err := src.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fault(src.failed(), err)
	}
	who, err := byPassword(start, o)
	if err != nil || who == nil {
		return src, size, err
	}
	in, size, err := age.DecryptReaderAt(src, size, who)
	if err != nil {
		return nil, 0, refused(src.failed(), err)
	}
	return in, size, nil
}

// readIndex reads header, tail and index and checks that the sections fill everything between.
func (a *Archive) readIndex(size int64) error {
	head, err := readHeader(io.NewSectionReader(a.in, 0, size), wholeKind)
	if err != nil {
		return err
	}
	if size < int64(headerSize+indexHead+tailSize) {
		return damaged("it ends too early")
	}
	tail := make([]byte, tailSize)
	if err := a.readAt(tail, size-int64(tailSize)); err != nil {
		return err
	}
	at := int64(binary.BigEndian.Uint64(tail[sha256.Size:]))
	length := size - int64(tailSize) - at
	if string(tail[sha256.Size+8:]) != endMark || at < int64(headerSize) || length < indexHead {
		return damaged("its last bytes are missing")
	}
	if length > int64(a.l.Sections)*(entryHead+maxName) {
		return beyond("its index has %d bytes", length)
	}
	index := make([]byte, length)
	if err := a.readAt(index, at); err != nil {
		return err
	}
	s := newSeal(head)
	s.h.Write(index)
	if err := checkTail(tail, s.h.Sum(nil), at); err != nil {
		return err
	}
	return a.parseIndex(index, at)
}

func (a *Archive) parseIndex(index []byte, end int64) error {
	count := binary.BigEndian.Uint32(index[1:])
	if index[0] != 'I' {
		return damaged("its index is not where its end says")
	}
	if int64(count) > int64(a.l.Sections) {
		return beyond("its index names %d sections, the limit is %d", count, a.l.Sections)
	}
	rest, at, raw := index[indexHead:], int64(headerSize), int64(0)
	for len(rest) > 0 {
		e, after, ok := parseEntry(rest)
		if !ok || e.offset != at {
			return damaged("its index is not whole")
		}
		if err := e.check(a.l); err != nil {
			return err
		}
		rest, at, raw = after, at+e.size(), raw+e.raw
		if raw > a.l.Total {
			return beyond("it has more than %d bytes", a.l.Total)
		}
		if a.manifest >= 0 {
			return damaged("something follows its manifest")
		}
		if e.isFile() && a.Has(e.file()) {
			return damaged("file %.80q is in it twice", e.file())
		}
		a.add(e)
	}
	if at != end || len(a.entries) != int(count) {
		return damaged("its index is not whole")
	}
	if a.manifest < 0 {
		return damaged("it has no manifest")
	}
	return nil
}

func (a *Archive) add(e entry) {
	i := len(a.entries)
	a.entries = append(a.entries, e)
	switch id := e.channel(); {
	case id != "":
		if len(a.messages[id]) == 0 {
			a.channels = append(a.channels, id)
		}
		a.messages[id] = append(a.messages[id], i)
	case e.isFile():
		a.files[e.file()] = i
	case e.name == manifestName:
		a.manifest = i
	}
}

// Manifest reads the manifest.
func (a *Archive) Manifest() (model.Manifest, error) {
	s, err := a.section(a.manifest)
	if err != nil {
		return model.Manifest{}, err
	}
	return s.Manifest()
}

// Snapshot reads the whole structure.
func (a *Archive) Snapshot() (snap model.Snapshot, err error) {
	var size int64
	for i := range a.entries {
		if !strings.HasPrefix(a.entries[i].name, structureName) {
			continue
		}
		s, err := a.section(i)
		if err == nil {
			err = s.addTo(&snap, &size)
		}
		if err != nil {
			return snap, err
		}
	}
	return snap, nil
}

// Channels lists the channels and threads that have messages, in the order in which they were written.
func (a *Archive) Channels() []model.ID { return a.channels }

// heldLines is how many bytes of a section are held while a message is in the caller's hands: hundreds of channels may be read
// at a time, and for hours. For the next ones the section is unpacked again.
const heldLines = 32 << 10

// Messages gives the messages of a channel or thread, oldest first. It holds some of them in memory, and ends at an error.
func (a *Archive) Messages(channel model.ID) iter.Seq2[model.Message, error] {
	return func(yield func(model.Message, error) bool) {
		for k := len(a.messages[channel]) - 1; k >= 0; k-- {
			for end := -1; end != 0; {
				s, from, err := a.tail(a.messages[channel][k], end)
				if err != nil {
					yield(model.Message{}, err)
					return
				}
				if !s.backwards(yield) {
					return
				}
				end = from
			}
		}
	}
}

// tail gives a section with no more than the last of its lines that stand before end, and where they begin. A negative end is
// that of the section.
func (a *Archive) tail(i, end int) (s *Section, from int, err error) {
	if s, err = a.section(i); err != nil {
		return nil, 0, err
	}
	if end < 0 {
		end = len(s.lines)
	}
	if from = max(end-heldLines, 0); from > 0 {
		if at := bytes.IndexByte(s.lines[from:end-1], '\n'); at >= 0 {
			from += at + 1
		} else {
			from = bytes.LastIndexByte(s.lines[:from], '\n') + 1 // one long line
		}
	}
	s.lines = bytes.Clone(s.lines[from:end])
	return s, from, nil
}

// NewestFirst gives the messages of a channel or thread in the order in which they are written.
func (a *Archive) NewestFirst(channel model.ID) iter.Seq2[model.Message, error] {
	return func(yield func(model.Message, error) bool) {
		for _, i := range a.messages[channel] {
			s, err := a.section(i)
			var all []model.Message
			if err == nil {
				all, err = s.Messages()
			}
			for _, m := range all {
				if err == nil && !yield(m, nil) {
					return
				}
			}
			if err != nil {
				yield(model.Message{}, err)
				return
			}
		}
	}
}

// Files lists the keys of all files, sorted.
func (a *Archive) Files() []model.FileKey { return slices.Sorted(maps.Keys(a.files)) }

// backwards gives the messages of a section from its end, and tells whether to go on.
func (s *Section) backwards(yield func(model.Message, error) bool) bool {
	rest, ok := bytes.CutSuffix(s.lines, []byte{'\n'})
	if !ok {
		yield(model.Message{}, damaged("section %.40q ends within a line", s.name))
		return false
	}
	for more := true; more; {
		line := rest
		at := bytes.LastIndexByte(rest, '\n')
		if more = at >= 0; more {
			line, rest = rest[at+1:], rest[:at]
		}
		var m model.Message
		err := s.one(line, func(b []byte) (err error) {
			m, err = decodeMessage(b)
			return err
		})
		if !yield(m, err) || err != nil {
			return false
		}
	}
	return true
}

// Has tells whether the archive has a file.
func (a *Archive) Has(key model.FileKey) bool {
	_, ok := a.files[key]
	return ok
}

// File opens a file and tells its size in bytes. Its bytes are verified when io.EOF is returned, not before. The error
// wraps fs.ErrNotExist when the archive does not have it.
func (a *Archive) File(key model.FileKey) (io.ReadCloser, int64, error) {
	i, ok := a.files[key]
	if !ok {
		return nil, 0, fmt.Errorf("the backup has no file %.80q: %w", key, fs.ErrNotExist)
	}
	s, err := a.section(i)
	if err != nil {
		return nil, 0, err
	}
	return &openFile{s, a}, s.raw, nil
}

type openFile struct {
	*Section
	a *Archive
}

func (f *openFile) Read(b []byte) (int, error) {
	n, err := f.Section.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault(f.a.src(), err)
	}
	return n, err
}

func (f *openFile) Close() error {
	f.body.close()
	return nil
}

// section reads one section.
func (a *Archive) section(i int) (*Section, error) {
	e := a.entries[i]
	want, head := e.digest, e.sectionHead()
	got := make([]byte, len(head))
	if err := a.readAt(got, e.offset); err != nil {
		return nil, fault(a.src(), err)
	}
	if !bytes.Equal(got, head) {
		return nil, damaged("section %.40q is not where the index says", e.name)
	}
	s, err := a.un.section(e, io.NewSectionReader(a.in, e.offset+int64(len(head)), e.stored+sha256.Size), &want)
	if err != nil {
		return nil, fault(a.src(), err)
	}
	return s, nil
}

// readAt fills b.
func (a *Archive) readAt(b []byte, at int64) error {
	n, err := a.in.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	return err
}
