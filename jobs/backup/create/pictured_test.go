package create

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"strings"
	"testing"
)

// TestPictured: what is no picture, is damaged, or says to be so large that showing it fills a memory, is not kept (B6).
func TestPictured(t *testing.T) {
	var small bytes.Buffer
	if err := gif.Encode(&small, image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black}), nil); err != nil {
		t.Fatal(err)
	}
	bomb := bytes.Clone(small.Bytes())
	copy(bomb[6:], "\xff\xff\xff\xff")
	for want, b := range map[string][]byte{
		"": small.Bytes(), "no picture": []byte("<html>"), "damaged picture": bomb[:8], "65535 × 65535 pixels": bomb,
	} {
		if got := pictured(b); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
