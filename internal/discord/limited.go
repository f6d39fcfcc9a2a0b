package discord

import (
	"fmt"
	"time"
)

// Why the limiter let a request not go. Nothing was sent in any of these cases.
const (
	ReasonQueueFull    = "queue_full"       // too many wait for the same limit
	ReasonTooLong      = "too_long"         // its turn would come after its deadline
	ReasonInvalid      = "invalid_requests" // so many were refused lately that Discord would soon ban our address
	ReasonEdge         = "edge_ban"         // Discord's edge has banned our address
	ReasonTokenInvalid = "token_invalid"    // Discord said lately that it does not know the token
	ReasonWebhookGone  = "webhook_gone"     // Discord said lately that there is no such webhook
	ReasonForbidden    = "forbidden"        // the same was forbidden lately, and refusals are counted (see ReasonInvalid)
)

// LimitedError says that the limiter refused a request. Nothing was sent.
type LimitedError struct {
	Reason     string        // one of the Reason constants
	RetryAfter time.Duration // when it is worth another try, at the earliest
	Err        error         // the context's error when it ended while the request waited
}

// Error says what happened and what to do.
func (e *LimitedError) Error() string {
	why := map[string]string{
		ReasonQueueFull:    "too many requests wait for the same rate limit of Discord",
		ReasonTooLong:      "the rate limit of Discord allows it only after its deadline",
		ReasonInvalid:      "Discord refused so many requests in the last ten minutes that more would ban this address; find out which token or permission they lack",
		ReasonEdge:         "Discord's edge has banned this address for a while",
		ReasonTokenInvalid: "Discord does not know this token; replace it",
		ReasonWebhookGone:  "Discord says that this webhook does not exist any more",
		ReasonForbidden:    "Discord forbade the same a moment ago, and many requests were refused lately; give the bot the permission that it lacks",
	}[e.Reason]
	return fmt.Sprintf("%s; nothing was sent, try again in %s at the earliest", why, e.RetryAfter.Round(time.Millisecond))
}

// Unwrap gives the context's error, if it ended the wait.
func (e *LimitedError) Unwrap() error { return e.Err }
