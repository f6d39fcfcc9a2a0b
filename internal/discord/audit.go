package discord

import (
	"context"
	"net/http"
	"strconv"

	"github.com/bwmarrin/discordgo"
)

// AuditQuery selects entries of an audit log. Zero fields select everything.
type AuditQuery struct {
	User          string // who acted
	Action        discordgo.AuditLogAction
	Before, After string // entry ids; with After the oldest come first
	Limit         int    // 1 to 100; zero: 50
}

// AuditLog reads a guild's audit log, which goes back 45 days. The gateway's event is
// faster; this fills gaps.
func (b *Bot) AuditLog(ctx context.Context, guild string, a AuditQuery) (*discordgo.GuildAuditLog, error) {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	return get[*discordgo.GuildAuditLog](ctx, b, at(http.MethodGet, "/guilds/{}/audit-logs", guild).
		query("user_id", a.User).query("action_type", number(int(a.Action))).
		query("before", a.Before).query("after", a.After).query("limit", number(a.Limit)))
}
