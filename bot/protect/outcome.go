package protect

import (
	"strings"

	"splashtail/bot/words"
)

// What a hit's result says when the response failed for a reason that people can remove.
const (
	failedPrefix  = "failed: "
	roleTooLow    = "the actor's highest role is not below the bot's; move the bot's role up"
	lacksForIt    = "the bot lacks the permission for it"
	resultSuccess = "ok"
)

// Outcome says in a language what became of a hit. What only our logs can explain stays
// as it is.
func Outcome(w words.Language, result string) string {
	if result == resultSuccess {
		return w.T("hit.ok")
	}
	why, failed := strings.CutPrefix(result, failedPrefix)
	switch {
	case !failed:
		return result
	case why == roleTooLow:
		return w.T("hit.role_low")
	case why == lacksForIt:
		return w.T("hit.lacks")
	}
	return w.T("hit.failed", "why", why)
}

// ResultWord is a hit's result as one of two words, ok and failed, for metrics.
func ResultWord(result string) string {
	if result == resultSuccess {
		return resultSuccess
	}
	return "failed"
}
