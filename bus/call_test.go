package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"

	"golang.org/x/sync/errgroup"
)

func TestCall(t *testing.T) {
	b := bustest.New(t)
	code := mustCode(t, "7F3A09C2")
	call := bus.ModifyCall(code)
	task := bus.ModifyTask{Guild: 1, User: 2, TaskID: "x"}

	_, err := bus.Do(t.Context(), b, call, task)
	if e := bus.AsError(err); e == nil || e.Code != bus.CodeUnavailable || e.Reason != bus.ReasonNoResponder {
		t.Errorf("with nobody there: %v", err)
	}

	answers := map[bus.UserID]error{
		2: nil,
		3: &bus.Error{Code: bus.CodeLimited, Reason: "busy", Message: "later, please", RetryAfter: 1500 * time.Millisecond},
		4: errors.New("a cause with a secret in it"),
	}
	stop, err := bus.Serve(t.Context(), b, call, func(_ context.Context, q bus.ModifyTask) (bus.ModifyResult, error) {
		if q.User == 5 {
			panic("boom")
		}
		return bus.ModifyResult{V: 1, Done: true}, answers[q.User]
	})
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[bus.UserID]*bus.Error{
		2: nil,
		3: {Code: bus.CodeLimited, Reason: "busy", Message: "later, please", RetryAfter: 1500 * time.Millisecond},
		4: {Code: bus.CodeInternal, Reason: "internal", Message: "the request failed inside; the log of the answering process has the cause"},
		5: {Code: bus.CodeInternal, Reason: "panic", Message: "the request failed inside; the log of the answering process has the cause"},
	} {
		task.User = user
		r, err := bus.Do(t.Context(), b, call, task)
		if want == nil {
			if err != nil || !r.Done {
				t.Errorf("user %d: %+v %v", user, r, err)
			}
			continue
		}
		if e := bus.AsError(err); e == nil || e.Code != want.Code || e.Reason != want.Reason || e.Message != want.Message || e.RetryAfter != want.RetryAfter {
			t.Errorf("user %d: %+v, want %+v", user, e, want)
		}
	}

	stop()
	if _, err := bus.Do(t.Context(), b, call, task); bus.AsError(err).Reason != bus.ReasonNoResponder {
		t.Errorf("after the server stopped: %v", err)
	}
}

func TestServiceAnswersStatusAndRecordsVerbs(t *testing.T) {
	b := bustest.New(t)
	svc, err := bus.NewService(b, bus.ServiceInfo{Component: "broker", Instance: "i1", Version: "dev",
		Status: func(context.Context) (bool, any) { return true, map[string]int{"clients": 3} }})
	if err != nil {
		t.Fatal(err)
	}
	err = svc.Verb("drain", "Take no new clients", func(_ context.Context, q bus.VerbRequest) (any, error) {
		if q.Actor == "" {
			return nil, bus.Errorf(bus.CodeDenied, "no_actor", "say who you are")
		}
		return map[string]bool{"draining": true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	st, err := bus.Do(t.Context(), b, bus.StatusCall("broker"), struct{}{})
	if err != nil || !st.Ready || st.Instance != "i1" || st.Component != "broker" {
		t.Errorf("status %+v, %v", st, err)
	}

	drain := bus.VerbCall("broker", "drain")
	if _, err := bus.Do(t.Context(), b, drain, bus.VerbRequest{}); !bus.IsCode(err, bus.CodeDenied) {
		t.Errorf("an unnamed actor: %v", err)
	}
	answer, err := bus.Do(t.Context(), b, drain, bus.VerbRequest{Actor: "ann", Reason: "deploy"})
	if err != nil || string(answer) != `{"draining":true}` {
		t.Errorf("answer %s, %v", answer, err)
	}
	var log []bus.Command
	enough := errors.New("enough")
	err = bus.Follow(t.Context(), b, bus.Follower{}, bus.AllCommands(), 1, func(_ context.Context, ds []bus.Delivery[bus.Command]) error {
		for _, d := range ds {
			log = append(log, d.Value)
		}
		if len(log) == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || log[0].Outcome == "done" || log[1].Actor != "ann" || log[1].Outcome != "done" {
		t.Errorf("the action log is %+v, %v", log, err)
	}
	if err := svc.Stop(); err != nil {
		t.Error(err)
	}
}

// TestAVerbIsNotFlooded: as many are worked on at once as of any other call, and the next one is told so at once.
func TestAVerbIsNotFlooded(t *testing.T) {
	b := bustest.New(t)
	svc, err := bus.NewService(b, bus.ServiceInfo{Component: "broker", Instance: "i1"})
	if err != nil {
		t.Fatal(err)
	}
	const most = 256
	begun, goOn := make(chan struct{}, most), make(chan struct{})
	err = svc.Verb("wait", "Waits", func(context.Context, bus.VerbRequest) (any, error) {
		begun <- struct{}{}
		<-goOn
		return struct{}{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wait := bus.VerbCall("broker", "wait")
	var asking errgroup.Group
	for range most {
		asking.Go(func() error {
			_, err := bus.Do(ctx, b, wait, bus.VerbRequest{})
			return err
		})
	}
	for range most {
		select {
		case <-begun:
		case <-ctx.Done():
			t.Fatal("not all of them were begun")
		}
	}
	if _, err := bus.Do(ctx, b, wait, bus.VerbRequest{}); !bus.IsCode(err, bus.CodeLimited) {
		t.Errorf("one more: %v", err)
	}
	close(goOn)
	if err := asking.Wait(); err != nil {
		t.Errorf("those that were taken: %v", err)
	}
}

func TestEveryCodeCrossesTheWire(t *testing.T) {
	b := bustest.New(t)
	call := bus.ModifyCall(mustCode(t, "7F3A09C2"))
	next := make(chan bus.Code, 1)
	_, err := bus.Serve(t.Context(), b, call, func(context.Context, bus.ModifyTask) (bus.ModifyResult, error) {
		return bus.ModifyResult{}, &bus.Error{Code: <-next, Reason: "r", Message: "m"}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range bus.Codes {
		next <- c
		if _, err := bus.Do(t.Context(), b, call, bus.ModifyTask{}); !bus.IsCode(err, c) {
			t.Errorf("%s arrived as %v", c, err)
		}
	}
}

func TestStatusToleratesDetailsOfAnyShape(t *testing.T) {
	var st bus.Status
	if err := json.Unmarshal([]byte(`{"v":2,"component":"x","details":[1,"a"],"new":{}}`), &st); err != nil || st.V != 2 {
		t.Errorf("%+v %v", st, err)
	}
}
