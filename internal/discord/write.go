package discord

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
)

// Writing what a restore makes. What is made is told by its id: who needs more reads it. None of the calls that make
// something is repeated when its answer is lost; look for the thing first. Files and pictures come as Picture gives them.

// make sends a request that makes something and gives its id, which stands under one of these keys.
func (b *Bot) make(ctx context.Context, q Request, keys ...string) (string, error) {
	v, err := get[map[string]json.RawMessage](ctx, b, q)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		var id string
		if json.Unmarshal(v[key], &id) == nil && id != "" {
			return id, nil
		}
	}
	return "", fmt.Errorf("the answer of Discord to %s %s has no id", q.Method, q.shown())
}

func (b *Bot) create(ctx context.Context, path, id string, c Changes, reason string) (string, error) {
	return b.make(ctx, at(http.MethodPost, path, id).with(c).because(reason), "id", "sound_id")
}

func (b *Bot) edit(ctx context.Context, path string, c Changes, reason string, ids ...string) error {
	return b.send(ctx, at(http.MethodPatch, path, ids...).with(c).because(reason))
}

func (b *Bot) remove(ctx context.Context, path, reason string, ids ...string) error {
	return b.send(ctx, at(http.MethodDelete, path, ids...).because(reason))
}

// Picture is a file as a text that Discord takes in JSON: its bytes with their type, which is found out from them.
func Picture(data []byte) string { return dataURI(http.DetectContentType(data), data) }

// Sound is the bytes of an MP3 or Ogg file as a text that Discord takes in JSON.
func Sound(data []byte) string {
	kind := "audio/mpeg"
	if bytes.HasPrefix(data, []byte("OggS")) {
		kind = "audio/ogg"
	}
	return dataURI(kind, data)
}

func dataURI(kind string, data []byte) string {
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data)
}

// formOf lays out a form with plain parts and one file.
func formOf(form url.Values, files []File) (content, error) {
	if len(files) != 1 {
		return content{}, errors.New("a form takes exactly one file; nothing was sent")
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_ = w.WriteField(name, form.Get(name)) // into memory: cannot fail
	}
	if _, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="file"`}, "Content-Type": {files[0].kind()},
	}); err != nil {
		return content{}, err
	}
	head := bytes.Clone(buf.Bytes())
	buf.Reset()
	if err := w.Close(); err != nil {
		return content{}, err
	}
	tail := bytes.Clone(buf.Bytes())
	return content{
		kind: w.FormDataContentType(), head: head, files: files, between: [][]byte{tail},
		size: int64(len(head)+len(tail)) + files[0].Size,
	}, nil
}
