package discord

import (
	"context"
	"net/http"

	"splashtail/internal/secret"
)

// MakeWebhook makes a webhook with all that can be set on it: name, avatar (see Picture).
func (b *Bot) MakeWebhook(ctx context.Context, channel string, c Changes, reason string) (string, error) {
	return b.create(ctx, "/channels/{}/webhooks", channel, c, reason)
}

// EditWebhook changes the name, avatar and channel_id of a webhook.
func (b *Bot) EditWebhook(ctx context.Context, webhook string, c Changes, reason string) error {
	return b.edit(ctx, "/webhooks/{}", c, reason, webhook)
}

// CreateThread makes a thread that begins with no message: name, type, auto_archive_duration, invitable.
func (b *Bot) CreateThread(ctx context.Context, channel string, c Changes, reason string) (string, error) {
	return b.create(ctx, "/channels/{}/threads", channel, c, reason)
}

// Pin pins a message. Needs Pin Messages; 250 fit into a channel.
func (b *Bot) Pin(ctx context.Context, channel, message, reason string) error {
	return b.send(ctx, at(http.MethodPut, "/channels/{}/messages/pins/{}", channel, message).because(reason))
}

// Posted says where a webhook's message is.
type Posted struct {
	ID      string `json:"id"`
	Channel string `json:"channel_id"` // of one that began a post in a forum: the post
}

// Post writes through a webhook, into a thread when it is not empty. The files stream from where they are. It is not
// repeated when its answer is lost.
func (b *Bot) Post(ctx context.Context, webhook string, token secret.Value, thread string, body Changes, files []File) (Posted, error) {
	q := at(http.MethodPost, "/webhooks/{}/{}", webhook, token.Reveal()).query("wait", "true").query("thread_id", thread)
	q.Body, q.Files, q.Class = body, files, b.class
	var p Posted
	a, err := b.c.Do(ctx, secret.Value{}, q)
	if err == nil {
		err = q.decode(a, &p)
	}
	return p, err
}
