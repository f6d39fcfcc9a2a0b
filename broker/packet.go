package broker

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// The types of Socket.IO packets that a capture client may send (Socket.IO protocol 4
// and 5; they agree on these). All others are refused: nobody needs them, and the
// library dies on some of them.
const (
	packetConnect    = '0'
	packetDisconnect = '1'
	packetEvent      = '2'
)

// packetIn is one Socket.IO packet from a client, taken apart as far as the seam needs.
type packetIn struct {
	kind      byte
	namespace string            // "/" or what the client named, without its query
	ack       string            // digits; empty: no acknowledgement asked
	event     string            // packetEvent: the name
	args      []json.RawMessage // packetEvent: the rest, untouched, so that numbers stay exact
}

// maxAckDigits is longer than any counter a client can reach.
const maxAckDigits = 18

var (
	errNotSocketIO = errors.New("the frame is no Socket.IO packet")
	errUnwanted    = errors.New("the Socket.IO packet is of a type that capture clients never send")
	errNotText     = errors.New("the frame is not valid UTF-8")
)

// parsePacket reads the text of one Engine.IO message:
// <type>[/<namespace>,][<ack id>][<JSON array>]. It allocates in proportion to the text
// and never more: attachments, which announce what is still to come, are refused.
func parsePacket(text string) (packetIn, error) {
	if !utf8.ValidString(text) {
		return packetIn{}, errNotText
	}
	if text == "" {
		return packetIn{}, errNotSocketIO
	}
	p := packetIn{kind: text[0], namespace: "/"}
	rest := text[1:]
	switch p.kind {
	case packetConnect, packetDisconnect, packetEvent:
	case '3', '4', '5', '6':
		return packetIn{}, errUnwanted
	default:
		return packetIn{}, errNotSocketIO
	}
	if strings.HasPrefix(rest, "/") {
		p.namespace, rest, _ = strings.Cut(rest, ",")
		p.namespace, _, _ = strings.Cut(p.namespace, "?")
	}
	if p.kind != packetEvent {
		return p, nil // what follows a CONNECT is the client's auth object: nobody reads it
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	if digits > maxAckDigits {
		return packetIn{}, errNotSocketIO
	}
	p.ack, rest = rest[:digits], rest[digits:]
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(rest), &parts); err != nil || len(parts) == 0 {
		return packetIn{}, errNotSocketIO
	}
	if parts[0][0] != '"' || json.Unmarshal(parts[0], &p.event) != nil {
		return packetIn{}, errNotSocketIO
	}
	p.args = parts[1:]
	return p, nil
}
