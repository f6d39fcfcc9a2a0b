package restore

import (
	"cmp"

	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// lacks gives the kinds of things that a backup does not hold, with the reason, by its manifest. Of one that the manifest does
// not mention it holds what is in it: where that is nothing, nobody knows whether there was something. The ancestor's name
// several kinds at once.
func lacks(m model.Manifest, s *model.Snapshot) map[plan.Kind]string {
	items := map[string]model.Item{}
	for _, i := range m.Items {
		items[i.Name] = i
	}
	out := map[plan.Kind]string{}
	for _, k := range []struct {
		kind plan.Kind
		item string
		some bool
	}{
		{plan.Settings, "settings", s.Guild.Name != ""}, {plan.Role, "roles", len(s.Roles) > 0}, {plan.Channel, "channels", len(s.Channels) > 0},
		{plan.Emoji, "emojis", len(s.Emojis) > 0}, {plan.Sticker, "stickers", len(s.Stickers) > 0}, {plan.Sound, "sounds", len(s.Sounds) > 0},
		{plan.AutoMod, "automod", len(s.AutoMod) > 0}, {plan.Welcome, "welcome", s.Welcome != nil}, {plan.Onboarding, "onboarding", s.Onboarding != nil},
		{plan.Event, "events", len(s.Events) > 0}, {plan.Webhook, "webhooks", len(s.Webhooks) > 0}, {plan.Ban, "bans", len(s.Bans) > 0},
		{plan.Member, "members", len(s.Members) > 0},
	} {
		item, told := items[k.item]
		if !told {
			item, told = items[map[plan.Kind]string{
				plan.Emoji: "expressions", plan.Sticker: "expressions", plan.Sound: "expressions", plan.Welcome: "community", plan.Onboarding: "community",
			}[k.kind]]
		}
		switch {
		case k.some:
		case told && !item.Kept:
			out[k.kind] = cmp.Or(item.Reason, "it says no reason")
		case !told:
			out[k.kind] = "its manifest does not mention it"
		}
	}
	return out
}
