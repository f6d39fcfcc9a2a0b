package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Code says what kind of failure an Error is; every place that turns an error
// into an answer (HTTP status, reply header, verdict on a message) switches on it.
type Code string

// The codes. A new one must be added to Codes and to every map that switches on it.
const (
	CodeInvalid     Code = "invalid"     // the input can never be accepted as it is
	CodeNotFound    Code = "not_found"   // what was named does not exist
	CodeConflict    Code = "conflict"    // somebody else holds or changed it first
	CodeDenied      Code = "denied"      // the asker may not do this
	CodeLimited     Code = "limited"     // too much for now; RetryAfter says when
	CodeUnavailable Code = "unavailable" // a part that is needed does not answer now
	CodeInternal    Code = "internal"    // our own fault; details stay in the log
)

// Codes lists every Code, for tests that check that a map is complete.
var Codes = [...]Code{CodeInvalid, CodeNotFound, CodeConflict, CodeDenied, CodeLimited, CodeUnavailable, CodeInternal}

// Error is the error that crosses component borders.
type Error struct {
	Code       Code
	Reason     string            // closed snake_case word, for metrics and tests
	Message    string            // a sentence for a person: what happened, what was not changed, what to do
	RetryAfter time.Duration     // for CodeLimited and CodeUnavailable; zero when unknown
	Err        error             // the cause; never leaves the process
	Details    map[string]string // facts for programs, such as the id of the job that is in the way; may be nil
}

// Error gives the message, the reason and the cause, for logs.
func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = e.Reason
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", text, e.Err)
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a formatted message; a %w verb sets its cause.
func Errorf(code Code, reason, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Reason: reason, Message: err.Error(), Err: errors.Unwrap(err)}
}

// AsError turns any error into an *Error: one that is in its chain, one made from
// what NATS said, or CodeInternal. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return classify(err)
}

// classify judges errors of the NATS client libraries, once for the whole program.
func classify(err error) *Error {
	wrap := func(code Code, reason string) *Error { return &Error{Code: code, Reason: reason, Err: err} }
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return wrap(CodeUnavailable, ReasonNoResponder)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return wrap(CodeUnavailable, "timeout")
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionReconnecting):
		return wrap(CodeUnavailable, "disconnected")
	case errors.Is(err, nats.ErrMaxPayload):
		return wrap(CodeInvalid, "too_large")
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrKeyDeleted),
		errors.Is(err, jetstream.ErrObjectNotFound), errors.Is(err, jetstream.ErrMsgNotFound):
		return wrap(CodeNotFound, "not_found")
	case errors.Is(err, jetstream.ErrKeyExists):
		return wrap(CodeConflict, "changed")
	}
	return classifyAPI(err)
}

// JetStream's numbers for refusals that are somebody's turn to react to, from the
// server's error table.
const (
	apiWrongLastSequence   = 10071 // compare-and-set lost
	apiWrongLastSequence2  = 10164 // the same, in newer servers
	apiSubjectIsFull       = 10077 // a limit per subject or per stream refused the message
	apiMessageTooLarge     = 10054
	apiInsufficientStorage = 10047
	apiOutOfResources      = 10023
)

func classifyAPI(err error) *Error {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return &Error{Code: CodeInternal, Reason: "internal", Err: err}
	}
	switch int(api.ErrorCode) {
	case apiWrongLastSequence, apiWrongLastSequence2:
		return &Error{Code: CodeConflict, Reason: "changed", Err: err}
	case apiSubjectIsFull:
		return &Error{Code: CodeConflict, Reason: "full", Err: err}
	case apiMessageTooLarge:
		return &Error{Code: CodeInvalid, Reason: "too_large", Err: err}
	case apiInsufficientStorage, apiOutOfResources:
		return &Error{Code: CodeUnavailable, Reason: "storage_full", Err: err}
	}
	return &Error{Code: CodeInternal, Reason: "internal", Err: err}
}

// ReasonNoResponder is the reason of an Error when nobody serves the called
// subject, known at once and without a timeout.
const ReasonNoResponder = "no_responder"

// IsCode says whether err carries the code.
func IsCode(err error, code Code) bool {
	return err != nil && AsError(err).Code == code
}
