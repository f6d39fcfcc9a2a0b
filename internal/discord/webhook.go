package discord

import (
	"context"
	"net/http"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/secret"
)

// GuildWebhooks lists the webhooks of all channels of a guild. Only the bot's own come
// with their tokens.
func (b *Bot) GuildWebhooks(ctx context.Context, guild string) ([]*discordgo.Webhook, error) {
	return get[[]*discordgo.Webhook](ctx, b, at(http.MethodGet, "/guilds/{}/webhooks", guild))
}

// ChannelWebhooks lists the webhooks of a channel.
func (b *Bot) ChannelWebhooks(ctx context.Context, channel string) ([]*discordgo.Webhook, error) {
	return get[[]*discordgo.Webhook](ctx, b, at(http.MethodGet, "/channels/{}/webhooks", channel))
}

// CreateWebhook makes a webhook; a channel takes 15.
func (b *Bot) CreateWebhook(ctx context.Context, channel, name, reason string) (*discordgo.Webhook, error) {
	return get[*discordgo.Webhook](ctx, b, at(http.MethodPost, "/channels/{}/webhooks", channel).with(Changes{"name": name}).because(reason))
}

// DeleteWebhook deletes a webhook, whoever made it.
func (b *Bot) DeleteWebhook(ctx context.Context, id, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/webhooks/{}", id).because(reason))
}

// ExecuteWebhook writes through a webhook and gives the message. It is not repeated when
// its answer is lost.
func (b *Bot) ExecuteWebhook(ctx context.Context, id, token string, p *discordgo.WebhookParams) (*discordgo.Message, error) {
	q, err := at(http.MethodPost, "/webhooks/{}/{}", id, token).query("wait", "true").message(p, nil, p.Files)
	if err != nil {
		return nil, err
	}
	q.Class = b.class
	a, err := b.c.Do(ctx, secret.Value{}, q)
	if err != nil {
		return nil, err
	}
	m := &discordgo.Message{}
	return m, q.decode(a, m)
}
