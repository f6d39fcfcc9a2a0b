package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"time"
)

// Bounds of files in one message.
const (
	maxFiles  = 10
	maxFile   = 10 << 20
	maxUpload = maxFiles*maxFile + maxBody // a whole multipart body
)

// file is one file of a multipart body.
type file struct {
	index       int // n of files[n]
	name, kind  string
	data        []byte
	description string
}

type wireAttachment struct {
	ID          ID     `json:"id"`
	Filename    string `json:"filename"`
	Size        int    `json:"size"`
	URL         string `json:"url"`
	ProxyURL    string `json:"proxy_url"`
	ContentType string `json:"content_type,omitempty"`
	Description string `json:"description,omitempty"`
	Ephemeral   bool   `json:"ephemeral,omitempty"`
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
}

// attachment is a file that was sent. Its URL is made when somebody looks.
type attachment struct {
	wireAttachment
	path string // on the CDN
	cdn  *cdn
	blob
}

func (a attachment) wire() wireAttachment {
	w := a.wireAttachment
	w.URL = a.cdn.sign(a.path, time.Now())
	w.ProxyURL = w.URL
	return w
}

// attachmentAt finds a file by the parts of its path. Files come right before their message in the order of ids; those that
// an edit added are looked for in all messages.
func (d *Discord) attachmentAt(channel, file, name string) (blob, bool) {
	ch := d.channelAt(channel)
	id, err := ParseID(file)
	if ch == nil || err != nil {
		return blob{}, false
	}
	in := func(m *chatMessage) (blob, bool) {
		for _, a := range m.attachments {
			if a.ID == id && a.Filename == name {
				return a.blob, true
			}
		}
		return blob{}, false
	}
	if at := ch.below(id); at < len(ch.messages) {
		if b, ok := in(ch.messages[at]); ok {
			return b, true
		}
	}
	for _, m := range ch.messages {
		if b, ok := in(m); ok {
			return b, true
		}
	}
	return blob{}, false
}

// channelAt finds a channel, a thread or a direct channel by its id in a path.
func (d *Discord) channelAt(s string) *channel {
	id, _ := ParseID(s)
	if g := d.guilds[d.places[id]]; g != nil {
		return g.place(id)
	}
	return d.direct[id]
}

// messageForm gives the JSON of a message and its files, from a JSON body or from a form with payload_json.
func (c *call) messageForm() (map[string]json.RawMessage, []file, *apiError) {
	kind, params, err := mime.ParseMediaType(c.contentType)
	if err != nil || kind != "multipart/form-data" {
		keys, err := c.objectBody(false)
		return keys, nil, err
	}
	payload, files, fault := readForm(c.body, params["boundary"])
	if fault != nil {
		return nil, nil, fault
	}
	keys, bad := parseObject(payload)
	return keys, files, bad
}

func readForm(body []byte, boundary string) (payload []byte, files []file, fault *apiError) {
	payload = []byte("{}")
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return payload, files, nil
		}
		if err != nil {
			return nil, nil, invalidJSON()
		}
		data, err := io.ReadAll(io.LimitReader(part, maxFile+1))
		if err != nil {
			return nil, nil, invalidJSON()
		}
		name := part.FormName()
		if name == "payload_json" {
			payload = data
			continue
		}
		n, ok := fileIndex(name)
		switch {
		case !ok:
		case len(data) > maxFile, len(files) == maxFiles:
			return nil, nil, bodyTooLarge()
		default:
			files = append(files, file{index: n, name: part.FileName(), kind: part.Header.Get("Content-Type"), data: data})
		}
	}
}

// fileIndex reads files[n]; a part without a number is a file too, as clients still send it.
func fileIndex(name string) (int, bool) {
	if digits, ok := strings.CutPrefix(name, "files["); ok {
		n, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
		return n, err == nil
	}
	return 0, strings.HasPrefix(name, "file")
}

// attach turns files into attachments, and keeps those of have that the list of a body names. Without a list an edit keeps
// all.
func (d *Discord) attach(bad *formErrors, channel ID, keys map[string]json.RawMessage, files []file, have []attachment) []attachment {
	raw, listed := keys["attachments"]
	var kept []attachment
	if !listed {
		kept = append(kept, have...)
	}
	if listed && string(raw) != "null" {
		for i, item := range asItems(maxFiles)(bad, "attachments", raw) {
			bad.nest([]string{"attachments", strconv.Itoa(i)}, func(bad *formErrors) {
				kept = append(kept, describe(bad, item, files, have)...)
			})
		}
	}
	for _, f := range files {
		id := d.newID()
		kept = append(kept, d.newAttachment(channel, id, f.name, len(f.data), f.description, blob{kind: f.kind, data: f.data}))
	}
	return kept
}

// newAttachment makes a file of a channel. Of its name only what a path can hold stays.
func (d *Discord) newAttachment(channel, id ID, name string, size int, description string, b blob) attachment {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == '?' || r == '#' || r < ' ' {
			return '_'
		}
		return r
	}, name)
	if name == "" {
		name = "unknown"
	}
	w := wireAttachment{ID: id, Filename: name, Size: size, ContentType: b.kind, Description: description}
	w.Width, w.Height = dimensions(b.data)
	return attachment{w, "/attachments/" + channel.String() + "/" + id.String() + "/" + name, d.cdn, b}
}

// dimensions are those of a picture, zero for other files.
func dimensions(data []byte) (width, height int) {
	var c image.Config // stays zero for what is none
	switch r := bytes.NewReader(data); imageKind(data) {
	case "image/png":
		c, _ = png.DecodeConfig(r)
	case "image/jpeg":
		c, _ = jpeg.DecodeConfig(r)
	case "image/gif":
		c, _ = gif.DecodeConfig(r)
	}
	return c.Width, c.Height
}

// describe reads one entry of attachments: the id of one that is there, to keep it, or the number of a file that comes with
// the request, to name and describe it.
func describe(bad *formErrors, raw json.RawMessage, files []file, have []attachment) []attachment {
	keys, ok := asObject(bad, raw)
	if !ok {
		return nil
	}
	id := strings.Trim(string(keys["id"]), `"`)
	for _, a := range have {
		if a.ID.String() == id {
			return []attachment{a}
		}
	}
	for i := range files {
		if strconv.Itoa(files[i].index) == id {
			files[i].description = readText(bad, keys, "description", 0, 1024)
			if name := readText(bad, keys, "filename", 0, 1024); name != "" {
				files[i].name = name
			}
			return nil
		}
	}
	bad.add("INVALID_ATTACHMENT", "No file of that id came with the request", "id")
	return nil
}
