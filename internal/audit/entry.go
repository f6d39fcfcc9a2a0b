// Package audit reads the entries of Discord's audit log as the gateway brings them.
//
// What comes in: the data of a GUILD_AUDIT_LOG_ENTRY_CREATE, or of a GUILD_MEMBER_ADD. What goes out: an Entry, and what
// it counts as for limits (bus.Action). Pure computation.
package audit

import (
	"encoding/json"
	"strconv"
	"time"

	"splashtail/bus"
)

// Entry is the part of Discord's audit-log entry that limits and incidents read, as
// GUILD_AUDIT_LOG_ENTRY_CREATE brings it.
type Entry struct {
	ID      uint64         `json:"id,string"`
	Guild   bus.GuildID    `json:"guild_id,string"`
	User    *string        `json:"user_id"`   // the actor; null: Discord does not say
	Target  *string        `json:"target_id"` // null for some kinds
	Type    int            `json:"action_type"`
	Changes []Change       `json:"changes"`
	Options map[string]any `json:"options"`
	Reason  string         `json:"reason"`
}

// Change is one changed field.
type Change struct {
	Key string          `json:"key"`
	Old json.RawMessage `json:"old_value"`
	New json.RawMessage `json:"new_value"`
}

// ParseEntry reads an audit-log entry. It fails for what is none; unknown kinds pass.
func ParseEntry(data []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return e, bus.Errorf(bus.CodeInvalid, "bad_entry", "an audit-log entry cannot be read: %w", err)
	}
	if e.ID == 0 || e.Guild == 0 {
		return e, bus.Errorf(bus.CodeInvalid, "bad_entry", "an audit-log entry has no id or no guild")
	}
	return e, nil
}

// Actor is who did it; 0 when Discord does not say.
func (e Entry) Actor() bus.UserID {
	if e.User == nil {
		return 0
	}
	id, err := bus.ParseUserID(*e.User)
	if err != nil {
		return 0
	}
	return id
}

// discordEpoch is where snowflakes begin to count, in milliseconds of Unix time.
const discordEpoch = 1_420_070_400_000

// TimeOf is when a snowflake was made, to the millisecond.
func TimeOf(id uint64) time.Time { return time.UnixMilli(int64(id>>22) + discordEpoch).UTC() }

// kindOf is the table of audit-log action types that are counted as they are.
var kindOf = map[int]bus.ActionKind{
	1:  bus.ActionGuildUpdate,
	10: bus.ActionChannelAdd, 11: bus.ActionChannelUpdate, 12: bus.ActionChannelRemove,
	13: bus.ActionOverwriteChange, 14: bus.ActionOverwriteChange, 15: bus.ActionOverwriteChange,
	20: bus.ActionKick, 21: bus.ActionMemberPrune, 22: bus.ActionBan, 23: bus.ActionUnban,
	28: bus.ActionBotAdd,
	30: bus.ActionRoleAdd, 31: bus.ActionRoleUpdate, 32: bus.ActionRoleRemove,
	50: bus.ActionWebhookCreate, 51: bus.ActionWebhookUpdate, 52: bus.ActionWebhookDelete,
	62: bus.ActionEmojiDelete,
}

// Audit-log action types whose kind depends on what changed.
const (
	typeMemberUpdate = 24
	typeMemberRoles  = 25
)

// Actions gives what the entry counts as: nothing, one kind, or for a change of roles
// several. They share the entry's id, which tells them apart together with the kind.
func (e Entry) Actions() []bus.Action {
	kinds := e.kinds()
	out := make([]bus.Action, len(kinds))
	for i, k := range kinds {
		out[i] = bus.Action{V: 1, ID: e.ID, Guild: e.Guild, Actor: e.Actor(), Kind: k, At: TimeOf(e.ID)}
		if e.Target != nil {
			out[i].Target = *e.Target
		}
	}
	return out
}

func (e Entry) kinds() []bus.ActionKind {
	switch e.Type {
	case typeMemberRoles:
		kinds := []bus.ActionKind{bus.ActionMemberRolesUpdated}
		if e.changed("$add") {
			kinds = append(kinds, bus.ActionRoleGiven)
		}
		if e.changed("$remove") {
			kinds = append(kinds, bus.ActionRoleTaken)
		}
		return kinds
	case typeMemberUpdate:
		if e.newTimeout() {
			return []bus.ActionKind{bus.ActionMemberTimeout}
		}
		return nil
	}
	if k, ok := kindOf[e.Type]; ok {
		return []bus.ActionKind{k}
	}
	return nil
}

// changed says whether the entry names roles under the key. Discord tells role changes
// by new values only.
func (e Entry) changed(key string) bool { return len(e.Roles(key)) > 0 }

// Roles gives the roles that were given ("$add") or taken ("$remove").
func (e Entry) Roles(key string) []string {
	var ids []string
	for _, c := range e.Changes {
		if c.Key != key {
			continue
		}
		var roles []struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(c.New, &roles) != nil {
			continue
		}
		for _, r := range roles {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// newTimeout says whether a member was timed out; lifting one is no harm.
func (e Entry) newTimeout() bool {
	for _, c := range e.Changes {
		if c.Key == "communication_disabled_until" && len(c.New) > 0 && string(c.New) != "null" {
			return true
		}
	}
	return false
}

// Join gives the action that a GUILD_MEMBER_ADD is. A join has no id of its own: the
// member and the moment make one, so that the same join counts once.
func Join(g bus.GuildID, user bus.UserID, joined time.Time) bus.Action {
	// The whole id of the member is mixed: the last bits of many ids are the same.
	return bus.Action{V: 1, ID: snowflake(joined, uint64(user)^uint64(user)>>22^uint64(user)>>44), Guild: g, Actor: user, Kind: bus.ActionMemberJoin,
		Target: strconv.FormatUint(uint64(user), 10), At: joined.UTC()}
}

// snowflake makes an id with the time of t; low tells those of one millisecond apart.
func snowflake(t time.Time, low uint64) uint64 {
	return uint64(max(t.UnixMilli()-discordEpoch, 0))<<22 | low&(1<<22-1)
}
