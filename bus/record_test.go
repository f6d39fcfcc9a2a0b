package bus_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

func TestRecordsCompareAndSet(t *testing.T) {
	b := bustest.New(t)
	ctx := t.Context()
	r, err := bus.OpenRecords(ctx, b, bus.Positions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get(ctx, "a"); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("a record that is not there: %v", err)
	}
	one, err := r.Create(ctx, "a", bus.Position{Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create(ctx, "a", bus.Position{Seq: 9}); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("making it twice: %v", err)
	}
	two, err := r.Update(ctx, "a", bus.Position{Seq: 2}, one)
	if err != nil || two <= one {
		t.Fatalf("revision %d after %d, %v", two, one, err)
	}
	if _, err := r.Update(ctx, "a", bus.Position{Seq: 3}, one); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("an update of an old revision: %v", err)
	}
	if err := r.Delete(ctx, "a", one); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("a delete of an old revision: %v", err)
	}
	if e, err := r.Get(ctx, "a"); err != nil || e.Value.Seq != 2 || e.Revision != two {
		t.Errorf("%+v %v", e, err)
	}
	if err := r.Delete(ctx, "a", two); err != nil {
		t.Error(err)
	}
	if _, err := r.Create(ctx, "a", bus.Position{Seq: 4}); err != nil {
		t.Errorf("making it again: %v", err)
	}
}

func TestRecordsWatch(t *testing.T) {
	b := bustest.New(t)
	r, err := bus.OpenRecords(t.Context(), b, bus.VoiceRecords())
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string, tier int) {
		if _, err := r.Put(t.Context(), key, bus.VoiceRecord{Wish: bus.VoiceWish{Tier: tier}}); err != nil {
			t.Fatal(err)
		}
	}
	put("1.1", 1)
	put("1.2", 2)
	put("2.1", 3)
	type seen struct {
		key  string
		tier int
		live bool
		gone bool
	}
	got := make(chan seen, 10)
	running(t, func(ctx context.Context) error {
		return r.Watch(ctx, "1.*", func(e bus.Entry[bus.VoiceRecord], live bool) error {
			got <- seen{e.Key, e.Value.Wish.Tier, live, e.Deleted}
			return nil
		})
	})
	for _, want := range []seen{{key: "1.1", tier: 1}, {key: "1.2", tier: 2}, {live: true}} {
		if g := receive(t, got); g != want {
			t.Fatalf("got %+v, want %+v", g, want)
		}
	}
	put("2.1", 4)
	put("1.2", 5)
	if g := receive(t, got); g != (seen{key: "1.2", tier: 5}) {
		t.Errorf("got %+v", g)
	}
	if err := r.Delete(t.Context(), "1.1", 0); err != nil {
		t.Fatal(err)
	}
	if g := receive(t, got); g != (seen{key: "1.1", gone: true}) {
		t.Errorf("got %+v", g)
	}
	all, err := r.All(t.Context(), ">")
	if err != nil || len(all) != 2 {
		t.Errorf("all: %+v %v", all, err)
	}
}

func TestWritesOfOneGoroutineArriveInOrder(t *testing.T) {
	b := bustest.New(t)
	r, err := bus.OpenRecords(t.Context(), b, bus.VoiceRecords())
	if err != nil {
		t.Fatal(err)
	}
	var writes []*bus.Write
	for i := range 50 {
		w, err := r.BeginPut("1.1", bus.VoiceRecord{Wish: bus.VoiceWish{Tier: i}})
		if err != nil {
			t.Fatal(err)
		}
		writes = append(writes, w)
	}
	last := uint64(0)
	for _, w := range writes {
		rev, err := w.Wait(t.Context())
		if err != nil || rev <= last {
			t.Fatalf("revision %d after %d, %v", rev, last, err)
		}
		last = rev
	}
	if e, err := r.Get(t.Context(), "1.1"); err != nil || e.Value.Wish.Tier != 49 {
		t.Errorf("%+v %v", e, err)
	}
}

func TestLeaseHasOneHolder(t *testing.T) {
	b := bustest.New(t)
	key := bus.VoiceLease(7)
	a, err := bus.Acquire(t.Context(), b, key, time.Second, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Acquire(t.Context(), b, key, time.Second, "b"); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("a second holder: %v", err)
	}
	second := make(chan *bus.Lease, 1)
	go func() {
		l, err := bus.AwaitLease(context.Background(), b, key, time.Second, "b")
		if err != nil {
			t.Error(err)
		}
		second <- l
	}()
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	receive(t, a.Lost())
	l := receive(t, second)
	if l.Token() <= a.Token() {
		t.Errorf("the later holder's token %d is not above %d", l.Token(), a.Token())
	}
	if err := l.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLeaseOutlivesItsTimeWhileHeldAndEndsWithItsHolder holds a one-second lease for
// longer than that, then lets the holder go without giving it back.
func TestLeaseOutlivesItsTimeWhileHeldAndEndsWithItsHolder(t *testing.T) {
	b := bustest.New(t)
	key := bus.CaptureEdgeLease()
	other, err := b.Component(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	held, err := bus.Acquire(t.Context(), other, key, time.Second, "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	if _, err := bus.AwaitLease(ctx, b, key, time.Second, "b"); err == nil {
		t.Fatal("a held lease was given to a second holder")
	}
	bustest.Close(t, other) // as a crash of the holder: its connection is gone, nothing is given back
	if _, err := bus.AwaitLease(t.Context(), b, key, time.Second, "b"); err != nil {
		t.Fatal(err)
	}
	receive(t, held.Lost())
}

func TestBlobs(t *testing.T) {
	b := bustest.New(t)
	blobs, err := bus.OpenBackups(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 3<<20+17)
	_, _ = rand.Read(want)
	info, err := blobs.Put(t.Context(), "1/j/backup", bytes.NewReader(want))
	if err != nil || info.Size != uint64(len(want)) {
		t.Fatalf("%+v %v", info, err)
	}
	r, _, err := blobs.Open(t.Context(), "1/j/backup")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	_ = r.Close()
	if _, err := blobs.Put(t.Context(), "1/j/broken", io.MultiReader(bytes.NewReader(want), failing{})); err == nil {
		t.Error("a source that fails was stored")
	}
	if _, _, err := blobs.Open(t.Context(), "1/j/broken"); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("after a failed put: %v", err)
	}
	if err := blobs.Delete(t.Context(), "1/j/backup"); err != nil {
		t.Error(err)
	}
	if _, _, err := blobs.Open(t.Context(), "1/j/backup"); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("after the delete: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the source broke") }
