// Package picture tells what kind of picture some bytes are and how large it says to be, so that one that is meant to fill
// somebody's memory is known before anybody decodes it. What comes in are bytes of strangers; no pixel is decoded here.
// There is no other file.
package picture

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
)

// MostPixels is how many pixels a picture may have. Decoded it takes four bytes for each, and Discord shows none as large.
const MostPixels = 64 << 20

// What can be wrong with a picture.
var (
	ErrNone    = errors.New("it is no picture")
	ErrDamaged = errors.New("it is a damaged picture")
)

// Size tells the width and height in pixels that a PNG, JPEG, GIF or WebP says it has. The error is ErrNone for bytes that
// begin like none of them, and ErrDamaged for a picture that does not say.
func Size(b []byte) (width, height int, err error) {
	var c image.Config
	switch r := bytes.NewReader(b); {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		c, err = png.DecodeConfig(r)
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		c, err = jpeg.DecodeConfig(r)
	case bytes.HasPrefix(b, []byte("GIF8")):
		c, err = gif.DecodeConfig(r)
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return webp(b[12:])
	default:
		return 0, 0, ErrNone
	}
	if err != nil {
		return 0, 0, ErrDamaged
	}
	return c.Width, c.Height, nil
}

// webp reads the size from the first chunk of a WebP, which comes in three forms.
func webp(b []byte) (width, height int, err error) {
	const head = 8 // the chunk's name and length
	if len(b) < head+10 {
		return 0, 0, ErrDamaged
	}
	at := func(i, n int) (v int) {
		for n--; n >= 0; n-- {
			v = v<<8 | int(b[head+i+n])
		}
		return v
	}
	switch string(b[:4]) {
	case "VP8X":
		return at(4, 3) + 1, at(7, 3) + 1, nil
	case "VP8L":
		if b[head] == 0x2f {
			return at(1, 4)&0x3fff + 1, at(1, 4)>>14&0x3fff + 1, nil
		}
	case "VP8 ":
		if at(3, 3) == 0x2a019d {
			return at(6, 2) & 0x3fff, at(8, 2) & 0x3fff, nil
		}
	}
	return 0, 0, ErrDamaged
}

// TooLarge tells whether a size is more than anybody should decode.
func TooLarge(width, height int) bool { return int64(width)*int64(height) > MostPixels }
