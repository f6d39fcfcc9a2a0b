package e2e

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// wire is a websocket without a library, so that each byte that a C# client sends is written here and each byte that it
// would read is seen: .NET's ClientWebSocket masks its frames and sends no Origin.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

// maxWire bounds a frame of the server.
const maxWire = 1 << 20

// wireKey is the sample of RFC 6455; its answer is checked.
const wireKey = "dGhlIHNhbXBsZSBub25jZQ=="

// wireHead is the request of ClientWebSocket.
const wireHead = "GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + wireKey + "\r\n\r\n"

// dialWire opens a connection as a C# client does.
func dialWire(addr string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, in: bufio.NewReader(conn)}
	if err := w.upgrade(addr); err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

func (w *wire) upgrade(addr string) error {
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w.conn, wireHead, addr); err != nil {
		return err
	}
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return err
	}
	resp.Body.Close() // a 101 has none
	sum := sha1.Sum([]byte(wireKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	want := base64.StdEncoding.EncodeToString(sum[:])
	if got := resp.Header.Get("Sec-WebSocket-Accept"); resp.StatusCode != http.StatusSwitchingProtocols || got != want {
		return fmt.Errorf("the upgrade was answered by %s and the key %q, want 101 and %q", resp.Status, got, want)
	}
	return w.conn.SetDeadline(time.Time{})
}

// write sends a text frame.
func (w *wire) write(text string) error {
	frame := []byte{0x81} // the whole message, text
	switch n := len(text); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		return errors.New("no capture client sends so much")
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	frame = append(frame, mask[:]...)
	for i := range len(text) {
		frame = append(frame, text[i]^mask[i%4])
	}
	_, err := w.conn.Write(frame)
	return err
}

// read gives the next text frame. Anything else that a server may send is an error, as is a frame in pieces: the C# client
// takes both, but ours has no reason to send them.
func (w *wire) read() (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return "", err
	}
	if head[0] != 0x81 || head[1]&0x80 != 0 {
		return "", fmt.Errorf("a frame begins with %x, want whole text without a mask", head)
	}
	n := uint64(head[1])
	if n >= 126 {
		long := make([]byte, 8)
		size := map[uint64]int{126: 2, 127: 8}[n]
		if _, err := io.ReadFull(w.in, long[8-size:]); err != nil {
			return "", err
		}
		n = binary.BigEndian.Uint64(long)
	}
	if n > maxWire {
		return "", fmt.Errorf("a frame has %d bytes", n)
	}
	text := make([]byte, n)
	_, err := io.ReadFull(w.in, text)
	return string(text), err
}

func (w *wire) close() { w.conn.Close() }
