package bus

import "time"

// ActionKind is something that people do to a guild and that a limit can count. The
// values are those that the ancestor stored, with more of the same form.
type ActionKind string

// The kinds. All but the last two come from Discord's audit log, which names the actor.
const (
	ActionRoleAdd            ActionKind = "role_add"
	ActionRoleUpdate         ActionKind = "role_update"
	ActionRoleRemove         ActionKind = "role_remove"
	ActionRoleGiven          ActionKind = "role_given_to_member"
	ActionRoleTaken          ActionKind = "role_removed_from_member"
	ActionMemberRolesUpdated ActionKind = "member_roles_updated"
	ActionChannelAdd         ActionKind = "channel_add"
	ActionChannelUpdate      ActionKind = "channel_update"
	ActionChannelRemove      ActionKind = "channel_remove"
	ActionOverwriteChange    ActionKind = "overwrite_change"
	ActionKick               ActionKind = "kick"
	ActionBan                ActionKind = "ban"
	ActionUnban              ActionKind = "unban"
	ActionMemberPrune        ActionKind = "member_prune"
	ActionMemberTimeout      ActionKind = "member_timeout"
	ActionWebhookCreate      ActionKind = "webhook_create"
	ActionWebhookUpdate      ActionKind = "webhook_update"
	ActionWebhookDelete      ActionKind = "webhook_delete"
	ActionBotAdd             ActionKind = "bot_add"
	ActionGuildUpdate        ActionKind = "guild_update"
	ActionEmojiDelete        ActionKind = "emoji_delete"
	ActionMemberJoin         ActionKind = "member_join"    // the actor is who joined
	ActionMessageCreate      ActionKind = "message_create" // the actor is the author
)

// ActionKinds lists every kind, in the order in which people are shown them.
var ActionKinds = [...]ActionKind{
	ActionRoleAdd, ActionRoleUpdate, ActionRoleRemove, ActionRoleGiven, ActionRoleTaken, ActionMemberRolesUpdated,
	ActionChannelAdd, ActionChannelUpdate, ActionChannelRemove, ActionOverwriteChange,
	ActionKick, ActionBan, ActionUnban, ActionMemberPrune, ActionMemberTimeout,
	ActionWebhookCreate, ActionWebhookUpdate, ActionWebhookDelete, ActionBotAdd, ActionGuildUpdate, ActionEmojiDelete,
	ActionMemberJoin, ActionMessageCreate,
}

// Action is one thing that somebody did, on ACTIONS under action.<guild>.<kind>.
type Action struct {
	V      int        `json:"v"`
	ID     uint64     `json:"id,string"` // snowflake of the audit-log entry, message or join; it carries the time
	Guild  GuildID    `json:"guild,string"`
	Actor  UserID     `json:"actor,string"` // 0: Discord did not say
	Kind   ActionKind `json:"kind"`
	Target string     `json:"target,omitempty"` // id of what it was done to
	At     time.Time  `json:"at"`               // of the id
}

// Response is what a limit does to who exceeds it.
type Response string

// The responses. The first three keep the ancestor's names.
const (
	RespondStripRoles Response = "remove_all_roles" // all but managed ones
	RespondKick       Response = "kick_user"
	RespondBan        Response = "ban_user"
	RespondTimeout    Response = "timeout"
	RespondQuarantine Response = "quarantine" // all roles but the quarantine role
	RespondAlert      Response = "alert"      // tell people, do nothing
)

// Responses lists every response, the mildest first.
var Responses = [...]Response{RespondAlert, RespondTimeout, RespondStripRoles, RespondQuarantine, RespondKick, RespondBan}

// LimitRule says that who does Count actions of Kind within Window meets the response,
// with the Count-th; in CONFIG under limits.<guild>.<id>.
type LimitRule struct {
	V       int        `json:"v"`
	ID      string     `json:"id"`
	Name    string     `json:"name"` // 1 to 64 characters
	Kind    ActionKind `json:"kind"`
	Count   int        `json:"count"`  // 1 to 10,000
	Window  Seconds    `json:"window"` // 1 s to 30 d
	Respond Response   `json:"respond"`
	Timeout Seconds    `json:"timeout,omitempty"` // of RespondTimeout, up to 28 d
	By      UserID     `json:"by,string"`
	At      time.Time  `json:"at"`
}

