package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// apiError is an answer of Discord that says no: a status, a JSON error code (0 for the general ones) and, for 50035,
// where in the body the fault is.
type apiError struct {
	status  int
	Message string     `json:"message"`
	Code    int        `json:"code"`
	Errors  *errorNode `json:"errors,omitempty"`

	limited time.Duration // a limit inside the bucket: answered as a 429 while the bucket's headers show requests left
}

func fail(status, code int, message string) *apiError {
	return &apiError{status: status, Code: code, Message: message}
}

// The answers, with the codes and texts that Discord documents.
func unauthorized() *apiError { return fail(http.StatusUnauthorized, 0, "401: Unauthorized") }
func notFound() *apiError     { return fail(http.StatusNotFound, 0, "404: Not Found") }
func wrongMethod() *apiError {
	return fail(http.StatusMethodNotAllowed, 0, "405: Method Not Allowed")
}
func serverFault() *apiError {
	return fail(http.StatusInternalServerError, 0, "500: Internal Server Error")
}

// wrongScheme is for a token of ours that came with another scheme than Bot: it is valid, but not for this.
func wrongScheme() *apiError {
	return fail(http.StatusUnauthorized, 40001, "Unauthorized. Provide a valid token and try again")
}
func bodyTooLarge() *apiError {
	return fail(http.StatusRequestEntityTooLarge, 40005, "Request entity too large. Try sending something smaller in size")
}
func unknownChannel() *apiError { return fail(http.StatusNotFound, 10003, "Unknown Channel") }
func unknownGuild() *apiError   { return fail(http.StatusNotFound, 10004, "Unknown Guild") }
func unknownMember() *apiError  { return fail(http.StatusNotFound, 10007, "Unknown Member") }
func unknownRole() *apiError    { return fail(http.StatusNotFound, 10011, "Unknown Role") }
func unknownUser() *apiError    { return fail(http.StatusNotFound, 10013, "Unknown User") }
func unknownInvite() *apiError  { return fail(http.StatusNotFound, 10006, "Unknown Invite") }
func unknownMessage() *apiError { return fail(http.StatusNotFound, 10008, "Unknown Message") }
func unknownOverwrite() *apiError {
	return fail(http.StatusNotFound, 10009, "Unknown Permission Overwrite")
}
func unknownWebhook() *apiError     { return fail(http.StatusNotFound, 10015, "Unknown Webhook") }
func unknownBan() *apiError         { return fail(http.StatusNotFound, 10026, "Unknown Ban") }
func unknownInteraction() *apiError { return fail(http.StatusNotFound, 10062, "Unknown interaction") }
func unknownCommand() *apiError {
	return fail(http.StatusNotFound, 10063, "Unknown application command")
}

// maximum is for lists that are full: "Maximum number of guild channels reached (500)".
func maximum(code int, what string, n int) *apiError {
	return fail(http.StatusBadRequest, code, fmt.Sprintf("Maximum number of %s reached (%d)", what, n))
}
func commandCreates() *apiError {
	return fail(http.StatusBadRequest, 30034, "Max number of daily application command creates has been reached (200)")
}

// oneParentOnly has Discord's code; its text is not documented.
func oneParentOnly() *apiError {
	return fail(http.StatusBadRequest, 40009, "Only one channel of a request may change its parent.")
}
func alreadyAcknowledged() *apiError {
	return fail(http.StatusBadRequest, 40060, "Interaction has already been acknowledged.")
}
func onDirectChannel() *apiError {
	return fail(http.StatusForbidden, 50003, "Cannot execute action on a DM channel")
}
func notTheAuthor() *apiError {
	return fail(http.StatusForbidden, 50005, "Cannot edit a message authored by another user")
}
func emptyMessage() *apiError {
	return fail(http.StatusBadRequest, 50006, "Cannot send an empty message")
}
func cannotMessage() *apiError {
	return fail(http.StatusForbidden, 50007, "Cannot send messages to this user")
}
func noMessagesHere() *apiError {
	return fail(http.StatusBadRequest, 50008, "Cannot send messages in a non-text channel")
}
func wrongMessageCount() *apiError {
	return fail(http.StatusBadRequest, 50016, "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages to delete.")
}
func wrongWebhookToken() *apiError {
	return fail(http.StatusUnauthorized, 50027, "Invalid Webhook Token provided.")
}
func invalidRole() *apiError { return fail(http.StatusBadRequest, 50028, "Invalid Role") }
func tooOldToDelete() *apiError {
	return fail(http.StatusBadRequest, 50034, "You can only bulk delete messages that are under 14 days old.")
}
func unknownEmoji() *apiError   { return fail(http.StatusNotFound, 10014, "Unknown Emoji") }
func unknownSticker() *apiError { return fail(http.StatusNotFound, 10060, "Unknown sticker") }
func unknownSound() *apiError   { return fail(http.StatusNotFound, 10097, "Unknown sound") }
func fileTooLarge() *apiError {
	return fail(http.StatusBadRequest, 50045, "File uploaded exceeds the maximum size")
}
func fileInvalid() *apiError { return fail(http.StatusBadRequest, 50046, "Invalid file uploaded") }
func unknownWelcome() *apiError {
	return fail(http.StatusNotFound, 10069, "Unknown Guild Welcome Screen")
}
func unknownScheduled() *apiError {
	return fail(http.StatusNotFound, 10070, "Unknown Guild Scheduled Event")
}

