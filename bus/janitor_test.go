package bus_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestRemoveFinishedFreesTheirSubjects has a work queue whose even jobs are done:
// only their messages go, and their subjects take a new one.
func TestRemoveFinishedFreesTheirSubjects(t *testing.T) {
	cfg := bustest.Config(t)
	cfg.Plan = &bus.Plan{Streams: []bus.Stream{{
		Name: "CAPTURE", Takes: []string{"capture.*.*"}, Keep: bus.KeepWork, MaxBytes: 1 << 20,
	}}}
	b := bustest.Open(t, cfg)
	codes := []string{"AAAAAAA0", "AAAAAAA1", "AAAAAAA2", "AAAAAAA3"}
	for i, c := range codes {
		publishN(t, b, c, i, 1)
	}
	e := event(t, codes[0], 9)
	if _, err := bus.Publish(t.Context(), b, bus.CaptureSubject(e.Code, e.Kind), e); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("a second message on a busy subject: %v", err)
	}
	removed, err := bus.RemoveFinished(t.Context(), b, bus.AllCapture(), func(_ context.Context, d bus.Delivery[bus.CaptureEvent]) (bool, error) {
		n, err := strconv.Atoi(d.Value.Payload)
		return n%2 == 0, err
	})
	if err != nil || removed != 2 {
		t.Fatalf("removed %d, %v", removed, err)
	}
	for i, c := range codes {
		e := event(t, c, i)
		_, err := bus.Publish(t.Context(), b, bus.CaptureSubject(e.Code, e.Kind), e)
		if free := err == nil; free != (i%2 == 0) {
			t.Errorf("subject of job %d: %v", i, err)
		}
	}
}

func TestRemoveFinishedRefusesALog(t *testing.T) {
	b := bustest.New(t)
	_, err := bus.RemoveFinished(t.Context(), b, bus.AllCapture(), func(context.Context, bus.Delivery[bus.CaptureEvent]) (bool, error) { return true, nil })
	if !bus.IsCode(err, bus.CodeInvalid) {
		t.Errorf("got %v", err)
	}
}
