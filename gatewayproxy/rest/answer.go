package rest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"splashtail/internal/discord"
)

// refusal is Discord's form of an error.
type refusal struct {
	Message string `json:"message"`
	Code    int    `json:"code"`
}

// tooMany is Discord's form of a 429.
type tooMany struct {
	Message    string  `json:"message"`
	RetryAfter float64 `json:"retry_after"`
	Global     bool    `json:"global"`
}

// refuse answers with an error of ours.
func refuse(w http.ResponseWriter, status int, reason, message string, code int) {
	w.Header().Set(HeaderLimited, reason)
	answer(w, status, refusal{message, code})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left reads nothing
}

// refuseLimited answers for the limiter, in the words that Discord would use: libraries
// know what to do with those.
func (p *Proxy) refuseLimited(w http.ResponseWriter, ask discord.Ask, err error) {
	var e *discord.LimitedError
	if !errors.As(err, &e) {
		refuse(w, http.StatusBadGateway, reasonUnreachable, "The request was not sent.", 0)
		return
	}
	switch e.Reason {
	case discord.ReasonTokenInvalid:
		refuse(w, http.StatusUnauthorized, e.Reason, "401: Unauthorized", 0)
	case discord.ReasonWebhookGone:
		refuse(w, http.StatusNotFound, e.Reason, "Unknown Webhook", discord.CodeUnknownWebhook)
	case discord.ReasonForbidden:
		refuse(w, http.StatusForbidden, e.Reason, "Missing Permissions", discord.CodeMissingPermissions)
	default:
		wait := max(e.RetryAfter, 50*time.Millisecond)
		h := w.Header()
		h.Set(HeaderLimited, e.Reason)
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10))
		h.Set("X-RateLimit-Scope", discord.ScopeUser)
		answer(w, http.StatusTooManyRequests, tooMany{"You are being rate limited.", math.Ceil(wait.Seconds()*1000) / 1000, false})
		if e.Reason != discord.ReasonTooLong {
			p.log.Warn("a REST request was not passed on", "route", ask.Route.Method+" "+ask.Route.Template, "reason", e.Reason)
		}
	}
}

// plain undoes the compression of an answer that we have to read; clients that ask for
// gzip themselves get it as it came.
func plain(h http.Header, data []byte) []byte {
	if h.Get("Content-Encoding") != "gzip" {
		return data
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return data
	}
	out, err := io.ReadAll(io.LimitReader(r, maxRefusal))
	if err != nil {
		return data
	}
	return out
}
