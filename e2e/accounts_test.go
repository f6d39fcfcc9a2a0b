package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"splashtail/bus"
)

// cursor is how far Redis has the stream, as an operator sees it: zero when Redis is away or has none.
func (r *redisServer) cursor() uint64 {
	text, err := r.rdb.Get(r.t.Context(), "splashtail:capture:cursor").Result()
	if err != nil {
		return 0
	}
	_, seq, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		r.t.Fatalf("the cursor is %q", text)
	}
	return n
}

// awaitCursor waits until Redis has more of the stream than that.
func (r *redisServer) awaitCursor(above uint64) {
	r.t.Helper()
	eventually(r.t, "Redis has more events", func(context.Context) error {
		if at := r.cursor(); at <= above {
			return fmt.Errorf("it has %d, want more than %d", at, above)
		}
		return nil
	})
}

// isUpToDate waits until Redis has all of the stream.
func (r *redisServer) isUpToDate(b *bus.Bus) {
	r.t.Helper()
	eventually(r.t, "Redis has the whole stream", func(ctx context.Context) error {
		info, err := bus.InfoOf(ctx, b, bus.AllCapture())
		if at := r.cursor(); err == nil && at != info.Last {
			err = fmt.Errorf("it has %d of %d", at, info.Last)
		}
		return err
	})
}

// lookInto opens a bus for reading, as long as look runs.
func lookInto(t testing.TB, cfg bus.Config, look func(*bus.Bus)) {
	t.Helper()
	cfg.Plan = &bus.Plan{} // what is there stays as it is
	b, err := bus.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	look(b)
}

// stored gives the elements that the stream of accepted events makes, by code, in its order.
func stored(t testing.TB, b *bus.Bus) map[string][]string {
	t.Helper()
	info, err := bus.InfoOf(t.Context(), b, bus.AllCapture())
	if err != nil {
		t.Fatal(err)
	}
	if info.First > 1 {
		t.Fatalf("the stream begins with %d: it lost its beginning", info.First)
	}
	kinds := map[bus.CaptureKind]int{
		bus.CaptureConnection: 0, bus.CaptureLobby: 1, bus.CaptureState: 2, bus.CapturePlayer: 3, bus.CaptureGameOver: 4,
	}
	all := map[string][]string{}
	enough := errors.New("enough")
	err = bus.Follow(t.Context(), b, bus.Follower{}, bus.AllCapture(), 1, func(_ context.Context, ds []bus.Delivery[bus.CaptureEvent]) error {
		for _, d := range ds {
			if kind, ok := kinds[d.Value.Kind]; ok {
				code := d.Value.Code.String()
				all[code] = append(all[code], element(kind, d.Value.Payload))
			}
		}
		if ds[len(ds)-1].Seq == info.Last { // the last message may hold several
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("the stream could not be read to its end: %v", err)
	}
	return all
}

// settleAccounts ends the broker in good order and compares what each client sent and was told is accepted, what the stream
// has, and what is in Redis. Redis must have the stream exactly, and the stream every accepted event exactly once, in the
// order of the client. The settings are those of the broker.
func settleAccounts(t testing.TB, broker *program, s settings, all []*talker, r *redisServer) {
	t.Helper()
	live := bus.Config{URL: s.nats()}
	lookInto(t, live, func(b *bus.Bus) { r.isUpToDate(b) })
	broker.stop()
	if s["NATS_URL"] == "" { // the bus ended with it and has left its store
		live = bus.Config{StoreDir: s["NATS_STORE_DIR"], Addr: "127.0.0.1:0"}
	}
	var inStream map[string][]string
	lookInto(t, live, func(b *bus.Bus) { inStream = stored(t, b) })
	accounts(t, all, inStream, r)
}

func accounts(t testing.TB, all []*talker, inStream map[string][]string, r *redisServer) {
	t.Helper()
	accepted, unsure, total := 0, 0, 0
	for _, k := range all {
		elements := inStream[k.code]
		total += len(elements)
		if got := r.jobs(k.code); !slices.Equal(got, elements) {
			t.Errorf("%s: Redis has %d elements, the stream %d; %s", k.code, len(got), len(elements), difference(got, elements))
		}
		at := 0 // in elements
		for n, e := range k.sent {
			place := slices.Index(elements[at:], e)
			switch {
			case place >= 0:
				for _, between := range elements[at : at+place] {
					if between != linked && between != unlinked {
						t.Errorf("%s: before event %d there is %s, which was not sent then", k.code, n, between)
					}
				}
				at += place + 1
			case k.acked[n]:
				t.Errorf("%s: event %d was accepted and is lost or out of place: %s", k.code, n, e)
			default:
				unsure++
			}
			if k.acked[n] {
				accepted++
			}
		}
		for _, after := range elements[at:] {
			if after != linked && after != unlinked {
				t.Errorf("%s: the end has %s, which is there twice or was never sent", k.code, after)
			}
		}
		if len(elements) == 0 || elements[len(elements)-1] != unlinked {
			t.Errorf("%s: the last element does not say that the client is gone", k.code)
		}
	}
	if accepted == 0 {
		t.Error("no event was accepted, so nothing was tested")
	}
	t.Logf("%d events accepted, %d sent into a kill and not kept, %d elements in Redis", accepted, unsure, total)
}

// difference names the first place where two lists differ.
func difference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("element %d is missing in Redis: %s", i, want[i])
		case i >= len(want):
			return fmt.Sprintf("element %d is too much in Redis: %s", i, got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("element %d is %s in Redis and %s in the stream", i, got[i], want[i])
		}
	}
	return "they are equal"
}
