package checkup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
)

// line is one thing that was checked.
type line struct {
	key  string // check.KEY is its heading
	mark mark
	text string
}

// mark is how a line is.
type mark int

const (
	good mark = iota
	note      // nothing to do about it now
	bad
)

// staleAfter is how long a guild may be silent before the bot says that it may be blind:
// the quietest guild that is alive brings an event on the next message.
const staleAfter = time.Hour

// dangerous is what an attacker needs for damage that cannot be lived with.
const dangerous = discordgo.PermissionAdministrator | discordgo.PermissionManageGuild | discordgo.PermissionManageRoles | discordgo.PermissionManageChannels |
	discordgo.PermissionBanMembers | discordgo.PermissionKickMembers | discordgo.PermissionManageWebhooks

// judge gives every line. ref names the check in the logs.
func judge(w words.Language, f facts, ref string) []line {
	lines := []line{roles(w, f), permissions(w, f), intents(w, f), limitLine(w, f), alertLine(w, f), quarantine(w, f), events(w, f)}
	needs := map[string][]string{"roles": {partRoles}, "permissions": {partRoles}, "intents": {partIntents}, "limits": {partLimits},
		"alert": {partSettings, partRoles}, "quarantine": {partSettings, partRoles, partLimits}, "events": {partEvents}}
	for i, l := range lines {
		for _, part := range needs[l.key] {
			if f.lost[part] != nil {
				lines[i] = line{l.key, bad, w.T("check.lost", "what", w.T("check."+part), "ref", ref)}
			}
		}
	}
	return append(lines, line{"backup", note, w.T("check.backup_none")})
}

// roles finds roles whose holders could not be stopped.
func roles(w words.Language, f facts) line {
	if f.guild == nil || f.me == nil {
		return line{key: "roles"}
	}
	var above []string
	for _, r := range f.guild.Roles {
		mine := slices.Contains(f.me.Roles, r.ID) || r.ID == f.guild.ID
		if !mine && r.Permissions&dangerous != 0 && !discord.CanActOnRole(f.guild, f.me, r) {
			above = append(above, "<@&"+r.ID+">")
		}
	}
	if len(above) == 0 {
		return line{"roles", good, w.T("check.roles_ok")}
	}
	count := len(above)
	if count > 5 {
		above = append(above[:5], "…")
	}
	return line{"roles", bad, w.T("check.roles_bad", "count", count, "roles", strings.Join(above, ", "))}
}

// permissions says which are missing, and for what.
func permissions(w words.Language, f facts) line {
	if f.guild == nil || f.me == nil {
		return line{key: "permissions"}
	}
	have := discord.RolePermissions(f.guild, f.me)
	var missing []string
	for _, need := range []struct {
		bit  int64
		name string
	}{
		{discordgo.PermissionViewAuditLogs, "audit"}, {discordgo.PermissionManageRoles, "roles"}, {discordgo.PermissionKickMembers, "kick"},
		{discordgo.PermissionBanMembers, "ban"}, {discordgo.PermissionModerateMembers, "timeout"}, {discordgo.PermissionManageGuild, "guild"},
		{discordgo.PermissionManageChannels, "channels"},
	} {
		if have&need.bit == 0 {
			missing = append(missing, w.T("check.need_"+need.name))
		}
	}
	if len(missing) > 0 {
		return line{"permissions", bad, w.T("check.permissions_bad", "list", strings.Join(missing, ", "))}
	}
	return line{"permissions", good, w.T("check.permissions_ok")}
}

// Flags of an application; each intent has one for large applications and one for others.
const (
	flagMembers = 1<<14 | 1<<15
	flagContent = 1<<18 | 1<<19
)

func intents(w words.Language, f facts) line {
	var off []string
	if f.flags&flagMembers == 0 {
		off = append(off, w.T("check.intent_members"))
	}
	if f.flags&flagContent == 0 {
		off = append(off, w.T("check.intent_content"))
	}
	if len(off) > 0 {
		return line{"intents", bad, w.T("check.intents_bad", "list", strings.Join(off, ", "))}
	}
	return line{"intents", good, w.T("check.intents_ok")}
}

func limitLine(w words.Language, f facts) line {
	acts := slices.ContainsFunc(f.limits, func(r bus.LimitRule) bool { return r.Respond != bus.RespondAlert })
	switch {
	case len(f.limits) == 0:
		return line{"limits", bad, w.T("check.limits_none")}
	case !acts:
		return line{"limits", bad, w.T("check.limits_alert", "count", len(f.limits))}
	}
	return line{"limits", good, w.T("check.limits_ok", "count", len(f.limits))}
}

func alertLine(w words.Language, f facts) line {
	id := f.settings.AlertChannel
	if id == "" {
		return line{"alert", bad, w.T("check.alert_unset")}
	}
	const need = discordgo.PermissionViewChannel | discordgo.PermissionSendMessages | discordgo.PermissionEmbedLinks
	if f.alert == nil || f.guild == nil || f.me == nil || f.alert.GuildID != f.guild.ID || discord.ChannelPermissions(f.guild, f.me, f.alert, nil, f.now)&need != need {
		return line{"alert", bad, w.T("check.alert_bad", "channel", "<#"+id+">")}
	}
	return line{"alert", good, w.T("check.alert_ok", "channel", "<#"+id+">")}
}

func quarantine(w words.Language, f facts) line {
	bads := func(key string) line {
		return line{"quarantine", bad, w.T(key, "role", "<@&"+f.settings.Quarantine+">")}
	}
	if f.settings.Quarantine == "" {
		if slices.ContainsFunc(f.limits, func(r bus.LimitRule) bool { return r.Respond == bus.RespondQuarantine }) {
			return bads("check.quarantine_unset")
		}
		return line{"quarantine", note, w.T("check.quarantine_unneeded")}
	}
	if f.guild == nil || f.me == nil {
		return line{key: "quarantine"}
	}
	i := slices.IndexFunc(f.guild.Roles, func(r *discordgo.Role) bool { return r.ID == f.settings.Quarantine })
	switch {
	case i < 0:
		return bads("check.quarantine_gone")
	case !discord.CanGiveRole(f.guild, f.me, f.guild.Roles[i]):
		return bads("check.quarantine_high")
	case f.guild.Roles[i].Permissions&dangerous != 0:
		return bads("check.quarantine_strong")
	}
	return line{"quarantine", good, w.T("check.quarantine_ok", "role", "<@&"+f.settings.Quarantine+">")}
}

// events says how long ago the guild was last heard of.
func events(w words.Language, f facts) line {
	switch {
	case f.event.IsZero():
		return line{"events", bad, w.T("check.events_never")}
	case f.now.Sub(f.event) > staleAfter:
		return line{"events", bad, w.T("check.events_stale", "at", stamp(f.event))}
	}
	return line{"events", good, w.T("check.events_ok", "at", stamp(f.event))}
}

func stamp(at time.Time) string { return fmt.Sprintf("<t:%d:R>", at.Unix()) }

// report makes the card. It is green only when every line is.
func report(w words.Language, lines []line) card.Card {
	wrong := 0
	var fields []card.Field
	for _, l := range lines {
		sign := "✅ "
		switch l.mark {
		case bad:
			sign, wrong = "❌ ", wrong+1
		case note:
			sign = "➖ "
		}
		fields = append(fields, card.Field{Name: sign + w.T("check."+l.key), Value: l.text})
	}
	c := card.Card{Title: w.T("check.title_ok"), Colour: card.Good, Fields: fields}
	if wrong > 0 {
		c.Title, c.Colour = w.T("check.title_bad", "count", wrong), card.Bad
	}
	return c
}
