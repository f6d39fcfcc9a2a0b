package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"splashtail/jobs/backup/model"
)

// Writer writes one archive or one part, from front to back. It is not for several goroutines. Once writing has failed,
// everything else fails with the same error; errors that leave the archive as it was say so in their method.
type Writer struct {
	o   Options
	l   Limits
	age io.WriteCloser // nil: not encrypted
	out io.Writer
	at  int64 // bytes written before encryption
	err error

	kind   uint16
	seal   seal
	index  bytes.Buffer
	counts map[string]int
	raw    int64 // of all sections
	files  map[model.FileKey]bool

	structured bool
	open       chunk // lines that wait for their section
	last       map[model.ID]model.ID
	enc        *zstd.Encoder
	packed     bytes.Buffer
}

// NewWriter begins an archive. It must be ended with Finish; without that it cannot be read.
func NewWriter(w io.Writer, o Options) (*Writer, error) {
	if o.Password.IsZero() {
		return newWriter(w, nil, wholeKind, o)
	}
	to, err := age.NewScryptRecipient(o.Password.Reveal())
	if err != nil {
		return nil, fmt.Errorf("prepare the password: %w", err)
	}
	to.SetWorkFactor(o.limits().Work)
	return newWriter(w, to, wholeKind, o)
}

func newWriter(out io.Writer, to age.Recipient, kind uint16, o Options) (w *Writer, err error) {
	w = &Writer{o: o, l: o.limits(), out: out, kind: kind, counts: map[string]int{}, files: map[model.FileKey]bool{}, last: map[model.ID]model.ID{}}
	if to != nil {
		if w.age, err = age.Encrypt(out, to); err != nil {
			return nil, fmt.Errorf("begin the encryption: %w", err)
		}
		w.out = w.age
	}
	if w.enc, err = newEncoder(nil); err != nil {
		return nil, err
	}
	head := header(kind)
	w.seal = newSeal(head)
	return w, w.write(head)
}

// Structure writes everything of a snapshot. It may be called once in an archive. Errors that wrap ErrLimit or ErrInvalid
// leave the archive as it was.
func (w *Writer) Structure(s model.Snapshot) error {
	if w.structured {
		return fmt.Errorf("%w: it has one structure, and that was written already", ErrInvalid)
	}
	if err := checkStructure(&s, w.l); err != nil {
		return err
	}
	w.structured = true
	for _, k := range kinds() {
		err := k.each(&s, func(v any) error {
			line, err := w.line(v)
			if err != nil {
				return err
			}
			return w.add(structureName+k.name, line)
		})
		if err = errors.Join(err, w.flush()); err != nil {
			return err
		}
	}
	maps.Copy(w.counts, s.Counts())
	return nil
}

// Message adds a message of a channel or thread. Within a channel they come newest first, as Discord tells them; files
// and messages of other channels may come in between. An error that wraps ErrLimit or ErrInvalid leaves the archive as it was.
func (w *Writer) Message(channel model.ID, m model.Message) error {
	if !validID(channel) || !validID(m.ID) {
		return fmt.Errorf("%w: message %.40q of channel %.40q: ids are up to 20 digits", ErrInvalid, m.ID, channel)
	}
	if last, ok := w.last[channel]; ok && !m.ID.Before(last) {
		return fmt.Errorf("%w: message %s of channel %s comes after %s: messages are written newest first, each once", ErrInvalid, m.ID, channel, last)
	}
	line, err := w.line(m)
	if err != nil {
		return fmt.Errorf("message %s of channel %s: %w", m.ID, channel, err)
	}
	if err := w.add(messagesName+string(channel), line); err != nil {
		return err
	}
	w.last[channel] = m.ID
	w.counts["messages"]++
	return nil
}

// Counts tells what was written so far, by the names of model.Snapshot.Counts, "messages", "files" and "sections".
func (w *Writer) Counts() map[string]int { return maps.Clone(w.counts) }

// Finish ends an archive with its manifest, whose schema and counts it fills in. Of a list of what is missing that is too
// long for a line, the end is counted and not named. What it has written to is not closed.
func (w *Writer) Finish(m model.Manifest) error {
	if w.kind != wholeKind {
		return errors.New("a part has no manifest: end it with Close")
	}
	m.Schema = model.Version
	m.Counts = w.Counts()
	delete(m.Counts, "sections")
	line, err := w.line(m)
	for errors.Is(err, ErrLimit) && len(m.Missing) > 0 {
		keep := len(m.Missing) / 2
		m.Missing, m.Dropped = m.Missing[:keep], m.Dropped+len(m.Missing)-keep
		line, err = w.line(m)
	}
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err := w.add(manifestName, line); err != nil {
		return err
	}
	return w.end()
}

// line is v as one line of JSON within the limit.
func (w *Writer) line(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return b, checkLine(b, w.l)
}

// write gives bytes to the output, and remembers its failure.
func (w *Writer) write(b []byte) error {
	if w.err != nil {
		return w.err
	}
	n, err := w.out.Write(b)
	w.at += int64(n)
	if err != nil {
		w.err = fmt.Errorf("write the archive: %w", err)
	}
	return w.err
}

// put writes a section whose stored bytes come from body.
func (w *Writer) put(e entry, body io.Reader) error {
	if w.err != nil {
		return w.err
	}
	if w.counts["sections"] >= w.l.Sections {
		return beyond("it would have more than %d sections", w.l.Sections)
	}
	if err := e.check(w.l); err != nil {
		return err
	}
	if w.raw+e.raw > w.l.Total {
		return beyond("it would have more than %d bytes", w.l.Total)
	}
	e.offset = w.at
	h := sha256.New()
	head := e.sectionHead()
	h.Write(head)
	if err := w.write(head); err != nil {
		return err
	}
	n, err := io.Copy(writerFunc(func(b []byte) (int, error) {
		h.Write(b)
		return len(b), w.write(b)
	}), body)
	if err == nil && n != e.stored {
		err = fmt.Errorf("section %.40q has %d bytes and not %d", e.name, n, e.stored)
	}
	if err != nil {
		w.err = err // a section is half written
		return err
	}
	h.Sum(e.digest[:0])
	if err := w.write(e.digest[:]); err != nil {
		return err
	}
	w.index.Write(e.appendTo(nil))
	w.raw += e.raw
	w.counts["sections"]++
	if e.isFile() {
		w.files[model.FileKey(strings.TrimPrefix(e.name, filesName))] = true
		w.counts["files"]++
	}
	return nil
}

// end writes the index and closes the encryption.
func (w *Writer) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	at := w.at
	b := binary.BigEndian.AppendUint32([]byte{'I'}, uint32(w.counts["sections"]))
	b = binary.BigEndian.AppendUint64(b, uint64(w.index.Len()))
	b = append(b, w.index.Bytes()...)
	w.seal.h.Write(b)
	b = w.seal.h.Sum(b)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	if err := w.write(append(b, endMark...)); err != nil {
		return err
	}
	if w.age != nil {
		if err := w.age.Close(); err != nil {
			w.err = fmt.Errorf("end the encryption: %w", err)
			return w.err
		}
	}
	w.err = errEnded
	return nil
}

var errEnded = errors.New("this archive was ended already")

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
