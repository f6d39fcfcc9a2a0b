package bus

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Headers of an answer that is an error: the first two are those of NATS micro
// services, so that the nats CLI shows them; the rest is ours.
const (
	headerReason     = "Splashtail-Reason"
	headerRetryAfter = "Splashtail-Retry-After-Ms"
	headerDetails    = "Splashtail-Details" // a JSON object of texts
)

// maxServing bounds how many calls one server of a subject works on at a time; the
// next one is answered with CodeLimited.
const maxServing = 256

func errBusy() *Error {
	return &Error{Code: CodeLimited, Reason: "busy", Message: "too many requests at once; nothing was done; try again"}
}

// Do asks q of whoever serves c and returns the answer. Errors: the *Error of the
// answerer; CodeUnavailable with ReasonNoResponder, at once, when nobody serves c;
// CodeUnavailable with reason timeout when ctx (5 s if it has no deadline) ended
// first: the other side may have acted.
func Do[Q, R any](ctx context.Context, b *Bus, c Call[Q, R], q Q) (R, error) {
	var r R
	data, err := json.Marshal(q)
	if err != nil {
		return r, Errorf(CodeInvalid, "bad_payload", "a request to %s cannot be encoded: %w", c.name, err)
	}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	m, err := b.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: c.name, Data: data})
	if err != nil {
		return r, AsError(err)
	}
	if e := errorFromHeader(m.Header); e != nil {
		return r, e
	}
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return r, Errorf(CodeInternal, "bad_payload", "the answer of %s cannot be read: %w", c.name, err)
	}
	return r, nil
}

// Serve answers c with h until stop is called; stop waits for nothing. Each call
// runs in a goroutine of its own with a context that ends with ctx. A request that
// cannot be read is answered with CodeInvalid, a panic with CodeInternal.
func Serve[Q, R any](ctx context.Context, b *Bus, c Call[Q, R], h func(context.Context, Q) (R, error)) (stop func(), err error) {
	slots := make(chan struct{}, maxServing)
	sub, err := b.nc.Subscribe(c.name, func(m *nats.Msg) {
		select {
		case slots <- struct{}{}:
		default:
			b.respond(m, nil, errBusy())
			return
		}
		go func() {
			defer func() { <-slots }()
			answer, err := guard(ctx, b, m, h)
			b.respond(m, answer, err)
		}()
	})
	if err != nil {
		return nil, AsError(err)
	}
	// The server must know of it before anybody is told that we serve.
	if err := b.nc.FlushTimeout(callTimeout); err != nil {
		_ = sub.Unsubscribe()
		return nil, AsError(err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// guard decodes a request, runs its handler and encodes the answer.
func guard[Q, R any](ctx context.Context, b *Bus, m *nats.Msg, h func(context.Context, Q) (R, error)) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Errorf(CodeInternal, "panic", "the handler panicked: %v", p)
			b.log.Error("a handler panicked", "subject", m.Subject, "err", err)
		}
	}()
	var q Q
	if len(m.Data) > 0 {
		if err := json.Unmarshal(m.Data, &q); err != nil {
			return nil, Errorf(CodeInvalid, "bad_payload", "the request cannot be read, nothing was done: %w", err)
		}
	}
	r, err := h(ctx, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

func (b *Bus) respond(m *nats.Msg, answer []byte, err error) {
	if m.Reply == "" {
		return
	}
	out := &nats.Msg{Data: answer}
	if err != nil {
		out.Header = errorHeader(AsError(err))
	}
	if err := m.RespondMsg(out); err != nil {
		b.log.Debug("an answer could not be sent", "subject", m.Subject, "err", err)
	}
}

func errorHeader(e *Error) nats.Header {
	text := e.Message
	if e.Code == CodeInternal || text == "" {
		text = "the request failed inside; the log of the answering process has the cause"
	}
	h := nats.Header{micro.ErrorCodeHeader: {string(e.Code)}, micro.ErrorHeader: {text}, headerReason: {e.Reason}}
	if e.RetryAfter > 0 {
		h.Set(headerRetryAfter, strconv.FormatInt(e.RetryAfter.Milliseconds(), 10))
	}
	if len(e.Details) > 0 {
		if text, err := json.Marshal(e.Details); err == nil {
			h.Set(headerDetails, string(text))
		}
	}
	return h
}

func errorFromHeader(h nats.Header) *Error {
	code := h.Get(micro.ErrorCodeHeader)
	if code == "" {
		return nil
	}
	ms, _ := strconv.ParseInt(h.Get(headerRetryAfter), 10, 64)
	e := &Error{Code: Code(code), Reason: h.Get(headerReason), Message: h.Get(micro.ErrorHeader), RetryAfter: time.Duration(ms) * time.Millisecond}
	_ = json.Unmarshal([]byte(h.Get(headerDetails)), &e.Details) // none is as good as one that cannot be read
	return e
}