// Seconds is a duration that travels as whole seconds.
type Seconds int64

// Duration gives it as Go counts.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Bounds of a LimitRule.
const (
	MaxLimitCount   = 10_000
	MaxLimitWindow  = Seconds(30 * 24 * 3600)
	MaxLimitTimeout = Seconds(28 * 24 * 3600)
	MaxLimitName    = 64
	MaxLimits       = 40 // per guild
)

// Check says what is wrong with a rule, as a CodeInvalid error; nil when it can be kept.
func (r LimitRule) Check() error {
	bad := func(format string, args ...any) error {
		return Errorf(CodeInvalid, "bad_limit", format+"; the limit was not kept", args...)
	}
	known := false
	for _, k := range ActionKinds {
		known = known || k == r.Kind
	}
	responds := false
	for _, k := range Responses {
		responds = responds || k == r.Respond
	}
	switch n := len([]rune(r.Name)); {
	case !isToken(r.ID):
		return bad("a limit's id must be a plain word")
	case n < 1 || n > MaxLimitName:
		return bad("a limit's name has 1 to %d characters, not %d", MaxLimitName, n)
	case !known:
		return bad("%q is nothing that a limit can count", r.Kind)
	case r.Count < 1 || r.Count > MaxLimitCount:
		return bad("a limit counts 1 to %d actions, not %d", MaxLimitCount, r.Count)
	case r.Window < 1 || r.Window > MaxLimitWindow:
		return bad("a limit looks back 1 second to 30 days")
	case !responds:
		return bad("%q is nothing that a limit can do", r.Respond)
	case r.Respond == RespondTimeout && (r.Timeout < 1 || r.Timeout > MaxLimitTimeout):
		return bad("a timeout lasts 1 second to 28 days")
	}
	return nil
}

// LimitHit is that an actor met a limit, on EVENTS under event.limit.hit.<guild>.
type LimitHit struct {
	V       int        `json:"v"`
	Guild   GuildID    `json:"guild,string"`
	Limit   string     `json:"limit"` // id of the rule
	Name    string     `json:"name"`
	Kind    ActionKind `json:"kind"`
	Actor   UserID     `json:"actor,string"`
	Causes  []uint64   `json:"causes"` // ids of the actions, oldest first; at most MaxHitCauses
	Count   int        `json:"count"`
	Window  Seconds    `json:"window"`
	Respond Response   `json:"respond"`
	Timeout Seconds    `json:"timeout,omitempty"` // of RespondTimeout
	Result  string     `json:"result"`            // "ok", or "failed: " and why
	At      time.Time  `json:"at"`
}

// MaxHitCauses bounds the causes that a hit names.
const MaxHitCauses = 100

// ID names a hit: the same rule and the same last cause are the same hit, however often
// the event is delivered.
func (h LimitHit) ID() string {
	last := uint64(0)
	if len(h.Causes) > 0 {
		last = h.Causes[len(h.Causes)-1]
	}
	return h.Limit + "-" + GuildID(last).String()
}

// LimitRules holds the limits of all guilds, under LimitKey.
func LimitRules() Kept[LimitRule] { return Kept[LimitRule]{bucket: bucketConfig, prefix: "limits."} }

// LimitKey names a guild's limit. The id must be a plain word, as LimitRule.Check says.
func LimitKey(g GuildID, id string) string { return join(g.String(), id) }

// ParseLimitKey is the inverse of LimitKey.
func ParseLimitKey(key string) (GuildID, string, error) {
	t, err := split(key, 2)
	if err != nil {
		return 0, "", err
	}
	g, err := ParseGuildID(t[0])
	return g, t[1], err
}
