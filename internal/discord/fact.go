package discord

import (
	"net/http"
	"time"
)

// fact is something that Discord refused, remembered for a while so that asking again
// does not count against our address. It is forgotten by itself: who repairs a token or
// a permission need not restart anything.
type fact struct {
	until   time.Time
	strikes int // how often it was learnt in a row
}

const (
	factFirst = time.Minute
	factMost  = 15 * time.Minute
	maxFacts  = 10_000
)

// facts maps what is refused to how long that is believed.
type facts map[string]fact

// holds says until when a fact is believed; the zero time when it is not.
func (f facts) holds(key string, now time.Time) time.Time {
	if known, ok := f[key]; ok && now.Before(known.until) {
		return known.until
	}
	return time.Time{}
}

// learn believes a fact for a minute, twice as long each further time.
func (f facts) learn(key string, now time.Time) {
	if len(f) >= maxFacts {
		f.forget(now, maxFacts*3/4)
	}
	strikes := f[key].strikes
	f[key] = fact{until: now.Add(min(factFirst<<min(strikes, 8), factMost)), strikes: strikes + 1}
}

// forget drops what is not believed any more, and any others while there are more than
// keep. A fact stays a while after its time, so that its next turn lasts longer.
func (f facts) forget(now time.Time, keep int) {
	for key, known := range f {
		if now.After(known.until.Add(factMost)) {
			delete(f, key)
		}
	}
	for key := range f {
		if len(f) <= keep {
			return
		}
		delete(f, key)
	}
}

// codeInvalidWebhookToken is what a deleted webhook's token gets, besides CodeUnknownWebhook.
const codeInvalidWebhookToken = 50027

func (a Ask) tokenFact() string { return "token " + a.tokenKey() }

func (a Ask) hookFact() string { return "hook " + a.Route.Webhook }

func (a Ask) denyFact() string {
	return "deny " + a.tokenKey() + " " + a.Route.Method + " " + a.Route.Template + " " + a.Route.Major
}

// hears learns from one answer.
func (f facts) hears(a Ask, status int, refused *APIError, now time.Time) {
	switch {
	case status/100 == 2:
		if len(f) > 0 { // the usual case costs nothing
			delete(f, a.tokenFact())
			delete(f, a.hookFact())
			delete(f, a.denyFact())
		}
	case refused == nil, refused.foreign:
	case a.Route.Webhook != "" && (refused.Code == CodeUnknownWebhook || refused.Code == codeInvalidWebhookToken):
		f.learn(a.hookFact(), now)
	case status == http.StatusUnauthorized && refused.Code == 0 && !a.Token.IsZero() && a.Route.Webhook == "" && !a.Route.Interaction:
		// Other codes with 401 mean that bots may not do this at all.
		f.learn(a.tokenFact(), now)
	case refused.Code == CodeMissingAccess || refused.Code == CodeMissingPermissions:
		f.learn(a.denyFact(), now)
	}
}

// refuses says why a request should not be asked again yet; nil when it should.
func (f facts) refuses(a Ask, level alarm, now time.Time) *LimitedError {
	if len(f) == 0 {
		return nil
	}
	until := func(key, reason string) *LimitedError {
		if t := f.holds(key, now); !t.IsZero() {
			return &LimitedError{Reason: reason, RetryAfter: t.Sub(now)}
		}
		return nil
	}
	if e := until(a.tokenFact(), ReasonTokenInvalid); e != nil && !a.Token.IsZero() {
		return e
	}
	if a.Route.Webhook != "" {
		if e := until(a.hookFact(), ReasonWebhookGone); e != nil {
			return e
		}
	}
	if level >= alarmHalf {
		return until(a.denyFact(), ReasonForbidden)
	}
	return nil
}
