package discord

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"
)

// MaxTimeout is the longest time-out that Discord takes.
const MaxTimeout = 28 * 24 * time.Hour

// Member gets one member. CodeUnknownMember: not in the guild.
func (b *Bot) Member(ctx context.Context, guild, user string) (*discordgo.Member, error) {
	return get[*discordgo.Member](ctx, b, at(http.MethodGet, "/guilds/{}/members/{}", guild, user))
}

// Members lists at most limit (1 to 1000) members with ids above after, in order of id;
// after is empty for the first page. Needs the members intent.
func (b *Bot) Members(ctx context.Context, guild, after string, limit int) ([]*discordgo.Member, error) {
	return get[[]*discordgo.Member](ctx, b, at(http.MethodGet, "/guilds/{}/members", guild).query("after", after).query("limit", strconv.Itoa(limit)))
}

// SearchMembers finds members whose name or nickname begins with a text, at most 1000.
func (b *Bot) SearchMembers(ctx context.Context, guild, begin string, limit int) ([]*discordgo.Member, error) {
	return get[[]*discordgo.Member](ctx, b, at(http.MethodGet, "/guilds/{}/members/search", guild).query("query", begin).query("limit", strconv.Itoa(limit)))
}

// EditMember changes a member: nick, roles (the whole list), communication_disabled_until,
// channel_id; mute and deaf only for who is in voice.
func (b *Bot) EditMember(ctx context.Context, guild, user string, c Changes, reason string) (*discordgo.Member, error) {
	return get[*discordgo.Member](ctx, b, at(http.MethodPatch, "/guilds/{}/members/{}", guild, user).with(c).because(reason))
}

// Timeout keeps a member from speaking and writing until a time at most MaxTimeout ahead;
// the zero time lifts it. Discord refuses it for administrators (CodeMissingPermissions).
func (b *Bot) Timeout(ctx context.Context, guild, user string, until time.Time, reason string) error {
	c := Changes{"communication_disabled_until": nil}
	if !until.IsZero() {
		c["communication_disabled_until"] = until.UTC().Format(time.RFC3339Nano)
	}
	_, err := b.EditMember(ctx, guild, user, c, reason)
	return err
}

// SetRoles replaces all roles of a member in one request. Managed roles have to stay in
// the list, since nobody can take them.
func (b *Bot) SetRoles(ctx context.Context, guild, user string, roles []string, reason string) error {
	if roles == nil {
		roles = []string{}
	}
	_, err := b.EditMember(ctx, guild, user, Changes{"roles": roles}, reason)
	return err
}

// AddRole gives one role.
func (b *Bot) AddRole(ctx context.Context, guild, user, role, reason string) error {
	return b.send(ctx, at(http.MethodPut, "/guilds/{}/members/{}/roles/{}", guild, user, role).because(reason))
}

// RemoveRole takes one role.
func (b *Bot) RemoveRole(ctx context.Context, guild, user, role, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/guilds/{}/members/{}/roles/{}", guild, user, role).because(reason))
}

// Kick removes a member.
func (b *Bot) Kick(ctx context.Context, guild, user, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/guilds/{}/members/{}", guild, user).because(reason))
}
