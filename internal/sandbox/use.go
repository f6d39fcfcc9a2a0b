package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// Interaction types, with Discord's numbers.
const (
	useCommand      = 2
	useComponent    = 3
	useAutocomplete = 4
	useModal        = 5
)

// The two deadlines of an interaction: for the first answer, and for everything after it.
const (
	answerWithin = 3 * time.Second
	tokenLives   = 15 * time.Minute
)

// maxUses bounds the interactions in memory; past it those whose token is dead are dropped, then the oldest.
const maxUses = 10_000

// use is one interaction: somebody used a command, a component or a modal, and what the bot made of it.
type use struct {
	id      ID
	token   string
	app     *application
	kind    int
	user    *user
	guild   ID
	channel ID
	at      time.Time

	command string       // its whole name with subcommands
	focused int          // type of the option that is completed
	source  *chatMessage // the message whose component was used, also of a modal that it opened
	parent  *use         // what opened the modal

	answered  time.Time // zero = not yet
	answer    int       // the callback's type
	original  *chatMessage
	followups []*chatMessage
	modal     map[string]any
	choices   []commandChoice
	edits     int
}

// hidden says whether the original answer is for the user alone.
func (u *use) hidden() bool { return u.original != nil && u.original.flags&flagEphemeral != 0 }

// thinking says whether the user sees that the bot will answer later.
func (u *use) thinking() bool { return u.original != nil && u.original.flags&flagLoading != 0 }

func (u *use) dead(now time.Time) bool {
	return now.Sub(u.at) >= tokenLives || u.answered.IsZero() && now.Sub(u.at) >= answerWithin
}

// newUseToken makes a token of Discord's shape: the id in it is readable, the rest is not.
func newUseToken(id ID) string {
	secret := make([]byte, 48)
	rand.Read(secret) // never fails since Go 1.24
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte("interaction:" + id.String() + ":" + enc.EncodeToString(secret)))
}

// addUse keeps a new interaction and makes room for it.
func (d *Discord) addUse(u *use) {
	if len(d.uses) >= maxUses {
		oldest := u
		for token, old := range d.uses {
			if old.dead(u.at) {
				delete(d.uses, token)
			} else if old.at.Before(oldest.at) {
				oldest = old
			}
		}
		if len(d.uses) >= maxUses {
			delete(d.uses, oldest.token)
		}
	}
	d.uses[u.token] = u
}

// wireUseMeta is interaction_metadata of a message.
type wireUseMeta struct {
	ID         ID           `json:"id"`
	Type       int          `json:"type"`
	User       wireUser     `json:"user"`
	Owners     useOwners    `json:"authorizing_integration_owners"`
	Interacted ID           `json:"interacted_message_id,omitzero"`
	Triggering *wireUseMeta `json:"triggering_interaction_metadata,omitempty"`
}

// useOwners says for whom the application was installed: 0 is the guild.
type useOwners struct {
	Guild ID `json:"0,omitzero"`
}

func newWireUseMeta(u *use) *wireUseMeta {
	m := &wireUseMeta{ID: u.id, Type: u.kind, User: newWireUser(u.user), Owners: useOwners{u.guild}}
	if u.kind == useComponent && u.source != nil {
		m.Interacted = u.source.id
	}
	if u.kind == useModal && u.parent != nil {
		m.Triggering = newWireUseMeta(u.parent)
	}
	return m
}

// ephemeral finds a message that only one user sees. They are in no channel.
func (d *Discord) ephemeral(user *user, id ID) *chatMessage {
	for _, u := range d.uses {
		if u.user != user {
			continue
		}
		if u.original != nil && u.original.id == id {
			return u.original
		}
		for _, m := range u.followups {
			if m.id == id {
				return m
			}
		}
	}
	return nil
}
