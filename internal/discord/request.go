package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"splashtail/internal/pause"
	"splashtail/internal/secret"
)

// Request is one call of Discord's REST interface.
type Request struct {
	Method string
	Path   string // below the base address, as /guilds/1/bans/2
	Query  url.Values
	Body   any        // marshalled as JSON; nil: none, or "payload_json" beside Files
	Files  []File     // sent as multipart/form-data
	Form   url.Values // plain parts of a form beside the first of Files, which is then its part "file"; instead of Body
	Reason string     // for the guild's audit log; cut to 512 characters
	Class  Class      // zero: the route's own

	// Repeatable says that a POST does no harm when it is sent twice, because of a nonce
	// that Discord checks or of what it does. GET, PUT, PATCH and DELETE always are.
	Repeatable bool
	// DoneCodes are error codes that, after a try whose answer was lost, mean that this
	// try was heard. For DELETE every 404 means that.
	DoneCodes []int

	fault error // found while it was made; returned instead of sending
}

// Bounds of repeating one request.
const (
	maxTries       = 4
	maxLimited     = 6
	firstBackoff   = 200 * time.Millisecond
	defaultPatient = time.Minute
)

// Do sends a request, through the limiter if the client has one, and again where that
// is safe: after 429 always, since such a request was not executed; after 5xx and broken
// connections when the method is repeatable; after a failed dial always. Without a
// deadline in the context it gives up after a minute (three with files).
//
// It returns *APIError for a refusal by Discord, *LimitedError for one of ours (nothing
// was sent), or an error of the network or the context; after one of those the request
// may have been executed.
func (c *Client) Do(ctx context.Context, token secret.Value, q Request) (Answer, error) {
	body, err := q.encode()
	if err != nil {
		return Answer{}, err
	}
	patience, each := defaultPatient, requestTimeout
	if len(q.Files) > 0 {
		patience, each = 3*defaultPatient, uploadTimeout
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	tries, limited, unsure := 0, 0, false
	for {
		a, err := c.try(ctx, token, q, body, each)
		var refused *APIError
		switch {
		case err == nil:
			return a, nil
		case unsure && q.wasDone(err):
			return a, nil
		case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests:
			if limited++; limited >= maxLimited || !c.waitLimited(ctx, refused) {
				return a, err
			}
		case !q.again(ctx, err):
			return a, err
		default:
			unsure = unsure || !notSent(err)
			if tries++; tries >= maxTries || !pause.For(ctx, backoff(tries)) {
				return a, err
			}
		}
	}
}

func (c *Client) try(ctx context.Context, token secret.Value, q Request, body content, each time.Duration) (Answer, error) {
	if c.limiter == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, each)
		defer cancel()
	} else {
		// The wait for its turn is not part of a try.
		body.patience = each
	}
	return c.once(ctx, token, q, body)
}

// waitLimited waits after a 429 when no limiter does.
func (c *Client) waitLimited(ctx context.Context, e *APIError) bool {
	if c.limiter != nil {
		return ctx.Err() == nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Now().Add(e.RetryAfter).After(deadline) {
		return false
	}
	return pause.For(ctx, e.RetryAfter+slack)
}

// again says whether a failed request may be sent once more.
func (q Request) again(ctx context.Context, err error) bool {
	var ours *LimitedError
	if errors.As(err, &ours) || ctx.Err() != nil {
		return false
	}
	var refused *APIError
	if errors.As(err, &refused) && refused.Status < 500 {
		return false
	}
	return notSent(err) || q.Repeatable || q.Method != http.MethodPost
}

// notSent says that not a byte of a request has left.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// wasDone says whether a refusal means that an earlier try was heard.
func (q Request) wasDone(err error) bool {
	var refused *APIError
	if !errors.As(err, &refused) {
		return false
	}
	return q.Method == http.MethodDelete && refused.Status == http.StatusNotFound || slices.Contains(q.DoneCodes, refused.Code)
}

// backoff is the pause before the nth repetition, from 1, spread so that many do not
// come back at once.
func backoff(n int) time.Duration {
	d := firstBackoff << (n - 1)
	return d/2 + rand.N(d)
}

// ask is the request as the limiter sees it.
func (q Request) ask(token secret.Value, body content, now time.Time) Ask {
	a := Ask{Token: token, Route: RouteOf(q.Method, q.Path, now), Class: q.Class}
	if q.Class == ClassInteraction && a.Route.Webhook != "" {
		// Its sender knows that the token in the path is an interaction's.
		a.Route.Interaction, a.Route.Webhook = true, ""
	}
	if body.kind == typeJSON {
		a.Part = PartOf(a.Route, body.head)
	}
	return a
}

// PartOf names what the body of a request changes, for routes that limit some changes
// more than others: a channel's name and topic may change twice in ten minutes, while
// its other settings may change any time.
func PartOf(r Route, body []byte) string {
	if r.Method != http.MethodPatch || r.Template != "/channels/{id}" {
		return ""
	}
	var keys struct{ Name, Topic json.RawMessage }
	if err := json.Unmarshal(body, &keys); err != nil || keys.Name == nil && keys.Topic == nil {
		return ""
	}
	return "name"
}

// shown is the path without the secrets that some paths have, for errors and logs.
func (q Request) shown() string { return RouteOf(q.Method, q.Path, time.Time{}).Template }

// at begins a request to a path with a pair of braces for each id.
func at(method, path string, ids ...string) Request {
	q := Request{Method: method}
	var b strings.Builder
	for _, id := range ids {
		before, after, _ := strings.Cut(path, "{}")
		if !pathPart(id) && q.fault == nil {
			q.fault = fmt.Errorf("%q is not an id of Discord; %s was not sent", id, method)
		}
		b.WriteString(before)
		b.WriteString(id)
		path = after
	}
	b.WriteString(path)
	q.Path = b.String()
	return q
}

// pathPart says whether a text can be one part of a path: an id, a token or a word such
// as @original. Slashes, dots alone and escapes could lead to another route.
func pathPart(s string) bool {
	ok := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_.@=", r)
	}
	return s != "" && len(s) <= 512 && strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, func(r rune) bool { return !ok(r) })
}

func (q Request) with(body any) Request { q.Body = body; return q }

func (q Request) because(reason string) Request { q.Reason = reason; return q }

func (q Request) query(key, value string) Request {
	if value == "" {
		return q
	}
	if q.Query == nil {
		q.Query = url.Values{}
	}
	q.Query.Set(key, value)
	return q
}
