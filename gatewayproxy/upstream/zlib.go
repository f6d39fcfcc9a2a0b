package upstream

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// The kinds of transport compression, as the gateway's address names them.
const (
	zstdStream = "zstd-stream"
	zlibStream = "zlib-stream"
)

// compress is the transport compression that is asked for; empty: none.
func (c Config) compress() string {
	switch {
	case c.Plain:
		return ""
	case c.Zlib:
		return zlibStream
	}
	return zstdStream
}

// unzipper undoes the compression of one connection.
type unzipper interface {
	// inflate gives the content of a message; nil when its end is still to come.
	inflate(data []byte) ([]byte, error)
	close()
}

func newUnzipper(compress string) unzipper {
	if compress == zlibStream {
		return &zlibInflater{}
	}
	return &inflater{}
}

// zlibInflater undoes zlib-stream: one zlib stream for the whole connection, of which
// every message is a part that was flushed. A flush ends at a whole byte and in a whole
// block, so that each message is read by itself, with the window of what came before.
type zlibInflater struct {
	begun  bool   // the header of the stream was read
	part   []byte // of a message whose end has not come
	window []byte
	dec    io.ReadCloser
}

// flushEnd is what a flush ends with.
var flushEnd = []byte{0, 0, 0xff, 0xff}

const zlibWindow = 32 << 10

var errZlib = errors.New("a compressed frame cannot be read: it is no zlib-stream")

func (z *zlibInflater) inflate(data []byte) ([]byte, error) {
	if len(z.part)+len(data) > maxFrame {
		return nil, fmt.Errorf("a compressed frame is larger than %d MiB", maxFrame>>20)
	}
	if z.part != nil {
		data, z.part = append(z.part, data...), nil
	}
	if !bytes.HasSuffix(data, flushEnd) {
		z.part = bytes.Clone(data)
		return nil, nil
	}
	if !z.begun {
		// Method 8, a window of 32 KiB at most, a check, and no preset dictionary.
		if data[0]&0x0f != 8 || data[0]>>4 > 7 || (int(data[0])<<8|int(data[1]))%31 != 0 || data[1]&0x20 != 0 {
			return nil, errZlib
		}
		z.begun, data = true, data[2:]
	}
	return z.message(data)
}

func (z *zlibInflater) message(data []byte) ([]byte, error) {
	in := bytes.NewReader(data)
	if z.dec == nil {
		z.dec = flate.NewReaderDict(in, z.window)
	} else if err := z.dec.(flate.Resetter).Reset(in, z.window); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z.dec, maxInflated+1))
	if len(out) > maxInflated {
		return nil, errInflated
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) { // the stream goes on: anything else is none
		return nil, errors.Join(errZlib, err)
	}
	if in.Len() > 0 {
		return nil, errZlib
	}
	z.window = append(z.window, out[max(0, len(out)-zlibWindow):]...)
	z.window = bytes.Clone(z.window[max(0, len(z.window)-zlibWindow):])
	if out == nil {
		out = []byte{}
	}
	return out, nil
}

func (z *zlibInflater) close() {}
