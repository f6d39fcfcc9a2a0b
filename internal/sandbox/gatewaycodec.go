package sandbox

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"strconv"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"

	"splashtail/internal/gateway"
)

// What a client can ask for with compress= in its address.
const (
	compressZlib = "zlib-stream"
	compressZstd = "zstd-stream"
)

// compressFrom is the size in bytes from which on frames are compressed for a client that only asked for it in IDENTIFY.
// Discord says no number; small frames stay text, so clients meet both kinds.
const compressFrom = 1 << 10

// frameWriter turns frames into WebSocket messages in the way that a connection asked for. A stream has one context from
// its first message to its last, and every message ends flushed.
type frameWriter struct {
	ws   *websocket.Conn
	text []byte
	out  bytes.Buffer
	zlib *zlib.Writer
	zstd *zstd.Encoder
}

// newFrameWriter keeps compression cheap: a gateway has many connections that say little.
func newFrameWriter(ws *websocket.Conn, compress string) (*frameWriter, error) {
	w := &frameWriter{ws: ws}
	var err error
	switch compress {
	case compressZlib:
		w.zlib = zlib.NewWriter(&w.out)
	case compressZstd:
		w.zstd, err = zstd.NewWriter(&w.out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(128<<10))
	}
	return w, err
}

// release ends the contexts; nothing that it writes goes out.
func (w *frameWriter) release() {
	if w.zstd != nil {
		w.zstd.Close()
	}
}

// errSlow is why a batch could not be written in writeFor.
var errSlow = errors.New("the client does not read")

// send writes the frames of one batch.
func (w *frameWriter) send(ctx context.Context, batch work) error {
	if len(batch.due) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, writeFor, errSlow)
	defer cancel()
	for _, f := range batch.due {
		w.text = f.append(w.text[:0])
		if err := w.message(ctx, batch.payload); err != nil {
			return err
		}
	}
	return nil
}

func (w *frameWriter) message(ctx context.Context, payload bool) error {
	w.out.Reset()
	var err error
	switch {
	case w.zlib != nil:
		w.zlib.Write(w.text) // to memory: it cannot fail
		err = w.zlib.Flush()
	case w.zstd != nil:
		w.zstd.Write(w.text)
		err = w.zstd.Flush()
	case payload && len(w.text) >= compressFrom:
		z := zlib.NewWriter(&w.out)
		z.Write(w.text)
		err = z.Close()
	default:
		return w.ws.Write(ctx, websocket.MessageText, w.text)
	}
	if err != nil {
		return err
	}
	return w.ws.Write(ctx, websocket.MessageBinary, w.out.Bytes())
}

// append writes a frame as JSON with the keys in Discord's order, which clients that only scan the text rely on.
func (f frame) append(b []byte) []byte {
	if f.op == gateway.OpDispatch {
		b = append(b, `{"t":"`...)
		b = append(b, f.name...)
		b = append(b, `","s":`...)
		b = strconv.AppendUint(b, f.seq, 10)
	} else {
		b = append(b, `{"t":null,"s":null`...)
	}
	b = append(b, `,"op":`...)
	b = strconv.AppendInt(b, int64(f.op), 10)
	b = append(b, `,"d":`...)
	if f.data == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, f.data...)
	}
	return append(b, '}')
}
