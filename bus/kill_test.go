package bus_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// childStore makes this test binary the process that TestKillLosesNothing kills.
const childStore = "SPLASHTAIL_TEST_CHILD_STORE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childStore); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// acked is a line that the child prints for each thing that was acknowledged.
type acked struct {
	Code   string
	N      int
	Seq    uint64
	Record uint64 // revision, when it was a record
}

// writeUntilKilled appends events from several goroutines and writes records, and
// prints what was acknowledged, until it is killed.
func writeUntilKilled(dir string) {
	die := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	b, err := bus.Open(ctx, bus.Config{StoreDir: dir, Addr: "127.0.0.1:0", MaxStore: 8 << 30}, discard())
	die(err)
	a := bus.NewAppender(b, 256, bus.CaptureSharing())
	go func() { die(a.Run(ctx)) }()
	records, err := bus.OpenRecords(ctx, b, bus.VoiceRecords())
	die(err)
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	tell := func(v acked) {
		mu.Lock()
		defer mu.Unlock()
		die(out.Encode(v))
	}
	boot := time.Now().UnixNano()
	for w := range 24 {
		go func() {
			code, err := bus.ParseConnectCode(fmt.Sprintf("WRITER%02d", w))
			die(err)
			for n := 0; ; n++ {
				seq, err := a.Append(ctx, bus.CaptureSubject(code, bus.CaptureState), fmt.Sprintf("%d-%d-%d", boot, w, n), bus.CaptureEvent{V: 1, Code: code, Payload: strconv.Itoa(n)})
				die(err)
				tell(acked{Code: code.String(), N: n, Seq: seq})
			}
		}()
	}
	for n := 0; ; n++ {
		rev, err := records.Put(ctx, "1.1", bus.VoiceRecord{Wish: bus.VoiceWish{Tier: n}})
		die(err)
		tell(acked{N: n, Record: rev})
	}
}

// TestKillLosesNothing kills a writing process with -9, several times on one store,
// and looks for everything that it was told is stored.
func TestKillLosesNothing(t *testing.T) {
	dir := bustest.Config(t).StoreDir
	events, record := map[acked]bool{}, acked{}
	for cycle := range 4 {
		for _, a := range killAfter(t, dir, 400) {
			if a.Record == 0 {
				events[a] = true
			} else if a.Record > record.Record {
				record = a
			}
		}
		cfg := bustest.Config(t)
		cfg.StoreDir = dir
		b := bustest.Open(t, cfg)
		if !b.UncleanStart() {
			t.Error("a killed process counts as cleanly stopped")
		}
		checkStored(t, b, events, record)
		// The next cycle begins after a kill again, so this process leaves no clean mark.
		bustest.Close(t, b)
		if err := os.Remove(dir + "/splashtail.clean"); err != nil {
			t.Fatal(err)
		}
		t.Logf("cycle %d: %d events acknowledged so far", cycle, len(events))
	}
}

// killAfter runs a child on the store, kills it after n lines and returns them all.
func killAfter(t *testing.T, dir string, n int) []acked {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childStore+"="+dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []acked
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var a acked
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			break // the last line, cut by the kill
		}
		if all = append(all, a); len(all) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return all
}

func checkStored(t *testing.T, b *bus.Bus, events map[acked]bool, record acked) {
	t.Helper()
	info, err := bus.InfoOf(t.Context(), b, bus.AllCapture())
	if err != nil {
		t.Fatal(err)
	}
	stored := map[acked]int{}
	enough := errors.New("enough")
	err = bus.Follow(t.Context(), b, bus.Follower{}, bus.AllCapture(), 1, func(_ context.Context, ds []bus.Delivery[bus.CaptureEvent]) error {
		for _, d := range ds {
			n, _ := strconv.Atoi(d.Value.Payload)
			stored[acked{Code: d.Value.Code.String(), N: n, Seq: d.Seq}]++
		}
		if ds[len(ds)-1].Seq == info.Last {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	for a := range events {
		if stored[a] != 1 {
			t.Errorf("acknowledged %+v, stored %d times", a, stored[a])
		}
	}
	records, err := bus.OpenRecords(t.Context(), b, bus.VoiceRecords())
	if err != nil {
		t.Fatal(err)
	}
	if e, err := records.Get(t.Context(), "1.1"); err != nil || e.Revision < record.Record || e.Revision == record.Record && e.Value.Wish.Tier != record.N {
		t.Errorf("the record is at %+v (%v), acknowledged was %+v", e, err, record)
	}
}
