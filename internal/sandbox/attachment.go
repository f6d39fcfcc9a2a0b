package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
)

// Bounds of files in one message.
const (
	maxFiles  = 10
	maxFile   = 10 << 20
	maxUpload = 32 << 20 // a whole multipart body
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
}

// attachment is a file that was sent. The sandbox keeps its bytes for tests; its URL leads nowhere.
type attachment struct {
	wireAttachment
	data []byte
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
		url := "https://cdn.discordapp.com/attachments/" + channel.String() + "/" + id.String() + "/" + f.name
		kept = append(kept, attachment{wireAttachment{
			ID: id, Filename: f.name, Size: len(f.data), URL: url, ProxyURL: url, ContentType: f.kind, Description: f.description,
		}, f.data})
	}
	return kept
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
