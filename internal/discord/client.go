package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"splashtail/internal/secret"
)

// DefaultAPI is where Discord's REST interface is.
const DefaultAPI = "https://discord.com/api/v10"

const (
	requestTimeout = 5 * time.Second
	maxAnswer      = 1 << 20
	userAgent      = "DiscordBot (splashtail, 1)"
)

// Client sends requests to one REST interface on behalf of many tokens.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client for a base URL such as DefaultAPI.
func NewClient(base string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address of Discord's API %q is not an http or https URL with a host", base)
	}
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		http: &http.Client{
			Timeout: requestTimeout,
			// A redirect would carry the token somewhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:       http.ProxyFromEnvironment,
				DialContext: (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
				// A meeting is one burst per token; its connections are kept for the next one.
				MaxIdleConns: 512, MaxIdleConnsPerHost: 256,
				IdleConnTimeout:     2 * time.Minute,
				TLSHandshakeTimeout: 3 * time.Second,
				ForceAttemptHTTP2:   true,
			},
		},
	}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is what every answer tells besides its body.
type Answer struct {
	Status int
	Limit  RateLimit
}

// VoiceEdit is a change of a member's server mute and server deafen. Both are always
// sent: a key that is left out would leave the other flag to chance.
type VoiceEdit struct {
	Deaf bool `json:"deaf"`
	Mute bool `json:"mute"`
}

// EditVoice mutes or deafens a member in voice: PATCH /guilds/{guild}/members/{user}.
// The reason goes to the guild's audit log. Besides *APIError it returns the errors of
// the network; after one of those the change may have been made.
func (c *Client) EditVoice(ctx context.Context, token secret.Value, guild, user uint64, e VoiceEdit, reason string) (Answer, error) {
	return c.do(ctx, token, http.MethodPatch, fmt.Sprintf("/guilds/%d/members/%d", guild, user), e, reason, nil)
}

// User is the part of Discord's user object that we read.
type User struct {
	ID       uint64 `json:"id,string"`
	Username string `json:"username"`
	Bot      bool   `json:"bot"`
}

// CurrentUser tells whose token it is: GET /users/@me.
func (c *Client) CurrentUser(ctx context.Context, token secret.Value) (User, error) {
	var u User
	_, err := c.do(ctx, token, http.MethodGet, "/users/@me", nil, "", &u)
	return u, err
}

func (c *Client) do(ctx context.Context, token secret.Value, method, path string, body any, reason string, into any) (Answer, error) {
	req, err := c.request(ctx, token, method, path, body, reason)
	if err != nil {
		return Answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Limit: ParseRateLimit(resp.Header)}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, err
	}
	if resp.StatusCode/100 != 2 {
		return a, parseAPIError(resp, data)
	}
	if into == nil {
		return a, nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return a, fmt.Errorf("the answer of Discord to %s %s cannot be read: %w", method, path, err)
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, token secret.Value, method, path string, body any, reason string) (*http.Request, error) {
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bot "+token.Reveal())
	req.Header.Set("User-Agent", userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if reason != "" {
		// Discord takes 1 to 512 characters, percent-encoded; each may be three there.
		req.Header.Set("X-Audit-Log-Reason", url.PathEscape(reason[:min(len(reason), 160)]))
	}
	return req, nil
}

// APIError is a refusal by Discord.
type APIError struct {
	Status     int
	Code       int    // Discord's JSON error code; 0 when there was none
	Message    string // Discord's words
	RetryAfter time.Duration
	Global     bool
	Scope      string // of a 429: user, global or shared; empty when Cloudflare refused
}

// Error gives the status, the code and Discord's words.
func (e *APIError) Error() string {
	return fmt.Sprintf("Discord answered %d (code %d): %s", e.Status, e.Code, e.Message)
}

// Discord's JSON error codes that a voice change can meet, from its documentation of
// error codes.
const (
	CodeUnknownGuild       = 10004
	CodeUnknownMember      = 10007
	CodeUnknownUser        = 10013
	CodeNotInVoice         = 40032
	CodeMissingAccess      = 50001
	CodeMissingPermissions = 50013
	CodeTwoFactorRequired  = 60003
)

func parseAPIError(resp *http.Response, data []byte) *APIError {
	e := &APIError{Status: resp.StatusCode, Scope: resp.Header.Get("X-RateLimit-Scope")}
	var body struct {
		Code       int      `json:"code"`
		Message    string   `json:"message"`
		RetryAfter *float64 `json:"retry_after"`
		Global     bool     `json:"global"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		// Cloudflare answers in HTML or plain text.
		e.Message = http.StatusText(resp.StatusCode) + " (no answer in Discord's own form)"
	} else {
		e.Code, e.Message, e.Global = body.Code, body.Message, body.Global
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		e.Global = e.Global || resp.Header.Get("X-RateLimit-Global") == "true" || e.Scope == "global"
		e.RetryAfter = retryAfter(body.RetryAfter, resp.Header.Get("Retry-After"))
	}
	return e
}

// retryAfter prefers the body, which has decimals; without either a refused request
// waits a second, so that nothing spins.
func retryAfter(body *float64, header string) time.Duration {
	s := 1.0
	if body != nil {
		s = *body
	} else if h, err := strconv.ParseFloat(header, 64); err == nil {
		s = h
	}
	return seconds(s)
}
