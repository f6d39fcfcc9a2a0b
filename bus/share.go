package bus

import (
	"bytes"
	"encoding/json"

	"github.com/nats-io/nats.go"
)

// Sharing says which values of a stream may share a message, and its subject. Only
// Follow reads such messages.
type Sharing[T any] struct {
	subject Subject[T]
	may     func(T) bool
}

// CaptureSharing lets what a client says of its game share a message. What is said of a
// connection does not: others look for the newest of it by its subject, and tell it again
// by its id.
func CaptureSharing() Sharing[CaptureEvent] {
	return Sharing[CaptureEvent]{captureShared(), func(e CaptureEvent) bool {
		return e.Kind != CaptureConnection && e.Kind != CaptureReady
	}}
}

// headerShared marks a message that holds several values.
const headerShared = "Splashtail-Shared"

// shared is the payload of such a message.
type shared struct {
	V      int               `json:"v"`
	Events []json.RawMessage `json:"events"` // each as it would be alone, in order
}

const (
	// maxShared bounds what shares a message, and with it what a reader gets at once.
	maxShared = 256
	// maxSharedBytes stays below what a message of CAPTURE may have; a value that is
	// larger goes as the only one.
	maxSharedBytes = 96 * kib
)

// fitting says how many of the first ones share a message; at least one.
func fitting(all []*appending) int {
	size := 0
	for i, p := range all {
		size += len(p.msg.Data) + 1
		if i > 0 && (i == maxShared || size > maxSharedBytes) {
			return i
		}
	}
	return len(all)
}

// shareMessage makes one message of many.
func shareMessage(subject string, members []*appending) *nats.Msg {
	var b bytes.Buffer
	b.WriteString(`{"v":1,"events":[`)
	for i, p := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(p.msg.Data)
	}
	b.WriteString(`]}`)
	return &nats.Msg{Subject: subject, Data: b.Bytes(), Header: nats.Header{headerShared: {"1"}}}
}

// isShared says whether a message holds several values.
func isShared(h nats.Header) bool { return len(h[headerShared]) > 0 }

// decodeShared gives the values of a shared message.
func decodeShared[T any](data []byte) ([]T, error) {
	var s shared
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	out := make([]T, len(s.Events))
	for i, e := range s.Events {
		if err := json.Unmarshal(e, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
