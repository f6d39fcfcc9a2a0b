package create

import (
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
)

// access knows what the bot may do in the guild.
type access struct {
	guild *discordgo.Guild
	me    *discordgo.Member
	now   time.Time
}

func newAccess(g *wireGuild, me *discordgo.Member, now time.Time) access {
	dg := &discordgo.Guild{ID: string(g.ID), OwnerID: string(g.OwnerID)}
	for _, r := range g.Roles {
		dg.Roles = append(dg.Roles, &discordgo.Role{ID: string(r.ID), Permissions: bits(r.Permissions), Position: r.Position})
	}
	return access{guild: dg, me: me, now: now}
}

// guildWide says why the bot lacks a permission in the whole guild; empty when it has it.
func (a access) guildWide(permission int64) string {
	if discord.GuildPermissions(a.guild, a.me, a.now)&permission == 0 {
		return needs(permission)
	}
	return ""
}

// channel is what the bot may do in a channel, and in its threads.
func (a access) channel(c *model.Channel) int64 {
	dc := &discordgo.Channel{ID: string(c.ID), Type: discordgo.ChannelType(c.Type)}
	for _, o := range c.Overwrites {
		dc.PermissionOverwrites = append(dc.PermissionOverwrites, &discordgo.PermissionOverwrite{
			ID: string(o.ID), Type: discordgo.PermissionOverwriteType(o.Type), Allow: bits(o.Allow), Deny: bits(o.Deny),
		})
	}
	return discord.ChannelPermissions(a.guild, a.me, dc, nil, a.now)
}

// unreadable says why the bot cannot read what was written in a channel; empty when it can. Read Message History counts as
// much as View Channels: without it Discord gives an empty list, which would look like an empty channel.
func (a access) unreadable(c *model.Channel) string {
	p := a.channel(c)
	for _, need := range []int64{discordgo.PermissionViewChannel, discordgo.PermissionVoiceConnect, discordgo.PermissionReadMessageHistory} {
		voice := c.Type == model.TypeVoice || c.Type == model.TypeStage
		if need == discordgo.PermissionVoiceConnect && !voice {
			continue
		}
		if p&need == 0 {
			return needs(need)
		}
	}
	return ""
}

func bits(b model.Bits) int64 {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0 // Discord's permissions fit; what does not allows nothing
	}
	return n
}
