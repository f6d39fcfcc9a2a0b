package discord

import (
	"context"
	"net/http"
	"net/url"
)

// CreateEmoji makes an emoji: name, image (see Picture; 256 KiB), roles. Guilds have a low hourly limit of it.
func (b *Bot) CreateEmoji(ctx context.Context, guild string, c Changes, reason string) (string, error) {
	return b.create(ctx, "/guilds/{}/emojis", guild, c, reason)
}

// EditEmoji changes the name and roles of an emoji.
func (b *Bot) EditEmoji(ctx context.Context, guild, emoji string, c Changes, reason string) error {
	return b.edit(ctx, "/guilds/{}/emojis/{}", c, reason, guild, emoji)
}

// DeleteEmoji deletes an emoji.
func (b *Bot) DeleteEmoji(ctx context.Context, guild, emoji, reason string) error {
	return b.remove(ctx, "/guilds/{}/emojis/{}", reason, guild, emoji)
}

// CreateSticker makes a sticker of a PNG, APNG or GIF file of at most 512 KiB.
func (b *Bot) CreateSticker(ctx context.Context, guild, name, description, tags string, f File, reason string) (string, error) {
	q := at(http.MethodPost, "/guilds/{}/stickers", guild).because(reason)
	q.Form = url.Values{"name": {name}, "description": {description}, "tags": {tags}}
	q.Files = []File{f}
	return b.make(ctx, q, "id")
}

// EditSticker changes the name, description and tags of a sticker.
func (b *Bot) EditSticker(ctx context.Context, guild, sticker string, c Changes, reason string) error {
	return b.edit(ctx, "/guilds/{}/stickers/{}", c, reason, guild, sticker)
}

// DeleteSticker deletes a sticker.
func (b *Bot) DeleteSticker(ctx context.Context, guild, sticker, reason string) error {
	return b.remove(ctx, "/guilds/{}/stickers/{}", reason, guild, sticker)
}

// CreateSound makes a sound of the soundboard: name, sound (see Sound; 512 KiB), volume, emoji_id or emoji_name.
func (b *Bot) CreateSound(ctx context.Context, guild string, c Changes, reason string) (string, error) {
	return b.make(ctx, at(http.MethodPost, "/guilds/{}/soundboard-sounds", guild).with(c).because(reason), "sound_id")
}

// EditSound changes everything of a sound but its file.
func (b *Bot) EditSound(ctx context.Context, guild, sound string, c Changes, reason string) error {
	return b.edit(ctx, "/guilds/{}/soundboard-sounds/{}", c, reason, guild, sound)
}

// DeleteSound deletes a sound.
func (b *Bot) DeleteSound(ctx context.Context, guild, sound, reason string) error {
	return b.remove(ctx, "/guilds/{}/soundboard-sounds/{}", reason, guild, sound)
}

// CreateAutoModRule makes a rule of Discord's own moderation.
func (b *Bot) CreateAutoModRule(ctx context.Context, guild string, c Changes, reason string) (string, error) {
	return b.create(ctx, "/guilds/{}/auto-moderation/rules", guild, c, reason)
}

// EditAutoModRule changes a rule; its trigger_type cannot be.
func (b *Bot) EditAutoModRule(ctx context.Context, guild, rule string, c Changes, reason string) error {
	return b.edit(ctx, "/guilds/{}/auto-moderation/rules/{}", c, reason, guild, rule)
}

// DeleteAutoModRule deletes a rule.
func (b *Bot) DeleteAutoModRule(ctx context.Context, guild, rule, reason string) error {
	return b.remove(ctx, "/guilds/{}/auto-moderation/rules/{}", reason, guild, rule)
}

// EditWelcome changes the welcome screen of a community.
func (b *Bot) EditWelcome(ctx context.Context, guild string, c Changes, reason string) error {
	return b.edit(ctx, "/guilds/{}/welcome-screen", c, reason, guild)
}

// EditWidget turns the widget on or off ("enabled") and says which channel it invites to ("channel_id").
func (b *Bot) EditWidget(ctx context.Context, guild string, c Changes, reason string) error {
	return b.edit(ctx, "/guilds/{}/widget", c, reason, guild)
}

// SetOnboarding replaces what it is given of a community's onboarding. Prompts and their options need ids; those that
// Discord does not know are of new ones.
func (b *Bot) SetOnboarding(ctx context.Context, guild string, c Changes, reason string) error {
	return b.send(ctx, at(http.MethodPut, "/guilds/{}/onboarding", guild).with(c).because(reason))
}

// CreateEvent makes a scheduled event, whose start has to be in the future.
func (b *Bot) CreateEvent(ctx context.Context, guild string, c Changes, reason string) (string, error) {
	return b.create(ctx, "/guilds/{}/scheduled-events", guild, c, reason)
}

// EditEvent changes a scheduled event.
func (b *Bot) EditEvent(ctx context.Context, guild, event string, c Changes, reason string) error {
	return b.edit(ctx, "/guilds/{}/scheduled-events/{}", c, reason, guild, event)
}

// DeleteEvent deletes a scheduled event. Discord takes no reason for it.
func (b *Bot) DeleteEvent(ctx context.Context, guild, event string) error {
	return b.remove(ctx, "/guilds/{}/scheduled-events/{}", "", guild, event)
}
