package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// APIError is a refusal by Discord.
type APIError struct {
	Status     int
	Code       int    // Discord's JSON error code; 0 when there was none
	Message    string // Discord's words
	RetryAfter time.Duration
	Global     bool
	Scope      string // of a 429: user, global or shared; empty when Cloudflare refused
	Edge       bool   // Cloudflare refused, in front of Discord: our address is banned
	// Fields is Discord's nested list of what is wrong with which field, as it came; nil
	// for most refusals.
	Fields json.RawMessage

	foreign bool // it was not in Discord's form
}

// Scopes of a 429.
const (
	ScopeUser   = "user"
	ScopeGlobal = "global"
	ScopeShared = "shared"
)

// scope is one closed word for metrics.
func (e *APIError) scope() string {
	switch {
	case e.Edge:
		return "edge"
	case e.Global:
		return ScopeGlobal
	case e.Scope == ScopeShared:
		return ScopeShared
	}
	return ScopeUser
}

// Error gives the status, the code and Discord's words; of a form with faults also
// where they are.
func (e *APIError) Error() string {
	if len(e.Fields) > 0 {
		return fmt.Sprintf("Discord answered %d (code %d): %s %.300s", e.Status, e.Code, e.Message, e.Fields)
	}
	return fmt.Sprintf("Discord answered %d (code %d): %s", e.Status, e.Code, e.Message)
}

// Discord's JSON error codes that our callers tell apart, from its documentation of
// error codes.
const (
	CodeUnknownChannel     = 10003
	CodeUnknownGuild       = 10004
	CodeUnknownMember      = 10007
	CodeUnknownMessage     = 10008
	CodeUnknownOverwrite   = 10009
	CodeUnknownRole        = 10011
	CodeUnknownUser        = 10013
	CodeUnknownWebhook     = 10015
	CodeUnknownBan         = 10026
	CodeUnknownInteraction = 10062
	CodeMaxRoles           = 30005
	CodeMaxChannels        = 30013
	CodeMaxBans            = 30035 // of users who are not members
	CodeNotInVoice         = 40032
	CodeMissingAccess      = 50001
	CodeCannotDM           = 50007
	CodeMissingPermissions = 50013
	CodeInvalidForm        = 50035
	CodeTwoFactorRequired  = 60003
	CodeNobodyBanned       = 500000
)

// HasCode says whether an error is a refusal by Discord with one of these codes.
func HasCode(err error, codes ...int) bool {
	var e *APIError
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// Refusal gives Discord's no to a request that it understood, which the same request would get again. A limit, a fault of
// Discord's own and a token that it does not know, which somebody can replace, are none; ok is false for those and for nil.
func Refusal(err error) (e *APIError, ok bool) {
	if !errors.As(err, &e) || e.Status/100 != 4 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusUnauthorized {
		return nil, false
	}
	return e, true
}

func parseAPIError(resp *http.Response, data []byte) *APIError {
	return ParseError(resp.StatusCode, resp.Header, data)
}

// ParseError reads an answer that is no success: Discord's JSON, or what stood in front
// of it answered with.
func ParseError(status int, header http.Header, data []byte) *APIError {
	e := &APIError{Status: status, Scope: header.Get("X-RateLimit-Scope")}
	var body struct {
		Code       int             `json:"code"`
		Message    string          `json:"message"`
		RetryAfter json.RawMessage `json:"retry_after"`
		Global     bool            `json:"global"`

		Errors json.RawMessage `json:"errors"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		// Cloudflare answers in HTML or plain text.
		e.Message = http.StatusText(status) + " (no answer in Discord's own form)"
		e.foreign = true
		e.Edge = status == http.StatusTooManyRequests && e.Scope == ""
	} else {
		e.Code, e.Message, e.Global, e.Fields = body.Code, body.Message, body.Global, body.Errors
	}
	if status == http.StatusTooManyRequests {
		e.Global = e.Global || header.Get("X-RateLimit-Global") == "true" || e.Scope == "global"
		e.RetryAfter = retryAfter(body.RetryAfter, header.Get("Retry-After"))
	}
	return e
}

// retryAfter prefers the body, which has decimals; without a number in either a refused
// request waits a second, so that nothing spins.
func retryAfter(body json.RawMessage, header string) time.Duration {
	for _, text := range []string{string(body), header} {
		if s, err := strconv.ParseFloat(text, 64); err == nil {
			return seconds(s)
		}
	}
	return time.Second
}
