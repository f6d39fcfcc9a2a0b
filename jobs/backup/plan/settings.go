package plan

import (
	"fmt"
	"slices"

	"splashtail/jobs/backup/model"
)

// switches are the features that can be turned on and off.
func switches() []string { return []string{"COMMUNITY", "INVITES_DISABLED", "RAID_ALERTS_DISABLED"} }

// featuresOf are the switched-on ones, sorted.
func featuresOf(g model.Guild) []string {
	list := []string{}
	for _, f := range switches() {
		if g.Has(f) {
			list = append(list, f)
		}
	}
	return list
}

func settingsFields(g model.Guild) fields {
	return fields{
		"name": g.Name, "description": text(g.Description), "verification_level": g.VerificationLevel,
		"default_message_notifications": g.DefaultNotifications, "explicit_content_filter": g.ExplicitContentFilter,
		"preferred_locale": g.PreferredLocale, "afk_timeout": g.AFKTimeout, "afk_channel_id": g.AFKChannel,
		"system_channel_id": g.SystemChannel, "system_channel_flags": g.SystemChannelFlags,
		"rules_channel_id": g.RulesChannel, "public_updates_channel_id": g.UpdatesChannel,
		"safety_alerts_channel_id": g.SafetyAlertsChannel, "premium_progress_bar_enabled": g.BoostBar,
		"widget_enabled": g.WidgetEnabled, "widget_channel_id": g.WidgetChannel, "features": featuresOf(g),
		"icon": orNil(g.Icon), "splash": orNil(g.Splash), "banner": orNil(g.Banner), "discovery_splash": orNil(g.DiscoverySplash),
	}
}

// decideCommunity says whether the guild will be a community, before channels are decided on: some types depend on it.
func (m *maker) decideCommunity() {
	is, was := m.Live.Guild.Community(), m.Saved.Guild.Community()
	m.community = is
	if is == was || !m.has(Settings) || !m.Rights.admin() || !m.Rights.has(manageGuild) {
		return
	}
	if is {
		// Turning it off takes its channels' types and its screens away: only where the guild shall be exactly as saved.
		m.community = m.Options.Mode != Exact
		return
	}
	m.community = m.willHave(m.Saved.Guild.RulesChannel) && m.willHave(m.Saved.Guild.UpdatesChannel)
	m.turnsOn = m.community
}

// willHave tells whether a channel of the backup is in the guild or can be made.
func (m *maker) willHave(id *model.ID) bool {
	if id == nil {
		return false
	}
	in := func(list []model.Channel) bool {
		return slices.ContainsFunc(list, func(c model.Channel) bool { return c.ID == *id && sameType(c.Type, model.TypeText) })
	}
	return in(m.Live.Channels) ||
		in(m.Saved.Channels) && !m.protect[*id] && m.has(Channel) && m.Rights.has(manageChannels) &&
			len(m.Live.Channels)+2 <= m.limits.Channels
}

// decideRules says which channels the community will have for its rules and updates.
func (m *maker) decideRules() {
	m.rules, m.updates = deref(m.Live.Guild.RulesChannel), deref(m.Live.Guild.UpdatesChannel)
	if !m.has(Settings) || !m.Rights.has(manageGuild) || !m.Saved.Guild.Community() {
		return
	}
	if ref := m.channelOf[deref(m.Saved.Guild.RulesChannel)]; ref != "" {
		m.rules = ref
	}
	if ref := m.channelOf[deref(m.Saved.Guild.UpdatesChannel)]; ref != "" {
		m.updates = ref
	}
}

func deref(id *model.ID) model.ID {
	if id == nil {
		return ""
	}
	return *id
}

func isRef(to *model.ID, id model.ID) bool { return to != nil && *to == id }

// planSettings decides about the guild's own settings: what cannot be set stays as it is.
func (m *maker) planSettings() {
	t := thing{kind: Settings, phase: settings, live: m.Live.About.GuildID, name: m.Saved.Guild.Name}
	had, want := m.Live.Guild, m.Saved.Guild
	for what, at := range map[string][2]**model.ID{
		"AFK": {&want.AFKChannel, &had.AFKChannel}, "system": {&want.SystemChannel, &had.SystemChannel},
		"safety": {&want.SafetyAlertsChannel, &had.SafetyAlertsChannel}, "widget": {&want.WidgetChannel, &had.WidgetChannel},
	} {
		if !m.point(at[0], *at[1]) {
			t.less = append(t.less, "without its "+what+" channel, which is not here")
		}
	}
	slices.Sort(t.less)
	m.settleCommunity(&t, &want, had)
	for _, p := range []struct {
		want      *model.FileKey
		had       model.FileKey
		what, has string
	}{
		{&want.Icon, had.Icon, "icon", ""}, {&want.Splash, had.Splash, "invite picture", "INVITE_SPLASH"},
		{&want.Banner, had.Banner, "banner", "BANNER"}, {&want.DiscoverySplash, had.DiscoverySplash, "discovery picture", "DISCOVERABLE"},
	} {
		*p.want = m.picture(*p.want, p.had)
		if *p.want != p.had && *p.want != "" && p.has != "" && !had.Has(p.has) {
			t.less = append(t.less, fmt.Sprintf("without its %s, for which the server lacks the feature %s", p.what, p.has))
			*p.want = p.had
		}
	}
	if want.AFKTimeout == 0 {
		want.AFKTimeout = had.AFKTimeout
	}
	if want.PreferredLocale == "" || !m.community {
		want.PreferredLocale = had.PreferredLocale
	}
	if want.Name == "" {
		want.Name = had.Name
	}
	t.have, t.want = settingsFields(had), settingsFields(want)
	later := thing{kind: Settings, phase: others, live: t.live, name: t.name, have: fields{}, want: fields{}}
	for name, v := range t.want {
		if id, ok := v.(*model.ID); ok && m.late[deref(id)] {
			later.have[name], later.want[name] = t.have[name], v
			delete(t.want, name)
		}
	}
	m.settle(t)
	m.settle(later)
}

// point makes a reference to a channel of the backup one of the guild; false when that channel is not there and the
// reference stays as the guild has it.
func (m *maker) point(at **model.ID, had *model.ID) bool {
	if *at == nil {
		return true
	}
	ref := m.channelOf[**at]
	if ref == "" {
		*at = had
		return false
	}
	*at = &ref
	return true
}

// settleCommunity decides what depends on whether the guild will be a community.
func (m *maker) settleCommunity(t *thing, want *model.Guild, had model.Guild) {
	features := pick(featuresOf(*want), func(f string) bool { return f != "COMMUNITY" })
	if m.community {
		features = append(features, "COMMUNITY")
	}
	if m.community != want.Community() {
		is := "it does not become a community"
		if m.community {
			is = "it stays a community"
		}
		t.less = append(t.less, is+": that takes an administrator, in exact mode, and its two channels")
	}
	want.Features = features
	if !m.community {
		want.RulesChannel, want.UpdatesChannel, want.SafetyAlertsChannel = had.RulesChannel, had.UpdatesChannel, had.SafetyAlertsChannel
		if had.Community() {
			want.RulesChannel, want.UpdatesChannel, want.SafetyAlertsChannel = nil, nil, nil
		}
		return
	}
	rules, updates := m.rules, m.updates
	want.RulesChannel, want.UpdatesChannel = &rules, &updates
	if !m.Saved.Guild.Community() {
		want.SafetyAlertsChannel = had.SafetyAlertsChannel
		want.VerificationLevel = max(want.VerificationLevel, 1)
		want.ExplicitContentFilter = had.ExplicitContentFilter
	}
}
