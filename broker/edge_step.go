package broker

import (
	"encoding/json"
	"strings"

	"splashtail/bus"
)

// step is what one event does in Redis.
type step struct {
	seq     uint64
	do      string // see pushScript
	code    string
	element string // for the job list; empty: none
}

// stepOf says what an event does in Redis.
func stepOf(d bus.Delivery[bus.CaptureEvent]) step {
	e := d.Value
	s := step{seq: d.Seq, code: e.Code.String()}
	yes := e.Payload == "true"
	switch e.Kind {
	case bus.CaptureConnection:
		if !yes || e.Cause == causeConnected || e.Cause == causeTakeover {
			s.do = "reset"
		}
	case bus.CaptureLobby:
		s.do = "room:" + e.Room
	case bus.CaptureState, bus.CapturePlayer:
		s.do = "play"
	case bus.CaptureReady:
		s.do = "unready"
		if yes {
			s.do = "ready"
		}
	}
	if n, ok := jobType(e.Kind); ok {
		s.element = jobElement(n, e.Payload)
	}
	return s
}

// jobType is the number of a kind in the job list of AutoMuteUs.
func jobType(k bus.CaptureKind) (int, bool) {
	switch k {
	case bus.CaptureConnection:
		return 0, true
	case bus.CaptureLobby:
		return 1, true
	case bus.CaptureState:
		return 2, true
	case bus.CapturePlayer:
		return 3, true
	case bus.CaptureGameOver:
		return 4, true
	}
	return 0, false
}

// jobElement is an element of the list. The payload is a JSON string whatever it holds:
// AutoMuteUs dies of anything else.
func jobElement(n int, payload string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Numbers and strings always encode, and a Builder takes everything.
	_ = enc.Encode(struct {
		Type    int    `json:"type"`
		Payload string `json:"payload"`
	}{n, payload})
	return strings.TrimSuffix(b.String(), "\n")
}
