package sandbox

import "time"

// Kinds of automod rules and of what they do, with Discord's numbers.
const (
	ruleKeyword = 1
	ruleSpam    = 3
	rulePreset  = 4
	ruleMention = 5
	ruleProfile = 6

	actionBlock   = 1
	actionAlert   = 2
	actionTimeout = 3
	actionBar     = 4 // keeps a member with a bad profile from acting
)

// maxRulesOf is how many rules of a kind a guild may have.
func maxRulesOf(kind int) int {
	if kind == ruleKeyword {
		return 6
	}
	return 1
}

type automodRule struct {
	id      ID
	creator ID
	automodValues
}

// automodValues is what of a rule can be changed, except its trigger.
type automodValues struct {
	name           string
	event          int // 1 when a message is sent, 2 when a member changes
	trigger        int
	meta           automodMeta
	actions        []automodAction
	enabled        bool
	exemptRoles    []ID
	exemptChannels []ID
}

// automodMeta is what a rule looks for; each kind uses some of it.
type automodMeta struct {
	keywords, regexes, allowed []string
	presets                    []int
	mentions                   int
	raid                       bool
}

type automodAction struct {
	kind    int
	channel ID     // of an alert
	seconds int    // of a time-out
	text    string // that a blocked author sees
}

type wireAutomodRule struct {
	ID             ID                  `json:"id"`
	GuildID        ID                  `json:"guild_id"`
	CreatorID      ID                  `json:"creator_id"`
	Name           string              `json:"name"`
	EventType      int                 `json:"event_type"`
	TriggerType    int                 `json:"trigger_type"`
	Metadata       any                 `json:"trigger_metadata"`
	Actions        []wireAutomodAction `json:"actions"`
	Enabled        bool                `json:"enabled"`
	ExemptRoles    []ID                `json:"exempt_roles"`
	ExemptChannels []ID                `json:"exempt_channels"`
}

type wireAutomodAction struct {
	Type     int            `json:"type"`
	Metadata map[string]any `json:"metadata"`
}

func newWireAutomodRule(g *guild, r *automodRule) wireAutomodRule {
	w := wireAutomodRule{
		ID: r.id, GuildID: g.id, CreatorID: r.creator, Name: r.name, EventType: r.event, TriggerType: r.trigger,
		Metadata: r.wireMeta(), Actions: []wireAutomodAction{}, Enabled: r.enabled,
		ExemptRoles: append([]ID{}, r.exemptRoles...), ExemptChannels: append([]ID{}, r.exemptChannels...),
	}
	for _, a := range r.actions {
		w.Actions = append(w.Actions, wireAutomodAction{a.kind, a.wire()})
	}
	return w
}

func (a automodAction) wire() map[string]any {
	m := map[string]any{}
	switch {
	case a.kind == actionAlert:
		m["channel_id"] = a.channel
	case a.kind == actionTimeout:
		m["duration_seconds"] = a.seconds
	case a.kind == actionBlock && a.text != "":
		m["custom_message"] = a.text
	}
	return m
}

func (v *automodValues) wireMeta() map[string]any {
	texts := func(list []string) []string { return append([]string{}, list...) }
	switch m := v.meta; v.trigger {
	case ruleKeyword, ruleProfile:
		return map[string]any{"keyword_filter": texts(m.keywords), "regex_patterns": texts(m.regexes), "allow_list": texts(m.allowed)}
	case rulePreset:
		return map[string]any{"presets": append([]int{}, m.presets...), "allow_list": texts(m.allowed)}
	case ruleMention:
		return map[string]any{"mention_total_limit": m.mentions, "mention_raid_protection_enabled": m.raid}
	}
	return map[string]any{}
}

func (r *automodRule) auditKeys() []auditKey {
	actions := []wireAutomodAction{}
	for _, a := range r.actions {
		actions = append(actions, wireAutomodAction{a.kind, a.wire()})
	}
	return []auditKey{
		{"name", r.name}, {"event_type", r.event}, {"trigger_type", r.trigger}, {"trigger_metadata", r.wireMeta()},
		{"actions", actions}, {"enabled", r.enabled}, {"exempt_roles", r.exemptRoles}, {"exempt_channels", r.exemptChannels},
	}
}

