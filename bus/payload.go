package bus

import (
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go"
)

// Payloads are JSON. Those that only pass through us travel as they came, with their
// facts in the subject and in headers: encoding them anew would cost time and could
// change them.

// packer is a payload that travels raw.
type packer interface {
	pack() (data []byte, h nats.Header)
}

// unpacker is where such a payload is read into.
type unpacker interface {
	unpack(subject string, h nats.Header, data []byte) error
}

// encodePayload gives the data of a message and the headers that belong to it, which
// may be nil.
func encodePayload(v any) ([]byte, nats.Header, error) {
	if p, ok := v.(packer); ok {
		data, h := p.pack()
		return data, h, nil
	}
	data, err := json.Marshal(v)
	return data, nil, err
}

var errShared = errors.New("the message holds several values, which only Follow reads")

// decodePayload is the inverse of encodePayload.
func decodePayload(subject string, h nats.Header, data []byte, into any) error {
	if isShared(h) {
		return errShared
	}
	if u, ok := into.(unpacker); ok {
		return u.unpack(subject, h, data)
	}
	return json.Unmarshal(data, into)
}
