package upstream

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Bounds of what Discord may send. READY and GUILD_CREATE reach megabytes.
const (
	maxFrame    = 32 << 20 // as it is on the wire
	maxInflated = 64 << 20
	maxWindow   = 32 << 20
)

var errInflated = errors.New("a compressed frame is larger than 64 MiB")

// inflater undoes zstd-stream: one zstd frame for the whole connection, of which every
// message is a part that was flushed.
type inflater struct {
	in  message
	dec *zstd.Decoder
	buf []byte
}

// message is the rest of the message being read.
type message struct{ rest []byte }

// Read gives what is there. It is not called when nothing is, see inflate.
func (m *message) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// biggerThanABlock makes the decoder hand over each block with one Read, so that it
// never asks for input beyond the message.
const biggerThanABlock = 128<<10 + 1

// inflate gives the content of a message. After an error the connection is of no use
// any more: later messages build on this one.
func (z *inflater) inflate(data []byte) ([]byte, error) {
	z.in.rest = data
	if z.dec == nil {
		var err error
		// One goroutine, ours: the decoder would read ahead otherwise.
		z.dec, err = zstd.NewReader(&z.in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		z.buf = make([]byte, biggerThanABlock)
	}
	var out []byte
	for len(z.in.rest) > 0 {
		n, err := z.dec.Read(z.buf)
		if err != nil {
			return nil, fmt.Errorf("a compressed frame cannot be read: %w", err)
		}
		if len(out)+n > maxInflated {
			return nil, errInflated
		}
		out = append(out, z.buf[:n]...)
	}
	return out, nil
}

func (z *inflater) close() {
	if z.dec != nil {
		z.dec.Close()
	}
}
