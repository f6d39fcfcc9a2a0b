package plan

import (
	"slices"

	"splashtail/jobs/backup/model"
)

func welcomeFields(w *model.WelcomeScreen) fields {
	if w == nil {
		w = &model.WelcomeScreen{}
	}
	list := []map[string]any{}
	for _, c := range w.Channels {
		e := map[string]any{"channel_id": c.Channel, "description": c.Description, "emoji_id": c.EmojiID, "emoji_name": nil}
		if c.EmojiID == nil {
			e["emoji_name"] = text(c.EmojiName)
		}
		list = append(list, e)
	}
	return fields{"enabled": w.Enabled, "description": text(w.Description), "welcome_channels": list}
}

func onboardingFields(o *model.Onboarding) fields {
	if o == nil {
		o = &model.Onboarding{}
	}
	channels := slices.Clone(o.DefaultChannels)
	slices.Sort(channels)
	prompts := []map[string]any{}
	for _, p := range o.Prompts {
		options := []map[string]any{}
		for _, a := range p.Options {
			roles, channels := slices.Clone(a.Roles), slices.Clone(a.Channels)
			slices.Sort(roles)
			slices.Sort(channels)
			e := map[string]any{
				"title": a.Title, "description": text(a.Description), "role_ids": orEmpty(roles), "channel_ids": orEmpty(channels),
				"emoji_id": a.EmojiID, "emoji_name": nil, "emoji_animated": a.EmojiAnimated,
			}
			if a.EmojiID == nil {
				e["emoji_name"] = text(a.EmojiName)
			}
			options = append(options, e)
		}
		prompts = append(prompts, map[string]any{
			"type": p.Type, "title": p.Title, "single_select": p.SingleSelect, "required": p.Required,
			"in_onboarding": p.InOnboarding, "options": options,
		})
	}
	return fields{"enabled": o.Enabled, "mode": o.Mode, "default_channel_ids": orEmpty(channels), "prompts": prompts}
}

// planCommunity decides about the welcome screen and the onboarding. Neither is taken away where the backup has none.
func (m *maker) planCommunity() {
	no := ""
	if !m.community {
		no = "only a community has it"
	}
	if w := m.Saved.Welcome; w != nil {
		t := thing{kind: Welcome, phase: others, live: m.Live.About.GuildID, no: no, have: welcomeFields(m.Live.Welcome)}
		want := *w
		want.Channels = nil
		for _, c := range w.Channels {
			if c.Channel = m.channelOf[c.Channel]; c.Channel == "" {
				continue
			}
			c.EmojiID = m.emoji(c.EmojiID)
			want.Channels = append(want.Channels, c)
		}
		if len(want.Channels) < len(w.Channels) {
			t.less = append(t.less, "without channels that are not here")
		}
		t.want = welcomeFields(&want)
		m.settle(t)
	}
	if o := m.Saved.Onboarding; o != nil {
		t := thing{kind: Onboarding, phase: others, live: m.Live.About.GuildID, no: no, have: onboardingFields(m.Live.Onboarding)}
		want, cut := m.onboarding(*o)
		if cut {
			t.less = append(t.less, "without channels and roles that are not here")
		}
		t.want = onboardingFields(&want)
		m.settle(t)
	}
}

// onboarding rewrites the questions in the guild's terms. An answer that gives nothing any more is left out.
func (m *maker) onboarding(o model.Onboarding) (want model.Onboarding, cut bool) {
	want = o
	want.DefaultChannels = refs(o.DefaultChannels, m.channelOf)
	cut = len(want.DefaultChannels) < len(o.DefaultChannels)
	want.Prompts = nil
	for _, p := range o.Prompts {
		options := p.Options
		p.Options = nil
		for _, a := range options {
			n := len(a.Roles) + len(a.Channels)
			a.Roles, a.Channels = refs(a.Roles, m.roleOf), refs(a.Channels, m.channelOf)
			left := len(a.Roles) + len(a.Channels)
			cut = cut || left < n
			a.EmojiID = m.emoji(a.EmojiID)
			if left > 0 || n == 0 {
				p.Options = append(p.Options, a)
			}
		}
		if len(p.Options) > 0 {
			want.Prompts = append(want.Prompts, p)
		}
	}
	return want, cut
}
