package bus

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestSharedMessageKeepsItsWireForm holds the form of a message of several events, which
// a store may keep over an update.
func TestSharedMessageKeepsItsWireForm(t *testing.T) {
	m := shareMessage(captureShared().name, []*appending{
		{msg: &nats.Msg{Data: []byte(`{"v":1,"payload":"1"}`)}}, {msg: &nats.Msg{Data: []byte(`{"v":1,"payload":"2"}`)}},
	})
	const want = `{"v":1,"events":[{"v":1,"payload":"1"},{"v":1,"payload":"2"}]}`
	if m.Subject != "capture.shared.events" || string(m.Data) != want || !reflect.DeepEqual(m.Header, nats.Header{"Splashtail-Shared": {"1"}}) {
		t.Errorf("the message is %s %v %s", m.Subject, m.Header, m.Data)
	}
	later := `{"new":[1],"v":2,"events":[{"v":2,"payload":"1","new":{}},{"v":1,"payload":"2"}]}`
	for _, text := range []string{want, later} {
		got, err := decodeShared[CaptureEvent]([]byte(text))
		if err != nil || len(got) != 2 || got[0].Payload != "1" || got[1].Payload != "2" {
			t.Errorf("%s was read as %+v, %v", text, got, err)
		}
	}
	var e CaptureEvent
	if err := decodePayload(m.Subject, m.Header, m.Data, &e); err == nil {
		t.Errorf("it was read as one event: %+v", e)
	}
}

// FuzzDecodeShared reads what may be in a store: what can be read comes out the same when
// it is written again, and each value as it would be alone.
func FuzzDecodeShared(f *testing.F) {
	f.Add([]byte(`{"v":1,"events":[{"v":1,"code":"7F3A09C2","kind":"state","payload":"1"}]}`))
	f.Add([]byte(`{"events":[null,{},{"payload":"\ud800"}]}`))
	f.Add([]byte(`{"events":[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := decodeShared[CaptureEvent](data)
		if err != nil {
			return
		}
		var members []*appending
		for _, e := range events {
			alone, err := json.Marshal(e)
			if err != nil {
				t.Fatalf("%+v was read and cannot be written: %v", e, err)
			}
			members = append(members, &appending{msg: &nats.Msg{Data: alone}})
		}
		again, err := decodeShared[CaptureEvent](shareMessage("s", members).Data)
		if err != nil || len(again) != len(events) {
			t.Fatalf("%d events were read, %d after writing them again: %v", len(events), len(again), err)
		}
		for i := range events {
			if events[i] != again[i] {
				t.Errorf("%+v became %+v", events[i], again[i])
			}
		}
	})
}
