package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// Looks tells from the first bytes of a file whether it may be a document of ours.
func Looks(start []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n\ufeff"), []byte("{"))
}

// Read writes a document into an archive and ends it. Names that it does not know are passed over when they are small.
// Errors wrap those of package archive.
func Read(r io.Reader, w *archive.Writer) error {
	l := archive.DefaultLimits()
	src := &budget{r: r, left: int64(len(byteOrderMark))}
	begin := make([]byte, len(byteOrderMark)) // some editors write one
	n, _ := io.ReadFull(src, begin)           // what cannot be read is said below
	begin = bytes.TrimPrefix(begin[:n], []byte(byteOrderMark))
	d := &document{dec: json.NewDecoder(io.MultiReader(bytes.NewReader(begin), src)), src: src, w: w, line: int64(l.Line) + pieceSize*2, structure: l.Structure}
	err := d.object(d.part)
	if err == nil && !d.begun {
		err = fmt.Errorf("%w: it does not say \"format\": %q", archive.ErrNotBackup, format)
	}
	if err == nil && d.manifest == nil {
		err = damaged("it has no manifest")
	}
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return d.fault(err)
	}
	return w.Finish(*d.manifest)
}

const byteOrderMark = "\ufeff"

// document is a document that is being read.
type document struct {
	dec             *json.Decoder
	src             *budget
	w               *archive.Writer
	line, structure int64
	begun           bool
	manifest        *model.Manifest
	pieces          bytes.Buffer
}

// end makes sure that nothing follows.
func (d *document) end() error {
	d.src.left = d.line
	_, err := d.dec.Token()
	switch {
	case d.src.err != nil:
		return err
	case !errors.Is(err, io.EOF):
		return damaged("something follows its end")
	}
	return nil
}

// decoded turns what the decoder says into what it means: all of it is the document's fault, but for the source's.
func (d *document) decoded(err error) error {
	switch {
	case err == nil, d.src.err != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, archive.ErrLimit):
		return err
	case !d.begun:
		return fmt.Errorf("%w: it is no JSON (%v)", archive.ErrNotBackup, err)
	}
	return damaged("%v", err)
}

// fault turns an error of reading into a sentence.
func (d *document) fault(err error) error {
	switch {
	case d.src.err != nil:
		return fmt.Errorf("read the backup: %w", d.src.err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return damaged("it ends too early")
	case errors.Is(err, archive.ErrInvalid):
		return damaged("%v", err)
	}
	return err
}

// part reads the value of one name of the document.
func (d *document) part(name string) error {
	if name != "format" && !d.begun {
		return fmt.Errorf("%w: it does not begin with \"format\": %q", archive.ErrNotBackup, format)
	}
	switch name {
	case "format":
		var s string
		if err := d.value(&s, d.line); err != nil {
			return err
		}
		if s != format {
			return fmt.Errorf("%w: its format is %.40q", archive.ErrNotBackup, s)
		}
		d.begun = true
		return nil
	case "version":
		var v int
		if err := d.value(&v, d.line); err != nil {
			return err
		}
		if v > version {
			return fmt.Errorf("%w: its version is %d and this program reads up to %d; update the program", archive.ErrNewer, v, version)
		}
		return nil
	case "manifest":
		d.manifest = &model.Manifest{}
		if err := d.value(d.manifest, d.line); err != nil {
			return err
		}
		return archive.CheckSchema(d.manifest.Schema)
	case "structure":
		return d.snapshot()
	case "messages":
		return d.object(d.messages)
	case "files":
		return d.object(d.file)
	}
	var ignored json.RawMessage
	return d.value(&ignored, d.line)
}

// snapshot reads the structure, once it is known that it does not fill the memory.
func (d *document) snapshot() error {
	var raw json.RawMessage
	if err := d.value(&raw, d.structure); err != nil {
		return err
	}
	if err := archive.CheckWeight(raw, d.structure); err != nil {
		return err
	}
	var s model.Snapshot
	if err := json.Unmarshal(raw, &s); err != nil {
		return damaged("its structure: %v", err)
	}
	return d.w.Structure(s)
}

// value decodes one value of at most so many bytes.
func (d *document) value(v any, most int64) error {
	d.src.left = most + 64<<10
	return d.decoded(d.dec.Decode(v))
}

// token takes one token of JSON.
func (d *document) token() (json.Token, error) {
	d.src.left = d.line
	t, err := d.dec.Token()
	return t, d.decoded(err)
}

// object gives each name of an object to f, which reads the value.
func (d *document) object(f func(name string) error) error {
	if err := d.want('{'); err != nil {
		return err
	}
	for d.more() {
		t, err := d.token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return damaged("a name is no text")
		}
		if err := f(name); err != nil {
			return err
		}
	}
	return d.want('}')
}

func (d *document) more() bool {
	d.src.left = d.line
	return d.dec.More()
}

func (d *document) want(c json.Delim) error {
	t, err := d.token()
	if err != nil {
		return err
	}
	if t != c {
		if !d.begun {
			return fmt.Errorf("%w: it is no JSON object", archive.ErrNotBackup)
		}
		return damaged("%v stands where %v belongs", t, c)
	}
	return nil
}

// messages reads the messages of one channel.
func (d *document) messages(channel string) error {
	if err := d.want('['); err != nil {
		return err
	}
	for d.more() {
		var m model.Message
		if err := d.value(&m, d.line); err != nil {
			return err
		}
		if err := d.w.Message(model.ID(channel), m); err != nil {
			return err
		}
	}
	return d.want(']')
}

// file reads one file in pieces and compares it with its key.
func (d *document) file(key string) error {
	if err := d.want('['); err != nil {
		return err
	}
	got, _, err := d.w.File(readerFunc(d.read), 0)
	if err != nil {
		var source *archive.SourceError
		if errors.As(err, &source) {
			return source.Err
		}
		return err
	}
	if string(got) != key {
		return damaged("file %.80q is not what was written", strings.ToValidUTF8(key, "?"))
	}
	return d.want(']')
}

// read gives the bytes of the pieces that follow.
func (d *document) read(b []byte) (int, error) {
	for d.pieces.Len() == 0 {
		if !d.more() {
			return 0, io.EOF
		}
		var text []byte // JSON's own base64
		if err := d.value(&text, d.line); err != nil {
			return 0, err
		}
		d.pieces.Write(text)
	}
	return d.pieces.Read(b)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// budget bounds what one token may take, since the decoder holds a whole token in memory.
type budget struct {
	r    io.Reader
	left int64
	err  error
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: it has a value that is too long; use another copy of the file", archive.ErrLimit)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; use another copy of the file", archive.ErrDamaged, fmt.Sprintf(format, args...))
}
