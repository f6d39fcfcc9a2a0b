package muteproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"splashtail/internal/discord"
)

// refusal is what a failed call means, for the wish and for the lane.
type refusal struct {
	reason string // closed snake_case word
	code   int    // Discord's JSON error code
	detail string

	member   bool          // the member's fault: no other lane would fare better
	laneOut  time.Duration // the lane rests for this guild
	tokenOut bool          // the token is no good anywhere
	limited  bool          // a rate limit; the wish waits and nobody is to blame
}

// reasonNotInVoice is why a wish waits for its member.
const reasonNotInVoice = "not_in_voice"

// Rest times after a refusal that concerns a token.
const (
	laneRest  = 5 * time.Minute  // a permission that somebody has to give first
	faultRest = 2 * time.Second  // Discord itself is in trouble
	clientOut = 60 * time.Second // a capture client that did not answer in time
)

// judge says what an error of EditVoice means.
func judge(err error) refusal {
	var api *discord.APIError
	if !errors.As(err, &api) {
		if errors.Is(err, context.Canceled) {
			return refusal{reason: "stopped", detail: "the process is stopping"}
		}
		return refusal{reason: "network", detail: "Discord did not answer", laneOut: faultRest}
	}
	r := refusal{code: api.Code, detail: api.Message}
	switch {
	case api.Status == http.StatusTooManyRequests:
		r.reason, r.limited = "rate_limited", true
	case api.Code == discord.CodeNotInVoice:
		r.reason, r.member = reasonNotInVoice, true
	case api.Code == discord.CodeUnknownMember || api.Code == discord.CodeUnknownUser:
		r.reason, r.member = "unknown_member", true
	case api.Status == http.StatusUnauthorized:
		r.reason, r.tokenOut = "token_invalid", true
	case api.Code == discord.CodeMissingPermissions:
		r.reason, r.laneOut = "missing_permissions", laneRest
		r.detail = "the bot lacks Mute Members or Deafen Members"
	case api.Code == discord.CodeMissingAccess || api.Code == discord.CodeUnknownGuild:
		r.reason, r.laneOut = "not_in_guild", laneRest
		r.detail = "the bot is not a member of the guild"
	case api.Status == http.StatusForbidden || api.Status == http.StatusNotFound:
		r.reason, r.laneOut = "refused", laneRest
	case api.Status >= 500:
		r.reason, r.laneOut = "discord_fault", faultRest
		r.detail = fmt.Sprintf("Discord answered %d", api.Status)
	default:
		// A request that Discord calls wrong will be wrong over every lane.
		r.reason, r.member = "rejected", true
	}
	return r
}

// Retries of an unmute that waits for its member to come back to voice: server mutes
// outlive leaving and cannot be lifted meanwhile.
const (
	owedFirst = 10 * time.Second
	owedMost  = 5 * time.Minute
	owedFor   = 6 * time.Hour
	// staleMute is how old a mute may be that was not sent: after that the game has
	// moved on, and nobody is to be silenced out of the blue.
	staleMute = 15 * time.Minute
)

// owedDelay is the pause before try n, from 0.
func owedDelay(n int) time.Duration {
	return min(owedFirst<<min(n, 8), owedMost)
}
