// Package export writes a backup as one plain JSON document, for other programs and for people with an editor, and reads
// such a document back into an archive. Both stream: what is in memory is the structure and one message or one piece of a
// file. docs/backup-format.md describes the document.
//
// Read first: Write, then read.go.
package export

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// What a document says of itself.
const (
	format  = "splashtail-json"
	version = 1
)

// pieceSize is how many bytes of a file one text of the document holds.
const pieceSize = 48 << 10

// Write writes all of an archive as a document. The names come in a fixed order: format, version, manifest, structure,
// messages (by channel, newest first), files (by key, each a list of texts in base64).
func Write(w io.Writer, a *archive.Archive) error {
	out := &printer{w: bufio.NewWriterSize(w, 64<<10)}
	m, err := a.Manifest()
	if err != nil {
		return err
	}
	snap, err := a.Snapshot()
	if err != nil {
		return err
	}
	out.text(fmt.Sprintf("{\"format\": %q, \"version\": %d,\n\"manifest\": ", format, version))
	out.value(m)
	out.text(",\n\"structure\": ")
	out.value(snap)
	out.text(",\n\"messages\": {")
	for i, id := range a.Channels() {
		out.comma(i, "\n")
		out.value(id)
		out.text(": [")
		n := 0
		for m, err := range a.NewestFirst(id) {
			if err != nil {
				return err
			}
			out.comma(n, "\n  ")
			out.value(m)
			n++
		}
		out.text("]")
	}
	out.text("},\n\"files\": {")
	for i, key := range a.Files() {
		out.comma(i, "\n")
		if err := out.file(a, key); err != nil {
			return err
		}
	}
	out.text("}}\n")
	if out.err != nil {
		return fmt.Errorf("write the export: %w", out.err)
	}
	return out.w.Flush()
}

// printer writes pieces of JSON and keeps the first error.
type printer struct {
	w   *bufio.Writer
	err error
}

func (p *printer) text(s string) {
	if p.err == nil {
		_, p.err = p.w.WriteString(s)
	}
}

func (p *printer) comma(i int, space string) {
	if i > 0 {
		p.text(",")
	}
	p.text(space)
}

func (p *printer) value(v any) {
	b, err := json.Marshal(v)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.text(string(b))
}

// file writes one file in pieces.
func (p *printer) file(a *archive.Archive, key model.FileKey) error {
	f, _, err := a.File(key)
	if err != nil {
		return err
	}
	defer f.Close()
	p.value(key)
	p.text(": [")
	piece := make([]byte, pieceSize)
	for i := 0; ; i++ {
		n, err := io.ReadFull(f, piece)
		if n > 0 {
			p.comma(i, "")
			p.text(`"` + base64.StdEncoding.EncodeToString(piece[:n]) + `"`)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	p.text("]")
	return nil
}
