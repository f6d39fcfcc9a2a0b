package engine_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"splashtail/bus"
)

func sprint(v any) string { return fmt.Sprintf("%v %+v %#v", v, v, v) }

// dump gives everything that any stream holds, by stream, as an operator with the nats CLI would see it.
func dump(t *testing.T, b *bus.Bus) map[string]string {
	t.Helper()
	nc, err := nats.Connect(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for info := range js.Streams() {
		for seq := info.State.FirstSeq; seq > 0 && seq <= info.State.LastSeq; seq++ {
			m, err := js.GetMsg(info.Config.Name, seq)
			if err != nil {
				continue // removed
			}
			out[info.Config.Name] += fmt.Sprint(m.Subject, m.Header, string(m.Data), "\n")
		}
	}
	if len(out) < 3 {
		t.Fatalf("the dump holds %d streams only", len(out))
	}
	return out
}
