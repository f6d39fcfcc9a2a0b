package checkup

import (
	"context"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/command"
	"splashtail/bus"
)

// Tools is what the check works with.
type Tools struct {
	Bus      *bus.Bus
	Self     func() string // the bot's own user
	Settings func(context.Context, bus.GuildID) (bus.GuildSettings, error)
	Limits   func(context.Context, bus.GuildID) ([]bus.LimitRule, error)
	Now      func() time.Time // nil: time.Now
}

func (t Tools) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// Commands lists the commands of this package. Who may see where a server is open is who
// manages it.
func Commands(t Tools) []command.Command {
	return []command.Command{{
		Name: "protect check", Group: "protection", Default: discordgo.PermissionManageGuild, Access: access.Needs(discordgo.PermissionManageGuild),
		Handle: func(ctx context.Context, u *command.Use) error {
			return u.Reply(ctx, report(u.Words, judge(u.Words, t.gather(ctx, u), u.Op)))
		},
	}}
}
