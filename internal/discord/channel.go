package discord

import (
	"context"
	"net/http"
	"strconv"

	"github.com/bwmarrin/discordgo"
)

// Channels lists a guild's channels with their overwrites, without threads.
func (b *Bot) Channels(ctx context.Context, guild string) ([]*discordgo.Channel, error) {
	return get[[]*discordgo.Channel](ctx, b, at(http.MethodGet, "/guilds/{}/channels", guild))
}

// Channel gets one channel or thread.
func (b *Bot) Channel(ctx context.Context, channel string) (*discordgo.Channel, error) {
	return get[*discordgo.Channel](ctx, b, at(http.MethodGet, "/channels/{}", channel))
}

// CreateChannel makes a channel; the key "name" is needed. It is not repeated when its
// answer is lost: look for it by name and type first.
func (b *Bot) CreateChannel(ctx context.Context, guild string, c Changes, reason string) (*discordgo.Channel, error) {
	return get[*discordgo.Channel](ctx, b, at(http.MethodPost, "/guilds/{}/channels", guild).with(c).because(reason))
}

// EditChannel changes a channel. Name and topic can be changed twice in ten minutes only;
// changes of other keys do not wait for that.
func (b *Bot) EditChannel(ctx context.Context, channel string, c Changes, reason string) (*discordgo.Channel, error) {
	return get[*discordgo.Channel](ctx, b, at(http.MethodPatch, "/channels/{}", channel).with(c).because(reason))
}

// DeleteChannel deletes a channel with all its messages.
func (b *Bot) DeleteChannel(ctx context.Context, channel, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/channels/{}", channel).because(reason))
}

// Place is where a channel or role goes.
type Place struct {
	ID       string `json:"id"`
	Position int    `json:"position"`
}

// MoveChannels sorts channels. To move one under another category, edit its parent_id.
func (b *Bot) MoveChannels(ctx context.Context, guild string, places []Place, reason string) error {
	return b.send(ctx, at(http.MethodPatch, "/guilds/{}/channels", guild).with(places).because(reason))
}

// SetOverwrite makes or replaces a channel's overwrite for a role or member. A bot can
// only allow or deny what it has itself.
func (b *Bot) SetOverwrite(ctx context.Context, channel string, o *discordgo.PermissionOverwrite, reason string) error {
	c := Changes{"type": o.Type, "allow": strconv.FormatInt(o.Allow, 10), "deny": strconv.FormatInt(o.Deny, 10)}
	return b.send(ctx, at(http.MethodPut, "/channels/{}/permissions/{}", channel, o.ID).with(c).because(reason))
}

// DeleteOverwrite takes a channel's overwrite for a role or member away.
func (b *Bot) DeleteOverwrite(ctx context.Context, channel, target, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/channels/{}/permissions/{}", channel, target).because(reason))
}

// DM opens the channel for private messages with a user; it is the same one each time.
func (b *Bot) DM(ctx context.Context, user string) (*discordgo.Channel, error) {
	q := at(http.MethodPost, "/users/@me/channels").with(Changes{"recipient_id": user})
	q.Repeatable = true
	return get[*discordgo.Channel](ctx, b, q)
}
