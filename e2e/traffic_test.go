package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// talker is a capture client that talks all the time. When its server dies it does what the C# client does: it connects
// again, says its code, and goes on; what was not acknowledged is not sent again. Unlike that client it asks for an
// acknowledgement of each event, so that it knows what the server has accepted.
type talker struct {
	addr, code string

	mu    sync.Mutex
	sent  []string // the element of each event, by its number
	acked []bool   // by number
	acks  int
	lives int // connections that were acknowledged something
}

const (
	// pace is the time between two events of a talker: many times what a game makes.
	pace = 3 * time.Millisecond
	// window is how many events may wait for their acknowledgement.
	window = 16
	// comeback is the pause after a connection that failed. The C# client takes a second; with less the server is under more
	// pressure when it comes up.
	comeback = 30 * time.Millisecond
)

// startTalkers lets clients talk until the test calls stop, which returns when they have left in good order.
func startTalkers(t testing.TB, addr string, n int) (all []*talker, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range n {
		k := &talker{addr: addr, code: fmt.Sprintf("TA1KER%02d", i)}
		all = append(all, k)
		running.Go(func() { k.run(ctx) })
	}
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return all, stop
}

func (k *talker) run(ctx context.Context) {
	for ctx.Err() == nil {
		w, err := dialWire(k.addr)
		if err == nil {
			k.live(ctx, w)
			continue // the first try to come back is made at once
		}
		again := time.NewTimer(comeback)
		select {
		case <-again.C:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// live is one connection, to its end.
func (k *talker) live(ctx context.Context, w *wire) {
	ctx, cancel := context.WithCancel(ctx)
	acks := make(chan struct{}, window)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer cancel()
		k.listen(w, acks)
	})
	k.talk(ctx, w, acks)
	w.close()
	cancel()
	reader.Wait()
}

// listen reads until the connection ends.
func (k *talker) listen(w *wire, acks chan<- struct{}) {
	first := true
	for {
		frame, err := w.read()
		if err != nil {
			return
		}
		id, isAck := strings.CutPrefix(strings.TrimSuffix(frame, "[]"), "43")
		n, err := strconv.Atoi(id)
		if !isAck || err != nil {
			continue // the open packet, 40, pongs and what the server asks for
		}
		k.mu.Lock()
		if n < len(k.acked) && !k.acked[n] {
			k.acked[n] = true
			k.acks++
		}
		if first {
			k.lives++
			first = false
		}
		k.mu.Unlock()
		select {
		case acks <- struct{}{}:
		default: // more than were asked for: the counts will show it
		}
	}
}

// talk says hello and then one event after the other.
func (k *talker) talk(ctx context.Context, w *wire, acks <-chan struct{}) {
	for _, hello := range []string{"40", `42["connectCode","` + k.code + `"]`, `42["botID",798765432109876543]`} {
		if w.write(hello) != nil {
			return
		}
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for waiting := 0; ; {
		var next <-chan time.Time
		if waiting < window {
			next = tick.C
		}
		select {
		case <-next:
			if w.write(k.next()) != nil {
				return
			}
			waiting++
		case <-acks:
			waiting--
		case <-ctx.Done():
			_ = w.write("41") // the connection may be what has ended
			return
		}
	}
}

// next makes the next event, as a frame.
func (k *talker) next() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(k.sent)
	e := [...]struct {
		event string
		kind  int
		text  string
	}{
		{"player", 3, fmt.Sprintf(`{"Action":4,"Name":"%d","IsDead":false,"Disconnected":false,"Color":7}`, n)},
		{"state", 2, strconv.Itoa(n)},
		{"player", 3, fmt.Sprintf(`{"Action":0,"Name":"%d","IsDead":true,"Disconnected":false,"Color":1}`, n)},
		{"lobby", 1, fmt.Sprintf(`{"LobbyCode":"%d","Region":0,"Map":2}`, n)},
		{"gameover", 4, fmt.Sprintf(`{"GameOverReason":%d,"PlayerInfos":[]}`, n)},
	}[n%5]
	k.sent, k.acked = append(k.sent, element(e.kind, e.text)), append(k.acked, false)
	return "42" + strconv.Itoa(n) + `["` + e.event + `",` + quoted(e.text) + "]"
}

// counts gives the acknowledged events and the connections that had some.
func (k *talker) counts() (acks, lives int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.acks, k.lives
}

func countAcks(all []*talker) (sum int) {
	for _, k := range all {
		acks, _ := k.counts()
		sum += acks
	}
	return sum
}

// awaitAcks waits until n more events were acknowledged.
func awaitAcks(t testing.TB, all []*talker, n int) {
	t.Helper()
	from := countAcks(all)
	eventually(t, "more events are acknowledged", func(context.Context) error {
		if got := countAcks(all) - from; got < n {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	})
}

// awaitLives waits until every client has been acknowledged something on so many connections.
func awaitLives(t testing.TB, all []*talker, n int) {
	t.Helper()
	eventually(t, "every client is back", func(context.Context) error {
		for _, k := range all {
			if _, lives := k.counts(); lives < n {
				return fmt.Errorf("%s had %d connections, want %d", k.code, lives, n)
			}
		}
		return nil
	})
}