// unknownAutomodRule has Discord's text; its code is not documented.
func unknownAutomodRule() *apiError {
	return fail(http.StatusNotFound, 10066, "Unknown Auto Moderation Rule")
}
func onboardingNotReady(on bool) *apiError {
	if on {
		return fail(http.StatusBadRequest, 350001, "Cannot update onboarding while below requirements")
	}
	return fail(http.StatusBadRequest, 350000, "Cannot enable onboarding, requirements are not met")
}
func factorNeeded() *apiError {
	return fail(http.StatusForbidden, 60003, "Two factor is required for this operation")
}
func onSystemMessage() *apiError {
	return fail(http.StatusForbidden, 50021, "Cannot execute action on a system message")
}
func unknownTag() *apiError { return fail(http.StatusNotFound, 10087, "Unknown tag") }
func tagRequired() *apiError {
	return fail(http.StatusBadRequest, 40067, "A tag is required to create a forum post in this channel")
}
func threadArchived() *apiError { return fail(http.StatusBadRequest, 50083, "Thread is archived") }
func threadExists() *apiError {
	return fail(http.StatusBadRequest, 160004, "A thread has already been created for this message")
}
func threadLocked() *apiError { return fail(http.StatusBadRequest, 160005, "Thread is locked") }
func webhookNeedsThread() *apiError {
	return fail(http.StatusBadRequest, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id")
}
func webhookTwoThreads() *apiError {
	return fail(http.StatusBadRequest, 220002, "Webhooks posted to forum channels cannot have both a thread_name and thread_id")
}
func webhookNoThread() *apiError {
	return fail(http.StatusBadRequest, 220003, "Webhooks can only create threads in forum channels")
}
func boostsNeeded() *apiError {
	return fail(http.StatusForbidden, 50101, "This server needs more boosts to perform this action")
}
func neededByCommunity() *apiError {
	return fail(http.StatusBadRequest, 50074, "Cannot delete a channel required for Community guilds")
}
func noneBanned() *apiError {
	return fail(http.StatusBadRequest, 500000, "Failed to ban users")
}
func unknownVoiceState() *apiError {
	return fail(http.StatusNotFound, 10065, "Unknown Voice State")
}
func notInVoice() *apiError {
	return fail(http.StatusBadRequest, 40032, "Target user is not connected to voice.")
}
func missingAccess() *apiError      { return fail(http.StatusForbidden, 50001, "Missing Access") }
func missingPermissions() *apiError { return fail(http.StatusForbidden, 50013, "Missing Permissions") }
func wrongChannelType() *apiError {
	return fail(http.StatusBadRequest, 50024, "Cannot execute action on this channel type")
}
func invalidJSON() *apiError {
	return fail(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
}

// formErrors collects the faults of one body or query for a single 50035.
type formErrors struct{ root *errorNode }

// add notes a fault at a path of keys; no key means the body as a whole.
func (f *formErrors) add(code, message string, path ...string) {
	if f.root == nil {
		f.root = &errorNode{}
	}
	n := f.root
	for _, key := range path {
		if n.kids == nil {
			n.kids = map[string]*errorNode{}
		}
		if n.kids[key] == nil {
			n.kids[key] = &errorNode{}
		}
		n = n.kids[key]
	}
	n.own = append(n.own, fieldError{Code: code, Message: message})
}

// err is nil when nothing was added.
func (f *formErrors) err() *apiError {
	if f.root == nil {
		return nil
	}
	e := fail(http.StatusBadRequest, 50035, "Invalid Form Body")
	e.Errors = f.root
	return e
}

// errorNode is Discord's nested form: one level per key, the faults of a key under _errors.
type errorNode struct {
	own  []fieldError
	kids map[string]*errorNode
}

type fieldError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (n *errorNode) MarshalJSON() ([]byte, error) {
	if len(n.own) > 0 {
		return json.Marshal(struct {
			Own []fieldError `json:"_errors"`
		}{n.own})
	}
	return json.Marshal(n.kids)
}