// automodRoutes are the routes of automod rules.
func automodRoutes() []route {
	const list, one = "/guilds/{guild_id}/auto-moderation/rules", "/guilds/{guild_id}/auto-moderation/rules/{rule_id}"
	limit := per(5, 5*time.Second)
	return []route{
		{method: "GET", pattern: list, bucket: "automod", limit: limit, handle: listAutomodRules},
		{method: "POST", pattern: list, bucket: "automod-create", limit: limit, handle: createAutomodRule},
		{method: "GET", pattern: one, bucket: "automod", limit: limit, handle: getAutomodRule},
		{method: "PATCH", pattern: one, bucket: "automod-patch", limit: limit, handle: patchAutomodRule},
		{method: "DELETE", pattern: one, bucket: "automod-patch", limit: limit, handle: deleteAutomodRule},
	}
}

func listAutomodRules(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	list := []wireAutomodRule{}
	for _, id := range sortedIDs(g.automod) {
		list = append(list, newWireAutomodRule(g, g.automod[id]))
	}
	return list, nil
}

// automodRuleFor finds the rule that a path names.
func (c *call) automodRuleFor() (*automodRule, *guild, *member, *apiError) {
	g, me, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, nil, nil, err
	}
	r := g.automod[c.pathID("rule_id")]
	if r == nil {
		return nil, nil, nil, unknownAutomodRule()
	}
	return r, g, me, nil
}

func getAutomodRule(c *call) (any, *apiError) {
	r, g, _, err := c.automodRuleFor()
	if err != nil {
		return nil, err
	}
	return newWireAutomodRule(g, r), nil
}

func createAutomodRule(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	r := &automodRule{creator: c.me.id, automodValues: automodValues{event: 1}}
	if r.automodValues, err = c.automodBody(g, me, r.automodValues, true); err != nil {
		return nil, err
	}
	same := 0
	for _, other := range g.automod {
		if other.trigger == r.trigger {
			same++
		}
	}
	if same >= maxRulesOf(r.trigger) {
		var bad formErrors
		bad.add("AUTO_MODERATION_MAX_RULES_OF_TYPE_EXCEEDED", "Maximum number of rules of this type exceeded", "trigger_type")
		return nil, bad.err()
	}
	r.id = c.d.newID()
	g.automod[r.id] = r
	c.d.emit(g.id, "AUTO_MODERATION_RULE_CREATE", newWireAutomodRule(g, r))
	c.audit(g, AuditEntry{Action: AuditRuleCreate, Target: r.id, Changes: whole(r.auditKeys(), false)})
	return newWireAutomodRule(g, r), nil
}

func patchAutomodRule(c *call) (any, *apiError) {
	r, g, me, err := c.automodRuleFor()
	if err != nil {
		return nil, err
	}
	next, err := c.automodBody(g, me, r.automodValues, false)
	if err != nil {
		return nil, err
	}
	before := r.auditKeys()
	r.automodValues = next
	if changes := between(before, r.auditKeys()); len(changes) > 0 {
		c.d.emit(g.id, "AUTO_MODERATION_RULE_UPDATE", newWireAutomodRule(g, r))
		c.audit(g, AuditEntry{Action: AuditRuleUpdate, Target: r.id, Changes: changes})
	}
	return newWireAutomodRule(g, r), nil
}

func deleteAutomodRule(c *call) (any, *apiError) {
	r, g, _, err := c.automodRuleFor()
	if err != nil {
		return nil, err
	}
	delete(g.automod, r.id)
	c.d.emit(g.id, "AUTO_MODERATION_RULE_DELETE", newWireAutomodRule(g, r))
	c.audit(g, AuditEntry{Action: AuditRuleDelete, Target: r.id, Changes: whole(r.auditKeys(), true)})
	return noContent(), nil
}
