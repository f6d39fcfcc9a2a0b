package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"
)

// pictures are one small picture of each kind, 3 wide and 2 high.
func pictures(t testing.TB) map[string][]byte {
	t.Helper()
	small := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.White})
	var p, j, g bytes.Buffer
	if err := errors.Join(png.Encode(&p, small), jpeg.Encode(&j, small, nil), gif.Encode(&g, small, nil)); err != nil {
		t.Fatal(err)
	}
	riff := func(chunk, body string) []byte {
		return slices.Concat([]byte("RIFF\x00\x00\x00\x00WEBP"+chunk), binary.LittleEndian.AppendUint32(nil, uint32(len(body))), []byte(body))
	}
	return map[string][]byte{"png": p.Bytes(), "jpeg": j.Bytes(), "gif": g.Bytes(),
		// The begins of files as cwebp writes them: extended, without loss, with loss.
		"webp": riff("VP8X", "\x10\x00\x00\x00\x02\x00\x00\x01\x00\x00"), "webp lossless": riff("VP8L", "\x2f\x02\x40\x00\x00\x07\x10\x11"+"\x00\x00"),
		"webp lossy": riff("VP8 ", "\x30\x01\x00\x9d\x01\x2a\x03\x00\x02\x00\x02\x00")}
}

func TestSize(t *testing.T) {
	for name, b := range pictures(t) {
		if w, h, err := Size(b); w != 3 || h != 2 || err != nil {
			t.Errorf("%s: %d by %d, %v", name, w, h, err)
		}
		if _, _, err := Size(b[:20]); name != "gif" && !errors.Is(err, ErrDamaged) {
			t.Errorf("half a %s: %v", name, err)
		}
	}
	for _, text := range []string{"", "RIFF", "RIFF\x00\x00\x00\x00WAVE", "<svg/>", "GIF"} {
		if _, _, err := Size([]byte(text)); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, chunk := range []string{"VP8L", "VP8 ", "ICCP"} {
		if _, _, err := Size([]byte("RIFF\x00\x00\x00\x00WEBP" + chunk + "\x00\x00\x00\x00 and no picture")); !errors.Is(err, ErrDamaged) {
			t.Errorf("a %s that is none: %v", chunk, err)
		}
	}
}

// TestLargestSizes: each kind at the largest that it can say is known and too large, and nothing is allocated for it.
func TestLargestSizes(t *testing.T) {
	all := pictures(t)
	ff := []byte{0xff, 0xff, 0xff, 0xff}
	at := bytes.Index(all["jpeg"], []byte{0xff, 0xc0}) + 5
	copy(all["jpeg"][at:], ff)
	copy(all["gif"][6:], ff)
	copy(all["png"][16:], []byte{0, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff}) // more and its product overflows
	binary.BigEndian.PutUint32(all["png"][29:], crc32.ChecksumIEEE(all["png"][12:29]))
	copy(all["webp"][24:], append(ff, 0xff, 0xff))
	copy(all["webp lossless"][21:], ff)
	copy(all["webp lossy"][26:], ff)
	for name, b := range all {
		w, h, err := Size(b)
		if err != nil || !TooLarge(w, h) || w < 1<<14-1 || w != h {
			t.Errorf("%s: %d by %d, %v", name, w, h, err)
		}
		if n := testing.AllocsPerRun(10, func() { _, _, _ = Size(b) }); n > 50 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, c := range []struct {
		w, h int
		want bool
	}{{0, 0, false}, {8192, 8192, false}, {8193, 8192, true}, {1 << 31, 1 << 31, true}} {
		if TooLarge(c.w, c.h) != c.want {
			t.Errorf("%d by %d: too large %v", c.w, c.h, !c.want)
		}
	}
}

// FuzzSize: no bytes make it panic, and no size is negative.
func FuzzSize(f *testing.F) {
	for _, b := range pictures(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, h, err := Size(b)
		if w < 0 || h < 0 || err != nil && (w != 0 || h != 0) {
			t.Errorf("%d by %d, %v", w, h, err)
		}
	})
}
