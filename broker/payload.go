package broker

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A polling client sends several packets in one body. The library's decoder can be
// made to loop for ever and to slice out of bounds by lengths in the body, so bodies
// are read here and written anew in the one form that is left: text with true lengths.

// payloadSeparator stands between the packets of an Engine.IO 4 body.
const payloadSeparator = "\x1e"

var (
	errPayload       = errors.New("the body of a polling request cannot be read")
	errPayloadBinary = errors.New("the body of a polling request has a binary packet")
)

// rewritePayload reads the body of a polling POST and returns it in the plainest form
// of the same protocol. An Engine.IO 3 body may come as text, `<length>:<packet>` with
// the length in UTF-16 units, or as bytes, `00 <digits as bytes> ff <packet>` with the
// length in bytes (capture-mock's client sends either).
func rewritePayload(body []byte, protocol int, binary bool) ([]byte, error) {
	var packets []string
	var err error
	switch {
	case protocol == 4 && binary:
		return nil, errPayloadBinary
	case protocol == 4:
		packets = strings.Split(string(body), payloadSeparator)
	case binary:
		packets, err = splitBinary(body)
	default:
		packets, err = splitText(string(body))
	}
	if err != nil {
		return nil, err
	}
	for _, p := range packets {
		if p == "" || !utf8.ValidString(p) {
			return nil, errPayload
		}
		if p[0] == 'b' { // base64, which is how text carries binary
			return nil, errPayloadBinary
		}
	}
	if protocol == 4 {
		return body, nil
	}
	return joinText(packets), nil
}

func splitText(body string) ([]string, error) {
	var packets []string
	for body != "" {
		digits, rest, found := strings.Cut(body, ":")
		units, err := parseLength(digits)
		if !found || err != nil {
			return nil, errPayload
		}
		end := 0
		for units > 0 {
			r, size := utf8.DecodeRuneInString(rest[end:])
			if size == 0 {
				return nil, errPayload
			}
			end += size
			units -= utf16Units(r)
		}
		if units < 0 { // the length ends inside a character
			return nil, errPayload
		}
		packets = append(packets, rest[:end])
		body = rest[end:]
	}
	return packets, nil
}

func splitBinary(body []byte) ([]string, error) {
	var packets []string
	for len(body) > 0 {
		head, rest, found := bytes.Cut(body[1:], []byte{0xff})
		if !found {
			return nil, errPayload
		}
		if body[0] != 0 {
			return nil, errPayloadBinary
		}
		digits := make([]byte, len(head))
		for i, d := range head {
			digits[i] = d + '0'
		}
		n, err := parseLength(string(digits))
		if err != nil || n > len(rest) {
			return nil, errPayload
		}
		packets = append(packets, string(rest[:n]))
		body = rest[n:]
	}
	return packets, nil
}

func parseLength(digits string) (int, error) {
	if len(digits) == 0 || len(digits) > 9 || digits[0] < '0' || digits[0] > '9' {
		return 0, errPayload
	}
	return strconv.Atoi(digits)
}

func joinText(packets []string) []byte {
	var b []byte
	for _, p := range packets {
		units := 0
		for _, r := range p {
			units += utf16Units(r)
		}
		b = strconv.AppendInt(b, int64(units), 10)
		b = append(b, ':')
		b = append(b, p...)
	}
	return b
}

func utf16Units(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}
