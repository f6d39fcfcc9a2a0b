package create

import (
	"context"
	"slices"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
)

// section reads one list of the guild and reports on it. lacks says why the bot may not, without asking Discord: refused
// requests count against the address.
func (k *taking) section(ctx context.Context, f *found, name, part, lacks string, read func(context.Context) error, count func() int) error {
	switch {
	case !k.wants(part):
		f.Report.not(name, leftOut)
		return nil
	case lacks != "":
		f.Report.not(name, lacks)
		return nil
	}
	err := call(ctx, read)
	if why, ok := refusal(err); ok {
		f.Report.not(name, why)
		return nil
	}
	if err == nil {
		f.Report.kept(name, count(), "")
	}
	return err
}

func (k *taking) sounds(ctx context.Context, f *found, _ access) ([]asset, error) {
	s := &f.Snapshot
	err := k.section(ctx, f, "sounds", bus.PartExpressions, "",
		func(ctx context.Context) error { return k.t.Bot.ReadSounds(ctx, k.guild, &s.Sounds) },
		func() int { return len(s.Sounds) })
	slices.SortFunc(s.Sounds, func(a, b model.Sound) int { return byID(a.ID, b.ID) })
	var all []asset
	for i := range s.Sounds {
		one := &s.Sounds[i]
		all = append(all, asset{what: "the sound " + one.Name, id: one.ID, path: "/soundboard-sounds/" + string(one.ID), most: maxExpression, good: sound, to: &one.File})
	}
	return all, err
}

func (k *taking) autoMod(ctx context.Context, f *found, a access) ([]asset, error) {
	s := &f.Snapshot
	err := k.section(ctx, f, "automod", bus.PartAutoMod, a.guildWide(discordgo.PermissionManageGuild),
		func(ctx context.Context) error { return k.t.Bot.ReadAutoMod(ctx, k.guild, &s.AutoMod) },
		func() int { return len(s.AutoMod) })
	for i := range s.AutoMod {
		s.AutoMod[i].Trigger = unlessNull(s.AutoMod[i].Trigger)
	}
	slices.SortFunc(s.AutoMod, func(a, b model.AutoModRule) int { return byID(a.ID, b.ID) })
	return nil, err
}

// welcome keeps the welcome screen. Discord's answer does not say whether it is shown; the guild's features do.
func (k *taking) welcome(ctx context.Context, f *found, a access) ([]asset, error) {
	on := slices.Contains(f.features, "WELCOME_SCREEN_ENABLED")
	lacks := ""
	if !on {
		lacks = a.guildWide(discordgo.PermissionManageGuild)
	}
	n := 0
	return nil, k.section(ctx, f, "welcome", bus.PartCommunity, lacks, func(ctx context.Context) error {
		var w model.WelcomeScreen
		err := k.t.Bot.ReadWelcome(ctx, k.guild, &w)
		if discord.HasCode(err, discord.CodeUnknownWelcome) {
			return nil // there is none, and the backup says so by holding none
		}
		if err == nil {
			w.Enabled = on
			f.Snapshot.Welcome, n = &w, 1
		}
		return err
	}, func() int { return n })
}

func (k *taking) onboarding(ctx context.Context, f *found, a access) ([]asset, error) {
	n := 0
	return nil, k.section(ctx, f, "onboarding", bus.PartCommunity, "", func(ctx context.Context) error {
		var w wireOnboarding
		err := k.t.Bot.ReadOnboarding(ctx, k.guild, &w)
		if err == nil {
			f.Snapshot.Onboarding = w.onboarding()
			n = len(w.Prompts)
		}
		return err
	}, func() int { return n })
}

func (k *taking) events(ctx context.Context, f *found, _ access) ([]asset, error) {
	s := &f.Snapshot
	err := k.section(ctx, f, "events", bus.PartEvents, "", func(ctx context.Context) error {
		var all []wireEvent
		err := k.t.Bot.ReadEvents(ctx, k.guild, &all)
		for _, w := range all {
			s.Events = append(s.Events, w.event())
		}
		return err
	}, func() int { return len(s.Events) })
	slices.SortFunc(s.Events, func(a, b model.Event) int { return byID(a.ID, b.ID) })
	var all []asset
	for i := range s.Events {
		e := &s.Events[i]
		all = append(all, hashed("the picture of the event "+e.Name, e.ID, "guild-events/"+string(e.ID), &e.Image)...)
	}
	return all, err
}

// webhooks keeps who writes where. Tokens are not even decoded.
func (k *taking) webhooks(ctx context.Context, f *found, a access) ([]asset, error) {
	s := &f.Snapshot
	err := k.section(ctx, f, "webhooks", bus.PartWebhooks, a.guildWide(discordgo.PermissionManageWebhooks),
		func(ctx context.Context) error { return k.t.Bot.ReadWebhooks(ctx, k.guild, &s.Webhooks) },
		func() int { return len(s.Webhooks) })
	slices.SortFunc(s.Webhooks, func(a, b model.Webhook) int { return byID(a.ID, b.ID) })
	var all []asset
	for i := range s.Webhooks {
		h := &s.Webhooks[i]
		all = append(all, hashed("the picture of a webhook", h.ID, "avatars/"+string(h.ID), &h.Avatar)...)
	}
	return all, err
}
