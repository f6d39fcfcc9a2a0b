package sandbox

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// maxPicture is how large an icon, splash, banner or avatar may be.
const maxPicture = 10 << 20

// picture is a file that belongs to an object and has its hash in its URL; the zero picture is none.
type picture struct {
	hash string
	blob
}

// wire is the hash, null when there is none.
func (p picture) wire() *string {
	if p.hash == "" {
		return nil
	}
	return &p.hash
}

// newPicture names a file as Discord does: 32 hex digits, behind a_ when it is animated.
func newPicture(b blob) picture {
	sum := md5.Sum(b.data) // a name, not a protection
	hash := hex.EncodeToString(sum[:])
	if b.kind == "image/gif" {
		hash = "a_" + hash
	}
	return picture{hash, b}
}

// asPicture takes a picture as a data URI.
func asPicture(bad *formErrors, key string, raw json.RawMessage) picture {
	b := asData(maxPicture, imageKind)(bad, key, raw)
	if b.kind == "" {
		return picture{}
	}
	return newPicture(b)
}

// asData takes a file as a data URI of at most so many bytes. Its first bytes have to be those of a kind that is taken; what
// the URI says of the kind does not count, as at Discord.
func asData(most int, kindOf func([]byte) string) func(*formErrors, string, json.RawMessage) blob {
	return func(bad *formErrors, key string, raw json.RawMessage) blob {
		var s string
		head, body := "", ""
		if json.Unmarshal(raw, &s) == nil {
			head, body, _ = strings.Cut(s, ";base64,")
		}
		data, err := base64.StdEncoding.DecodeString(body)
		kind := kindOf(data)
		switch {
		case err != nil, !strings.HasPrefix(head, "data:"), kind == "":
			bad.add("IMAGE_INVALID", "Invalid image data", key)
			return blob{}
		case len(data) > most:
			bad.add("BINARY_TYPE_MAX_SIZE", "File cannot be larger than "+strconv.FormatFloat(float64(most)/1024, 'f', 1, 64)+" kb.", key)
			return blob{}
		}
		return blob{kind: kind, data: data}
	}
}

// imageKind says what kind of picture begins with these bytes, empty for none that Discord takes.
func imageKind(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(b, []byte("GIF87a")), bytes.HasPrefix(b, []byte("GIF89a")):
		return "image/gif"
	case len(b) > 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return "image/webp"
	}
	return ""
}

// soundKind says what kind of sound begins with these bytes.
func soundKind(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("OggS")):
		return "audio/ogg"
	case bytes.HasPrefix(b, []byte("ID3")), len(b) > 1 && b[0] == 0xff && b[1]&0xe0 == 0xe0:
		return "audio/mpeg"
	}
	return ""
}

// stickerKind says what kind of sticker begins with these bytes; an animated PNG has a chunk of its own near the start.
func stickerKind(b []byte) string {
	kind := imageKind(b)
	switch {
	case kind == "image/png" && bytes.Contains(b[:min(len(b), 4096)], []byte("acTL")):
		return "image/apng"
	case kind == "image/png", kind == "image/gif":
		return kind
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) && json.Valid(b):
		return "application/json"
	}
	return ""
}
