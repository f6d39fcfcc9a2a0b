package discord

import (
	"context"
	"net/http"

	"github.com/bwmarrin/discordgo"
)

// Roles lists a guild's roles; the one with the guild's id is @everyone.
func (b *Bot) Roles(ctx context.Context, guild string) ([]*discordgo.Role, error) {
	return get[[]*discordgo.Role](ctx, b, at(http.MethodGet, "/guilds/{}/roles", guild))
}

// CreateRole makes a role at the bottom. The key "permissions" is a decimal text. Guilds
// have a limit of about 250 new roles in two days; without a deadline of its own the
// request gives up after a minute, with *LimitedError or *APIError that tells the wait.
// It is not repeated when its answer is lost: look for the role by name first.
func (b *Bot) CreateRole(ctx context.Context, guild string, c Changes, reason string) (*discordgo.Role, error) {
	return get[*discordgo.Role](ctx, b, at(http.MethodPost, "/guilds/{}/roles", guild).with(c).because(reason))
}

// EditRole changes a role below the bot's highest one.
func (b *Bot) EditRole(ctx context.Context, guild, role string, c Changes, reason string) (*discordgo.Role, error) {
	return get[*discordgo.Role](ctx, b, at(http.MethodPatch, "/guilds/{}/roles/{}", guild, role).with(c).because(reason))
}

// DeleteRole deletes a role and takes it from all members.
func (b *Bot) DeleteRole(ctx context.Context, guild, role, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/guilds/{}/roles/{}", guild, role).because(reason))
}

// MoveRoles sorts roles in one request; the answer lists all roles as they are then.
func (b *Bot) MoveRoles(ctx context.Context, guild string, places []Place, reason string) ([]*discordgo.Role, error) {
	return get[[]*discordgo.Role](ctx, b, at(http.MethodPatch, "/guilds/{}/roles", guild).with(places).because(reason))
}
