package discord

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
)

// File is one attachment of a request. Open is called for each try, and what it gives is
// closed afterwards.
type File struct {
	Name string
	Type string // MIME; empty: application/octet-stream
	Size int64  // in bytes, exact
	Open func() (io.ReadCloser, error)
}

func (f File) kind() string { return cmp.Or(f.Type, "application/octet-stream") }

// BytesFile makes a file of what is in memory.
func BytesFile(name, kind string, data []byte) File {
	return File{Name: name, Type: kind, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

const (
	typeJSON = "application/json"
	// maxFiles is how many attachments a message can have.
	maxFiles = 10
	// maxInMemory bounds attachments that have to be read before they are sent.
	maxInMemory = 25 << 20
)

// content is a request's body, ready to be sent any number of times.
type content struct {
	kind     string // Content-Type; empty: no body
	head     []byte // JSON, or all up to the first file
	files    []File
	between  [][]byte // what follows each file
	size     int64
	patience time.Duration // for one try; zero: the context's
}

// encode makes the body of a request.
func (q Request) encode() (content, error) {
	if q.fault != nil {
		return content{}, q.fault
	}
	var data []byte
	if q.Body != nil {
		var err error
		if data, err = json.Marshal(q.Body); err != nil {
			return content{}, fmt.Errorf("the body of %s %s cannot be written as JSON; nothing was sent: %w", q.Method, q.shown(), err)
		}
	}
	switch {
	case len(q.Form) > 0:
		return formOf(q.Form, q.Files)
	case len(q.Files) > maxFiles:
		return content{}, fmt.Errorf("a message takes %d files, not %d; nothing was sent", maxFiles, len(q.Files))
	case len(q.Files) > 0:
		return formContent(data, q.Files)
	case q.Body == nil:
		return content{}, nil
	}
	return content{kind: typeJSON, head: data, size: int64(len(data))}, nil
}

// formContent lays the parts of a form out around its files, so that these stream from
// where they are.
func formContent(data []byte, files []File) (content, error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	c := content{kind: w.FormDataContentType(), files: files}
	cut := func() []byte {
		part := bytes.Clone(buf.Bytes())
		buf.Reset()
		c.size += int64(len(part))
		return part
	}
	if data != nil {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="payload_json"`}, "Content-Type": {typeJSON}})
		if err != nil {
			return content{}, err
		}
		_, _ = p.Write(data) // into memory: cannot fail
	}
	escape := strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "", "\n", "")
	for i, f := range files {
		name := "files[" + strconv.Itoa(i) + "]"
		if _, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="` + name + `"; filename="` + escape.Replace(f.Name) + `"`}, "Content-Type": {f.kind()},
		}); err != nil {
			return content{}, err
		}
		if i == 0 {
			c.head = cut()
		} else {
			c.between = append(c.between, cut())
		}
		c.size += f.Size
	}
	if err := w.Close(); err != nil {
		return content{}, err
	}
	c.between = append(c.between, cut())
	return c, nil
}

// open gives the body from its start; nil when there is none.
func (c content) open() (io.ReadCloser, error) {
	if c.kind == "" {
		return nil, nil
	}
	if len(c.files) == 0 {
		return io.NopCloser(bytes.NewReader(c.head)), nil
	}
	s := &stream{}
	parts := []io.Reader{bytes.NewReader(c.head)}
	for i, f := range c.files {
		r, err := f.Open()
		if err != nil {
			_ = s.Close() // the error of opening is the one to tell
			return nil, fmt.Errorf("the file %q cannot be read; nothing was sent: %w", f.Name, err)
		}
		s.closers = append(s.closers, r)
		parts = append(parts, io.LimitReader(r, f.Size), bytes.NewReader(c.between[i]))
	}
	s.Reader = io.MultiReader(parts...)
	return s, nil
}

// stream closes all files of a body.
type stream struct {
	io.Reader
	closers []io.Closer
}

func (s *stream) Close() error {
	for _, c := range s.closers {
		_ = c.Close() // read only
	}
	return nil
}

// filesOf reads the files of a discordgo message into memory, since their readers give
// their data once only.
func filesOf(files []*discordgo.File) ([]File, error) {
	var out []File
	left := int64(maxInMemory)
	for _, f := range files {
		data, err := io.ReadAll(io.LimitReader(f.Reader, left+1))
		if err != nil {
			return nil, fmt.Errorf("the file %q cannot be read; nothing was sent: %w", f.Name, err)
		}
		if left -= int64(len(data)); left < 0 {
			return nil, fmt.Errorf("the files of one message have more than %d MiB; nothing was sent", maxInMemory>>20)
		}
		out = append(out, BytesFile(f.Name, f.ContentType, data))
	}
	return out, nil
}
