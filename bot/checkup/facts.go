package checkup

import (
	"context"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/command"
	"splashtail/bus"
	"splashtail/internal/discord"
)

// facts is what is known about a guild's protection. What could not be read is in lost,
// and the lines that need it are not judged.
type facts struct {
	now      time.Time
	guild    *discordgo.Guild
	me       *discordgo.Member
	flags    int // of the application
	settings bus.GuildSettings
	alert    *discordgo.Channel // nil: none is set, or it cannot be seen
	limits   []bus.LimitRule
	event    time.Time // when the newest event of the guild came; zero: none is stored
	lost     map[string]error
}

// The parts of facts that are read one by one, as they are called in lost and, behind
// check., in the catalogue.
const (
	partRoles    = "roles" // guild and own membership
	partIntents  = "intents"
	partSettings = "alert"
	partLimits   = "limits"
	partEvents   = "events"
)

// gatherWithin bounds the reading of everything.
const gatherWithin = 20 * time.Second

// gather reads everything at once.
func (t Tools) gather(ctx context.Context, u *command.Use) facts {
	ctx, cancel := context.WithTimeout(ctx, gatherWithin)
	defer cancel()
	f := facts{now: t.now(), lost: map[string]error{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	part := func(name string, read func() error) {
		all.Go(func() {
			if err := read(); err != nil {
				mu.Lock()
				f.lost[name] = err
				mu.Unlock()
				u.Log.Warn("a part of what protects a guild could not be read", "guild", u.Guild, "part", name, "op", u.Op, "err", err)
			}
		})
	}
	part(partRoles, func() (err error) {
		if f.guild, err = u.Bot.Guild(ctx, u.GuildID()); err == nil {
			f.me, err = u.Bot.Member(ctx, u.GuildID(), t.Self())
		}
		return err
	})
	part(partIntents, func() error {
		app, err := u.Bot.Application(ctx)
		if err == nil {
			f.flags = app.Flags
		}
		return err
	})
	part(partSettings, func() (err error) {
		if f.settings, err = t.Settings(ctx, u.Guild); err != nil || f.settings.AlertChannel == "" {
			return err
		}
		f.alert, err = u.Bot.Channel(ctx, f.settings.AlertChannel)
		if discord.HasCode(err, discord.CodeMissingAccess, discord.CodeUnknownChannel, discord.CodeMissingPermissions) {
			f.alert, err = nil, nil // that is an answer
		}
		return err
	})
	part(partLimits, func() (err error) {
		f.limits, err = t.Limits(ctx, u.Guild)
		return err
	})
	part(partEvents, func() error {
		return bus.Latest(ctx, t.Bus, bus.DispatchesOfGuild(u.Guild), func(d bus.Delivery[bus.Dispatch]) error {
			// The command itself came the same way and would make any silence look new.
			if d.Value.Event != "INTERACTION_CREATE" && d.Time.After(f.event) {
				f.event = d.Time
			}
			return nil
		})
	})
	all.Wait()
	return f
}
