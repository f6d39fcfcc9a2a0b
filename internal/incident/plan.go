package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"splashtail/bus"
)

// Verb is what a step of a plan does.
type Verb string

// The verbs, in the order in which a plan does them: what does harm now goes first, what
// others refer to is there before them, and what the actor made is deleted last.
const (
	DeleteWebhook   Verb = "delete_webhook"
	KickBot         Verb = "kick_bot"
	CreateRole      Verb = "create_role"
	EditRole        Verb = "edit_role"
	CreateChannel   Verb = "create_channel"
	EditChannel     Verb = "edit_channel"
	SetOverwrite    Verb = "set_overwrite"
	DeleteOverwrite Verb = "delete_overwrite"
	SortRoles       Verb = "sort_roles"
	SortChannels    Verb = "sort_channels"
	EditGuild       Verb = "edit_guild"
	Unban           Verb = "unban"
	Ban             Verb = "ban"
	GiveRole        Verb = "give_role"
	TakeRole        Verb = "take_role"
	EditMember      Verb = "edit_member"
	DeleteChannel   Verb = "delete_channel"
	DeleteRole      Verb = "delete_role"
)

// Step is one change of a guild. Ids are those from before the incident; of what is made
// again the new one is put in their place when the step is done.
type Step struct {
	Do   Verb     `json:"do"`
	ID   string   `json:"id,omitempty"`   // what is changed, made again or deleted; of an overwrite its role or member
	In   string   `json:"in,omitempty"`   // the channel of an overwrite
	Name string   `json:"name,omitempty"` // for people
	Set  object   `json:"set,omitempty"`  // the keys to set
	IDs  []string `json:"ids,omitempty"`  // members of a role; the order of roles or channels, from the lowest
}

// Kind is a kind of deed that cannot be undone; the catalogue has each under loss.KIND,
// with the reason.
type Kind string

// The kinds.
const (
	LostBanned         Kind = "banned" // they are unbanned, but not members
	LostKicked         Kind = "kicked"
	LostPruned         Kind = "pruned"
	LostWebhook        Kind = "webhook_deleted"
	LostWebhookEdit    Kind = "webhook_edited"
	LostEmoji          Kind = "emoji"
	LostMessages       Kind = "messages"
	LostHistory        Kind = "channel_messages" // of channels that are made again
	LostImage          Kind = "guild_image"
	LostSetting        Kind = "guild_setting"
	LostUnknownRole    Kind = "unknown_role" // nobody saw it before
	LostUnknownChannel Kind = "unknown_channel"
	LostManagedRole    Kind = "managed_role"
	LostOther          Kind = "other"
)

// Kinds lists every kind, for tests that check that the catalogue is complete.
var Kinds = [...]Kind{LostBanned, LostKicked, LostPruned, LostWebhook, LostWebhookEdit, LostEmoji, LostMessages, LostHistory,
	LostImage, LostSetting, LostUnknownRole, LostUnknownChannel, LostManagedRole, LostOther}

// Loss is something that cannot be undone.
type Loss struct {
	Kind  Kind `json:"kind"`
	Count int  `json:"count"`
}

// Plan is what would take an actor's deeds back.
type Plan struct {
	Steps  []Step `json:"steps"`
	Cannot []Loss `json:"cannot,omitempty"`
}

// Counts says how often each verb is done. What concerns several members counts for each.
func (p Plan) Counts() map[Verb]int {
	n := map[Verb]int{}
	for _, s := range p.Steps {
		switch s.Do {
		case GiveRole, TakeRole:
			n[s.Do] += len(s.IDs)
		default:
			n[s.Do]++
		}
	}
	return n
}

// Hash names the plan: two plans with one hash do the same.
func (p Plan) Hash() string {
	data, _ := json.Marshal(p) // values that were parsed always encode
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// MakePlan says what would take back the deeds of an actor. deeds are those of everybody,
// oldest first; now is the guild as it is. Nothing is touched.
//
// The actor's deeds are walked back from the newest. A value is set to what it was before
// a deed only where it still is what the deed made of it, so whatever others changed
// before, between or after stays. Where a value is only yes or no (a ban, a member's
// role), only what the actor did after everybody else is taken back.
func MakePlan(actor bus.UserID, deeds []bus.Deed, now State) Plan {
	w := newWish(now, actor, deeds)
	for i := len(deeds) - 1; i >= 0; i-- {
		if deeds[i].Actor == actor {
			w.takeBack(deeds[i])
		}
	}
	return Plan{Steps: w.steps(now), Cannot: w.cannot}
}
