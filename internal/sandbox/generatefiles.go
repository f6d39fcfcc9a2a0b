package sandbox

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
)

// The files of generated guilds: small, different from each other, and of the kind that they say, so that clients that look
// inside are content.

// noise is size bytes from a seed.
func noise(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 0xf11e))
	b := make([]byte, (size+7)/8*8)
	for at := 0; at < len(b); at += 8 {
		binary.LittleEndian.PutUint64(b[at:], rng.Uint64())
	}
	return b[:max(size, 0)]
}

// pngOf is a picture of 1 by 1 points whose remaining bytes are in a chunk that readers skip.
func pngOf(seed uint64, size int) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		sum := crc32.NewIEEE()
		sum.Write([]byte(kind))
		sum.Write(data)
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
		b.WriteString(kind)
		b.Write(data)
		b.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	}
	chunk("IHDR", []byte{0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0})
	chunk("noIs", noise(seed, max(size-pngFrame, 0)))
	chunk("IDAT", []byte("\x78\x9c\x63\x60\x00\x00\x00\x02\x00\x01"))
	chunk("IEND", nil)
	return b.Bytes()
}

// pngFrame is how many bytes pngOf has around its noise.
const pngFrame = 8 + 25 + 12 + 22 + 12

// gifOf is a moving picture of 1 by 1 points with noise behind its end.
func gifOf(seed uint64, size int) []byte {
	head := []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")
	return append(head, noise(seed, size-len(head))...)
}

// oggOf begins as a page of Ogg does.
func oggOf(seed uint64, size int) []byte {
	head := []byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x13OpusHead")
	return append(head, noise(seed, size-len(head))...)
}

func (b *builder) png(size int) blob {
	return blob{kind: "image/png", data: pngOf(b.rng.Uint64(), size)}
}
func (b *builder) gif(size int) blob {
	return blob{kind: "image/gif", data: gifOf(b.rng.Uint64(), size)}
}
func (b *builder) ogg(size int) blob {
	return blob{kind: "audio/ogg", data: oggOf(b.rng.Uint64(), size)}
}

// lateFile is a file whose bytes are made when somebody asks for them: a large guild has thousands.
func (b *builder) lateFile() (name string, size int, f blob) {
	seed := b.rng.Uint64()
	size = 300 + b.rng.IntN(20_000)
	switch b.rng.IntN(4) {
	case 0:
		return "voice.ogg", size, blob{kind: "audio/ogg", make: func() []byte { return oggOf(seed, size) }}
	case 1:
		return "notes.txt", size, blob{kind: "text/plain", make: func() []byte { return noise(seed, size) }}
	}
	return pick(b, nouns()) + ".png", size, blob{kind: "image/png", make: func() []byte { return pngOf(seed, size) }}
}
