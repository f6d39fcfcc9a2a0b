package discord

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"
)

const (
	// MaxBanDelete is how far back a ban can delete messages.
	MaxBanDelete = 7 * 24 * time.Hour
	// MaxBulkBan is how many users one bulk ban takes.
	MaxBulkBan = 200
)

// Ban bans a user, member or not, and deletes what they wrote in the time before.
func (b *Bot) Ban(ctx context.Context, guild, user string, deleteBefore time.Duration, reason string) error {
	c := Changes{"delete_message_seconds": banSeconds(deleteBefore)}
	return b.send(ctx, at(http.MethodPut, "/guilds/{}/bans/{}", guild, user).with(c).because(reason))
}

// Unban lifts a ban. CodeUnknownBan: there is none.
func (b *Bot) Unban(ctx context.Context, guild, user, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/guilds/{}/bans/{}", guild, user).because(reason))
}

// BulkBanned is what came of a bulk ban.
type BulkBanned struct {
	Banned []string `json:"banned_users"`
	Failed []string `json:"failed_users"` // already banned, out of reach, or unknown
}

// BulkBan bans up to MaxBulkBan users at once. Needs Ban Members and Manage Server.
// CodeNobodyBanned: not one could be banned.
func (b *Bot) BulkBan(ctx context.Context, guild string, users []string, deleteBefore time.Duration, reason string) (BulkBanned, error) {
	if len(users) == 0 || len(users) > MaxBulkBan {
		return BulkBanned{}, fmt.Errorf("a bulk ban takes 1 to %d users, not %d; nobody was banned", MaxBulkBan, len(users))
	}
	c := Changes{"user_ids": users, "delete_message_seconds": banSeconds(deleteBefore)}
	return get[BulkBanned](ctx, b, at(http.MethodPost, "/guilds/{}/bulk-ban", guild).with(c).because(reason))
}

// Bans lists at most limit (1 to 1000) bans with user ids above after, in order of id.
func (b *Bot) Bans(ctx context.Context, guild, after string, limit int) ([]*discordgo.GuildBan, error) {
	return get[[]*discordgo.GuildBan](ctx, b, at(http.MethodGet, "/guilds/{}/bans", guild).query("after", after).query("limit", strconv.Itoa(limit)))
}

// BanOf gets one ban. CodeUnknownBan: there is none.
func (b *Bot) BanOf(ctx context.Context, guild, user string) (*discordgo.GuildBan, error) {
	return get[*discordgo.GuildBan](ctx, b, at(http.MethodGet, "/guilds/{}/bans/{}", guild, user))
}

func banSeconds(d time.Duration) int { return int(min(max(d, 0), MaxBanDelete) / time.Second) }
