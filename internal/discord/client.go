package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"splashtail/internal/secret"
)

// DefaultAPI is where Discord's REST interface is.
const DefaultAPI = "https://discord.com/api/v10"

const (
	voiceTimeout   = 5 * time.Second
	requestTimeout = 30 * time.Second
	uploadTimeout  = 2 * time.Minute
	maxAnswer      = 16 << 20
	userAgent      = "DiscordBot (splashtail, 1)"
)

// Client sends requests to one REST interface on behalf of many tokens.
type Client struct {
	base    string
	http    *http.Client
	limiter *Limiter // nil: who calls watches the limits
}

// NewClient makes a client for a base URL such as DefaultAPI. It sends at once whatever
// it is asked to: its user keeps to the rate limits with a Window of its own. See
// NewLimitedClient for everybody else.
func NewClient(base string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address of Discord's API %q is not an http or https URL with a host", base)
	}
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		http: &http.Client{
			// A redirect would carry the token somewhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     NewTransport(),
		},
	}, nil
}

// NewLimitedClient makes a client whose requests wait for their turn in a limiter.
func NewLimitedClient(base string, l *Limiter) (*Client, error) {
	if l == nil {
		return nil, errors.New("a client that keeps to Discord's rate limits needs a limiter")
	}
	c, err := NewClient(base)
	if err != nil {
		return nil, err
	}
	c.limiter = l
	return c, nil
}

// NewTransport makes the transport for requests to Discord.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		// A meeting is one burst per token; its connections are kept for the next one.
		MaxIdleConns: 512, MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     2 * time.Minute,
		TLSHandshakeTimeout: 3 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is what came back.
type Answer struct {
	Status int
	Limit  RateLimit
	Body   []byte // at most 16 MiB
}

// VoiceEdit is a change of a member's server mute and server deafen. Both are always
// sent: a key that is left out would leave the other flag to chance.
type VoiceEdit struct {
	Deaf bool `json:"deaf"`
	Mute bool `json:"mute"`
}

// EditVoice mutes or deafens a member in voice: PATCH /guilds/{guild}/members/{user}.
// The reason goes to the guild's audit log. It is sent once and given five seconds.
// Besides *APIError it returns the errors of the network; after one of those the change
// may have been made.
func (c *Client) EditVoice(ctx context.Context, token secret.Value, guild, user uint64, e VoiceEdit, reason string) (Answer, error) {
	return c.onceWithin(ctx, token, Request{
		Method: http.MethodPatch, Path: fmt.Sprintf("/guilds/%d/members/%d", guild, user), Body: e, Reason: reason, Class: ClassUrgent,
	})
}

// User is the part of Discord's user object that we read.
type User struct {
	ID       uint64 `json:"id,string"`
	Username string `json:"username"`
	Bot      bool   `json:"bot"`
}

// CurrentUser tells whose token it is: GET /users/@me. It is sent once and given five
// seconds.
func (c *Client) CurrentUser(ctx context.Context, token secret.Value) (User, error) {
	var u User
	q := Request{Method: http.MethodGet, Path: "/users/@me"}
	a, err := c.onceWithin(ctx, token, q)
	if err == nil {
		err = q.decode(a, &u)
	}
	return u, err
}

func (c *Client) onceWithin(ctx context.Context, token secret.Value, q Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, voiceTimeout)
	defer cancel()
	body, err := q.encode()
	if err != nil {
		return Answer{}, err
	}
	return c.once(ctx, token, q, body)
}

// once sends a request once, when its turn has come.
func (c *Client) once(ctx context.Context, token secret.Value, q Request, body content) (Answer, error) {
	var permit *Permit
	if c.limiter != nil {
		var err error
		if permit, err = c.limiter.Acquire(ctx, q.ask(token, body, time.Now())); err != nil {
			return Answer{}, err
		}
		defer permit.Lost() // does nothing after Done
	}
	if body.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, body.patience)
		defer cancel()
	}
	req, err := c.request(ctx, token, q, body)
	if err != nil {
		return Answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Limit: ParseRateLimit(resp.Header)}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	var refused *APIError
	if a.Status/100 != 2 && err == nil {
		refused = parseAPIError(resp, a.Body)
	}
	if permit != nil {
		permit.Done(a.Status, a.Limit, refused)
	}
	switch {
	case err != nil:
		return a, err
	case refused != nil:
		return a, refused
	case len(a.Body) > maxAnswer:
		return a, fmt.Errorf("the answer of Discord to %s %s is larger than %d MiB and was not read to its end", q.Method, q.shown(), maxAnswer>>20)
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, token secret.Value, q Request, body content) (*http.Request, error) {
	u := c.base + q.Path
	if len(q.Query) > 0 {
		u += "?" + q.Query.Encode()
	}
	r, err := body.open()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, q.Method, u, r)
	if err != nil {
		return nil, err
	}
	if r != nil {
		req.ContentLength, req.GetBody = body.size, body.open
	}
	if body.kind != "" {
		req.Header.Set("Content-Type", body.kind)
	}
	if !token.IsZero() {
		req.Header.Set("Authorization", authorization(token))
	}
	req.Header.Set("User-Agent", userAgent)
	if reason := encodeReason(q.Reason); reason != "" {
		req.Header.Set("X-Audit-Log-Reason", reason)
	}
	return req, nil
}

// authorization gives a bare token the scheme of bots.
func authorization(token secret.Value) string {
	text := token.Reveal()
	if strings.HasPrefix(text, "Bot ") || strings.HasPrefix(text, "Bearer ") {
		return text
	}
	return "Bot " + text
}

// maxReason is in characters, as Discord counts them.
const maxReason = 512

// encodeReason makes the header of a reason: percent-encoded, cut to what Discord takes.
func encodeReason(reason string) string {
	reason = strings.TrimSpace(strings.ToValidUTF8(reason, "\uFFFD"))
	if r := []rune(reason); len(r) > maxReason {
		reason = string(r[:maxReason])
	}
	return url.PathEscape(reason)
}

// decode reads a JSON answer.
func (q Request) decode(a Answer, into any) error {
	if err := json.Unmarshal(a.Body, into); err != nil {
		return fmt.Errorf("the answer of Discord to %s %s cannot be read: %w", q.Method, q.shown(), err)
	}
	return nil
}
