package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"splashtail/internal/gateway"
)

// taken writes frames as op or number.
func taken(due []frame) []string {
	var list []string
	for _, f := range due {
		if f.op == gateway.OpDispatch {
			list = append(list, strconv.FormatUint(f.seq, 10))
		} else {
			list = append(list, "op"+strconv.Itoa(f.op))
		}
	}
	return list
}

// TestFramesKeepTheirOrder checks that control frames and dispatches go out as they were made, in any batch.
func TestFramesKeepTheirOrder(t *testing.T) {
	for _, tc := range []struct {
		what     string
		settings GatewaySettings
	}{{"at once", GatewaySettings{}}, {"one by one", GatewaySettings{Gap: time.Nanosecond}}} {
		s := &gatewaySession{shards: 1, log: newRing[sent](64)}
		c, other := &gatewayConn{wake: make(chan struct{}, 1)}, &gatewayConn{}
		c.push(gateway.OpHello, nil)
		s.attach(c, 0)
		s.add("A", nil)
		s.add("A", nil)
		c.push(gateway.OpHeartbeatACK, nil)
		s.addOnly(other, "RESUMED", nil) // of an earlier connection: it hides nothing
		s.addOnly(other, "RESUMED", nil)
		s.addOnly(c, "RESUMED", nil)
		c.push(gateway.OpReconnect, nil)
		s.add("A", nil)
		var got []string
		for {
			due, next := c.take(time.Now(), tc.settings)
			if !next.IsZero() {
				t.Fatalf("%s: the next frame is due at %v", tc.what, next)
			}
			if len(due) == 0 {
				break
			}
			got = append(got, taken(due)...)
		}
		if want := []string{"op10", "1", "2", "op11", "5", "op7", "6"}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tc.what, got, want)
		}
	}
}

// TestFramesWaitForTheirLatency checks that nothing overtakes what is still on its way.
func TestFramesWaitForTheirLatency(t *testing.T) {
	s := &gatewaySession{shards: 1, log: newRing[sent](64)}
	c := &gatewayConn{wake: make(chan struct{}, 1)}
	s.attach(c, 0)
	before := time.Now()
	s.add("A", nil)
	c.push(gateway.OpHeartbeatACK, nil)
	settings := GatewaySettings{Latency: time.Hour}
	due, next := c.take(before, settings)
	if len(due) != 0 || next.Before(before.Add(time.Hour)) {
		t.Errorf("early: %v, next in %v", taken(due), next.Sub(before))
	}
	due, _ = c.take(next, settings)
	rest, _ := c.take(time.Now().Add(2*time.Hour), settings)
	if got := taken(append(due, rest...)); len(due) == 0 || !slices.Equal(got, []string{"1", "op11"}) {
		t.Errorf("in time came %v, in all %v", taken(due), got)
	}
}

// TestFrameText holds the order of keys, which clients that only scan the text rely on.
func TestFrameText(t *testing.T) {
	for _, tc := range []struct {
		f    frame
		want string
	}{
		{frame{op: gateway.OpDispatch, name: "READY", seq: 1, data: json.RawMessage(`{"v":10}`)}, `{"t":"READY","s":1,"op":0,"d":{"v":10}}`},
		{frame{op: gateway.OpHeartbeatACK}, `{"t":null,"s":null,"op":11,"d":null}`},
		{frame{op: gateway.OpInvalidSession, data: json.RawMessage("false")}, `{"t":null,"s":null,"op":9,"d":false}`},
	} {
		if got := string(tc.f.append(nil)); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}
