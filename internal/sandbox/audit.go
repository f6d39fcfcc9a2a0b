package sandbox

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The audit-log actions that the sandbox records, with Discord's numbers.
const (
	AuditGuildUpdate       = 1
	AuditChannelCreate     = 10
	AuditChannelUpdate     = 11
	AuditChannelDelete     = 12
	AuditOverwriteCreate   = 13
	AuditOverwriteUpdate   = 14
	AuditOverwriteDelete   = 15
	AuditMemberKick        = 20
	AuditMemberPrune       = 21
	AuditMemberBanAdd      = 22
	AuditMemberBanRemove   = 23
	AuditMemberUpdate      = 24
	AuditMemberRoleUpdate  = 25
	AuditMemberMove        = 26
	AuditMemberDisconnect  = 27
	AuditBotAdd            = 28
	AuditRoleCreate        = 30
	AuditRoleUpdate        = 31
	AuditRoleDelete        = 32
	AuditInviteCreate      = 40
	AuditInviteDelete      = 42
	AuditWebhookCreate     = 50
	AuditWebhookUpdate     = 51
	AuditWebhookDelete     = 52
	AuditEmojiCreate       = 60
	AuditEmojiUpdate       = 61
	AuditEmojiDelete       = 62
	AuditMessageDelete     = 72
	AuditMessageBulkDelete = 73
	AuditMessagePin        = 74
	AuditMessageUnpin      = 75
	AuditStickerCreate     = 90
	AuditStickerUpdate     = 91
	AuditStickerDelete     = 92
	AuditEventCreate       = 100
	AuditEventUpdate       = 101
	AuditEventDelete       = 102
	AuditThreadCreate      = 110
	AuditThreadUpdate      = 111
	AuditThreadDelete      = 112
	AuditSoundCreate       = 130
	AuditSoundUpdate       = 131
	AuditSoundDelete       = 132
	AuditRuleCreate        = 140
	AuditRuleUpdate        = 141
	AuditRuleDelete        = 142
	AuditPromptCreate      = 163
	AuditPromptUpdate      = 164
	AuditPromptDelete      = 165
	AuditOnboardingUpdate  = 167
)

// AuditEntry is one line of a guild's audit log: what a bot or a person changed, and why it said it did.
type AuditEntry struct {
	ID      ID                `json:"id"`
	At      time.Time         `json:"at"`
	Actor   ID                `json:"user_id"`
	Target  ID                `json:"target_id"` // zero for moves, invites and prunes, which name nothing
	Action  int               `json:"action_type"`
	Changes []AuditChange     `json:"changes,omitempty"` // none for kicks, bans and prunes
	Options map[string]string `json:"options,omitempty"` // what the action adds: channel_id, count, id, type, role_name …
	Reason  string            `json:"reason,omitempty"`  // from X-Audit-Log-Reason, decoded
}

// AuditChange is one property that changed, with its JSON values. What came to be has no old one, what went has no new one.
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

// auditChanges collects the changes of one entry.
type auditChanges []AuditChange

// add notes a change whatever the values are; null is left out, as Discord does.
func (c *auditChanges) add(key string, before, after any) {
	*c = append(*c, AuditChange{Key: key, Old: unlessNull(rawJSON(before)), New: unlessNull(rawJSON(after))})
}

func unlessNull(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
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

// auditKey is one property of an object as the audit log shows it.
type auditKey struct {
	key   string
	value any
}

// whole turns the properties of an object into the changes of its creation or, with gone, of its deletion. Empty values are
// left out, as Discord does for what was never set.
func whole(keys []auditKey, gone bool) auditChanges {
	var c auditChanges
	for _, k := range keys {
		raw := rawJSON(k.value)
		switch {
		case string(raw) == "null":
		case gone:
			c = append(c, AuditChange{Key: k.key, Old: raw})
		default:
			c = append(c, AuditChange{Key: k.key, New: raw})
		}
	}
	return c
}

// between turns two states of an object, with the same keys in the same order, into the changes that lead from one to the
// other.
func between(before, after []auditKey) auditChanges {
	var c auditChanges
	for i := range before {
		was, is := rawJSON(before[i].value), rawJSON(after[i].value)
		if string(was) != string(is) {
			c = append(c, AuditChange{Key: before[i].key, Old: unlessNull(was), New: unlessNull(is)})
		}
	}
	return c
}

func rawJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // only plain values and strings come here
		return json.RawMessage("null")
	}
	return b
}

// noChanges are the actions whose entries stand without changes. One of another kind without any is not recorded.
func noChanges(action int) bool {
	switch action {
	case AuditMemberKick, AuditMemberPrune, AuditMemberBanAdd, AuditMemberBanRemove, AuditMemberMove, AuditMemberDisconnect,
		AuditBotAdd, AuditMessageDelete, AuditMessageBulkDelete, AuditMessagePin, AuditMessageUnpin:
		return true
	}
	return false
}

// audit records what a call changed and tells it to bots that may see the log.
func (c *call) audit(g *guild, e AuditEntry) {
	if len(e.Changes) == 0 && !noChanges(e.Action) {
		return
	}
	e.ID, e.At, e.Actor, e.Reason = c.d.newID(), c.now, c.me.id, c.reason
	g.audit.add(func(uint64) AuditEntry { return e })
	c.d.emit(g.id, "GUILD_AUDIT_LOG_ENTRY_CREATE", auditEvent{newWireAudit(e), g.id})
}

// counted are the options of an entry that stands for several things in one place.
func counted(channel ID, n int) map[string]string {
	o := map[string]string{"count": strconv.Itoa(n)}
	if channel != 0 {
		o["channel_id"] = channel.String()
	}
	return o
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
