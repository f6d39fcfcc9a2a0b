package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"splashtail/internal/gateway"
	"splashtail/internal/secret"
)

// This file is how a connection begins: HELLO, and then IDENTIFY or RESUME. READY and
// RESUMED, which answer those, are events like others, see link.go.

// The events that begin and resume a session.
const (
	eventReady   = "READY"
	eventResumed = "RESUMED"
)

const (
	helloTimeout    = 20 * time.Second
	defaultInterval = 41250 * time.Millisecond
	largeThreshold  = 250
)

// begun says that the session can be resumed by others, or is none.
func (l *link) begun() {
	if l.begins {
		l.begins = false
		l.s.beginning.Unlock()
	}
}

// hello waits for HELLO. Discord may say op 7 instead.
func (l *link) hello(ctx context.Context) (end, bool) {
	for {
		select {
		case in, ok := <-l.wire.frames:
			switch {
			case !ok:
				return end{cause: causeClosed, code: l.wire.code(), err: l.wire.err}, false
			case in.err != nil:
				l.skip(in)
			case in.op == gateway.OpReconnect:
				return end{cause: causeReconnect}, false
			case in.op == gateway.OpHello:
				l.greet(in)
				return end{}, true
			}
		case <-ctx.Done():
			return end{cause: causeDial, err: errors.New("the gateway did not say HELLO")}, false
		}
	}
}

func (l *link) greet(in incoming) {
	var d struct {
		Interval int64 `json:"heartbeat_interval"`
	}
	l.interval = defaultInterval
	if json.Unmarshal(in.d, &d) == nil && d.Interval > 0 {
		l.interval = time.Duration(d.Interval) * time.Millisecond
	}
	l.opened, l.lastFrame = in.at, in.at
	l.beat = time.NewTimer(time.Duration(rand.Float64() * float64(l.interval)))
}

func (l *link) identify(ctx context.Context) error {
	l.s.received = 0
	w, err := l.s.u.greeting(ctx)
	if err != nil {
		return err
	}
	return l.send(ctx, gateway.OpIdentify, identify{
		Token: reveal{l.s.u.cfg.Token}, Intents: w.intents, Shard: [2]int{l.s.number, l.s.count}, LargeThreshold: largeThreshold,
		Properties: map[string]string{"os": "linux", "browser": "splashtail", "device": "splashtail"},
	})
}

type identify struct {
	Token          reveal            `json:"token"`
	Properties     map[string]string `json:"properties"`
	Shard          [2]int            `json:"shard"`
	Intents        uint64            `json:"intents"`
	LargeThreshold int               `json:"large_threshold"`
}

// reveal is a secret on its way to Discord.
type reveal struct{ secret.Value }

// MarshalJSON gives the secret itself.
func (r reveal) MarshalJSON() ([]byte, error) { return json.Marshal(r.Reveal()) }

// MarshalText would otherwise be taken for it.
func (r reveal) MarshalText() ([]byte, error) { return []byte(r.Reveal()), nil }

func (l *link) resume(ctx context.Context) error {
	return l.send(ctx, gateway.OpResume, struct {
		Token   reveal `json:"token"`
		Session string `json:"session_id"`
		Seq     int64  `json:"seq"`
	}{reveal{l.s.u.cfg.Token}, l.s.mem.session.id, l.s.place.seq()})
}

// readSession reads what RESUME needs out of READY.
func readSession(d json.RawMessage) *session {
	var r struct {
		ID  string `json:"session_id"`
		URL string `json:"resume_gateway_url"`
	}
	if json.Unmarshal(d, &r) != nil || r.ID == "" {
		return nil
	}
	return &session{id: r.ID, url: r.URL}
}
