package sandbox

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// The audit-log actions that the sandbox records, with Discord's numbers.
const (
	AuditMemberUpdate     = 24
	AuditMemberRoleUpdate = 25
	AuditMemberMove       = 26
	AuditMemberDisconnect = 27
)

// AuditEntry is one line of a guild's audit log: what a bot changed, and why it said it did.
type AuditEntry struct {
	ID      ID            `json:"id"`
	At      time.Time     `json:"at"`
	Actor   ID            `json:"user_id"`
	Target  ID            `json:"target_id"` // zero for moves, which Discord does not name
	Action  int           `json:"action_type"`
	Changes []AuditChange `json:"changes,omitempty"`
	Channel ID            `json:"channel_id,omitempty"` // moves: where to
	Count   int           `json:"count,omitempty"`      // moves and disconnects: how many members
	Reason  string        `json:"reason,omitempty"`     // from X-Audit-Log-Reason, decoded
}

// AuditChange is one property that changed, with its JSON values.
type AuditChange struct {
	Key string          `json:"key"`
	Old json.RawMessage `json:"old_value,omitempty"`
	New json.RawMessage `json:"new_value,omitempty"`
}

// AuditLog copies the kept entries of a guild, oldest first; none for an unknown guild.
func (d *Discord) AuditLog(guildID ID) []AuditEntry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g := d.guilds[guildID]; g != nil {
		return g.audit.after(0, 0)
	}
	return nil
}

type auditChanges []AuditChange

func (c *auditChanges) add(key string, before, after any) {
	*c = append(*c, AuditChange{Key: key, Old: rawJSON(before), New: rawJSON(after)})
}

// addRoles notes given or taken roles as Discord does: the key says which, the new value lists them.
func (c *auditChanges) addRoles(key string, g *guild, ids []ID) {
	type partial struct {
		ID   ID     `json:"id"`
		Name string `json:"name"`
	}
	var list []partial
	for _, id := range ids {
		if r := g.roles[id]; r != nil && id != g.id {
			list = append(list, partial{id, r.name})
		}
	}
	if list != nil {
		*c = append(*c, AuditChange{Key: key, New: rawJSON(list)})
	}
}

func rawJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // only plain values and strings come here
		return json.RawMessage("null")
	}
	return b
}

// audit records what a call changed; an entry without any change is not recorded.
func (c *call) audit(g *guild, e AuditEntry) {
	if len(e.Changes) == 0 && e.Count == 0 {
		return
	}
	e.ID, e.At, e.Actor, e.Reason = c.d.newID(), c.now, c.app.user.id, c.reason
	g.audit.add(func(uint64) AuditEntry { return e })
}

// maxReason is the longest reason in characters, after decoding.
const maxReason = 512

// auditReason decodes X-Audit-Log-Reason. Text that is not percent-encoded is taken as it is.
func auditReason(header string) (string, *apiError) {
	reason, err := url.PathUnescape(header)
	if err != nil {
		reason = header
	}
	reason = strings.TrimSpace(strings.ToValidUTF8(reason, "\uFFFD"))
	var bad formErrors
	if utf8.RuneCountInString(reason) > maxReason {
		bad.add("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 512 in length.", "reason")
	}
	return reason, bad.err()
}
