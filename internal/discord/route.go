package discord

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Class is how urgent a request is. When requests wait for the same budget, the more
// urgent class goes first, and the least urgent ones never take all of it.
type Class int

// The classes, most urgent first.
const (
	ClassInteraction Class = iota + 1 // answers that somebody waits for, dead after 3 s
	ClassUrgent                       // mutes, timeouts, kicks, bans: what stops somebody
	ClassMessage                      // everything else that a person notices
	ClassBackup                       // long work that may take its time
)

// Route is what a request's method and path say about its rate limit.
type Route struct {
	Method   string
	Template string // the path with its variable parts replaced: /guilds/{id}/members/{id}
	Major    string // what separates the buckets of one template; no secret is in it in clear
	Webhook  string // a hash of a webhook's id and token, empty for other routes

	Interaction bool // exempt from the limit over all routes
	Serial      bool // its headers cannot be relied on: one request at a time
}

// Bounds of a template, so that strangers cannot make long keys.
const (
	maxSegments = 12
	maxSegment  = 40
)

// oldMessage is the age from which deleting a message counts in a bucket of its own.
const oldMessage = 14 * 24 * time.Hour

// interactionToken is how the token of an interaction begins: base64 of "interaction:".
// The tokens of real webhooks are random.
const interactionToken = "aW50ZXJhY3Rpb246"

// RouteOf finds the route of a path below /api/vN. A query does not count. Routes that
// are new to us work too: what consists of digits is an id. Two requests with the same
// method, template and major parameter share a rate limit, as far as a path can tell;
// the headers of answers tell the rest.
func RouteOf(method, path string, now time.Time) Route {
	path, _, _ = strings.Cut(path, "?")
	segments := strings.Split(strings.Trim(path, "/"), "/")
	r := Route{Method: method}
	if segments[0] == "webhooks" || segments[0] == "interactions" {
		segments = r.hook(segments)
	} else if len(segments) > 1 && (segments[0] == "guilds" || segments[0] == "channels") && isID(segments[1]) {
		r.Major = segments[1]
	}
	if len(segments) > maxSegments {
		segments = append(segments[:maxSegments-1:maxSegments-1], "{rest}")
	}
	r.Template = "/" + strings.Join(template(segments), "/")
	r.special(segments, now)
	return r
}

// hook takes the secret out of a path of a webhook or an interaction.
func (r *Route) hook(segments []string) []string {
	switch {
	case len(segments) > 2 && isID(segments[1]):
		hash := shortHash(segments[1] + "/" + segments[2])
		r.Major = hash
		if segments[0] == "interactions" || strings.HasPrefix(segments[2], interactionToken) {
			r.Interaction = true
		} else {
			r.Webhook = hash
		}
		out := append([]string{segments[0], segments[1], "{token}"}, segments[3:]...)
		return out
	case len(segments) > 1 && isID(segments[1]):
		r.Major = segments[1]
	}
	return segments
}

// template replaces what varies from request to request.
func template(segments []string) []string {
	out := make([]string, len(segments))
	for i, s := range segments {
		before := ""
		if i > 0 {
			before = segments[i-1]
		}
		switch {
		case before == "invites" || before == "templates":
			out[i] = "{code}"
		case s != "" && strings.Trim(s, "0123456789") == "":
			out[i] = "{id}"
		case len(s) > maxSegment:
			out[i] = "{long}"
		default:
			out[i] = s
		}
	}
	return out
}

// special are the routes whose limits do not follow from their paths.
func (r *Route) special(segments []string, now time.Time) {
	switch {
	case segments[0] == "channels" && len(segments) > 4 && segments[2] == "messages" && segments[4] == "reactions":
		// One bucket for every emoji and user; it is far tighter than others.
		r.Template = "/channels/{id}/messages/{id}/reactions"
	case r.Method == http.MethodDelete && segments[0] == "channels" && len(segments) == 4 && segments[2] == "messages" && isID(segments[3]):
		if id, err := strconv.ParseUint(segments[3], 10, 64); err == nil && now.Sub(SnowflakeTime(id)) > oldMessage {
			r.Template += " (old)"
		}
	case segments[0] == "guilds" && len(segments) > 2 && segments[2] == "emojis":
		r.Serial = true
	}
}

// DefaultClass is the class of a request whose sender did not say one: answers to
// interactions first, then what mutes, times out, kicks, bans or stops joins.
func (r Route) DefaultClass() Class {
	write := r.Method != http.MethodGet && r.Method != http.MethodHead
	if r.Interaction {
		return ClassInteraction
	}
	urgent := strings.HasPrefix(r.Template, "/guilds/{id}/members/{id}") || strings.HasPrefix(r.Template, "/guilds/{id}/bans/") ||
		r.Template == "/guilds/{id}/bulk-ban" || r.Template == "/guilds/{id}/incident-actions"
	if write && urgent {
		return ClassUrgent
	}
	return ClassMessage
}

// isID says whether a segment is an id: decimal digits that fit 64 bits.
func isID(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}
