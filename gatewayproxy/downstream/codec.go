package downstream

import (
	"bytes"
	"compress/zlib"
	"io"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"
)

// codec turns frames into what goes over the wire: as they are, or as pieces of one
// compressed stream that lives as long as the connection.
type codec struct {
	kind  websocket.MessageType
	out   bytes.Buffer
	write flusher // nil: text
	close func() error
}

type flusher interface {
	io.Writer
	Flush() error
}

// The compressions of the transport that Discord knows.
const (
	plain      = ""
	zlibStream = "zlib-stream"
	zstdStream = "zstd-stream"
)

// newCodec makes a codec for a kind of compression. What it takes in memory is there
// once per connection: see the options of zstd, whose defaults are for large files.
func newCodec(compress string) (*codec, error) {
	c := &codec{kind: websocket.MessageBinary, close: func() error { return nil }}
	switch compress {
	case zlibStream:
		c.write = zlib.NewWriter(&c.out)
	case zstdStream:
		w, err := zstd.NewWriter(&c.out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(128<<10))
		if err != nil {
			return nil, err
		}
		c.write, c.close = w, w.Close
	default:
		c.kind = websocket.MessageText
	}
	return c, nil
}

// encode gives the message for a frame; it is valid until the next call.
func (c *codec) encode(frame []byte) ([]byte, error) {
	if c.write == nil {
		return frame, nil
	}
	if c.out.Cap() > maxFrameKept {
		c.out = bytes.Buffer{} // a large guild was the last; idle connections stay small
	}
	c.out.Reset()
	if _, err := c.write.Write(frame); err != nil {
		return nil, err
	}
	if err := c.write.Flush(); err != nil {
		return nil, err
	}
	return c.out.Bytes(), nil
}
