package discord

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"
)

// Guild gets a guild with its roles and approximate counts, without channels and members.
func (b *Bot) Guild(ctx context.Context, guild string) (*discordgo.Guild, error) {
	return get[*discordgo.Guild](ctx, b, at(http.MethodGet, "/guilds/{}", guild).query("with_counts", "true"))
}

// EditGuild changes settings of a guild. The key "features" replaces the whole list.
func (b *Bot) EditGuild(ctx context.Context, guild string, c Changes, reason string) (*discordgo.Guild, error) {
	return get[*discordgo.Guild](ctx, b, at(http.MethodPatch, "/guilds/{}", guild).with(c).because(reason))
}

// IncidentActions is what Discord itself holds back in a guild for a while.
type IncidentActions struct {
	InvitesDisabledUntil *time.Time `json:"invites_disabled_until"` // nobody can join; at most 24 h ahead, nil: open
	DMsDisabledUntil     *time.Time `json:"dms_disabled_until"`     // no messages between members who are not friends
}

// SetIncidentActions stops joins, private messages or both in one request; nil times lift
// it. Needs Manage Server. The answer tells what holds now.
func (b *Bot) SetIncidentActions(ctx context.Context, guild string, a IncidentActions, reason string) (IncidentActions, error) {
	return get[IncidentActions](ctx, b, at(http.MethodPut, "/guilds/{}/incident-actions", guild).with(a).because(reason))
}

// PruneCount tells how many members without roles, or with no others than these, were
// away for so many days (1 to 30).
func (b *Bot) PruneCount(ctx context.Context, guild string, days int, roles []string) (int, error) {
	type count struct {
		Pruned int `json:"pruned"`
	}
	q := at(http.MethodGet, "/guilds/{}/prune", guild).query("days", strconv.Itoa(days))
	for _, r := range roles {
		q.Query.Add("include_roles", r)
	}
	n, err := get[count](ctx, b, q)
	return n.Pruned, err
}

// Prune kicks those that PruneCount counts. It does not wait for a count, since that
// takes Discord minutes in large guilds.
func (b *Bot) Prune(ctx context.Context, guild string, days int, roles []string, reason string) error {
	c := Changes{"days": days, "compute_prune_count": false}
	if len(roles) > 0 {
		c["include_roles"] = roles
	}
	return b.send(ctx, at(http.MethodPost, "/guilds/{}/prune", guild).with(c).because(reason))
}

// Invites lists a guild's invites. Needs Manage Server.
func (b *Bot) Invites(ctx context.Context, guild string) ([]*discordgo.Invite, error) {
	return get[[]*discordgo.Invite](ctx, b, at(http.MethodGet, "/guilds/{}/invites", guild))
}

// DeleteInvite revokes an invite by its code.
func (b *Bot) DeleteInvite(ctx context.Context, code, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/invites/{}", code).because(reason))
}
