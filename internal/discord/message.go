package discord

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/bwmarrin/discordgo"
)

// Message gets one message.
func (b *Bot) Message(ctx context.Context, channel, id string) (*discordgo.Message, error) {
	return get[*discordgo.Message](ctx, b, at(http.MethodGet, "/channels/{}/messages/{}", channel, id))
}

// Messages lists at most limit (1 to 100) messages before an id, the newest first; an
// empty id begins with the last message.
func (b *Bot) Messages(ctx context.Context, channel, before string, limit int) ([]*discordgo.Message, error) {
	return get[[]*discordgo.Message](ctx, b, at(http.MethodGet, "/channels/{}/messages", channel).query("before", before).query("limit", strconv.Itoa(limit)))
}

// SendMessage writes to a channel. With a nonce (at most 25 characters) Discord makes at
// most one message of it within some minutes, so that it is safe to repeat; without one
// it is sent once.
func (b *Bot) SendMessage(ctx context.Context, channel string, m *discordgo.MessageSend, nonce string) (*discordgo.Message, error) {
	var more Changes
	if nonce != "" {
		more = Changes{"nonce": nonce, "enforce_nonce": true}
	}
	q, err := at(http.MethodPost, "/channels/{}/messages", channel).message(m, more, m.Files)
	if err != nil {
		return nil, err
	}
	q.Repeatable = nonce != ""
	return get[*discordgo.Message](ctx, b, q)
}

// EditMessage changes a message of the bot's own; m.Channel and m.ID say which.
func (b *Bot) EditMessage(ctx context.Context, m *discordgo.MessageEdit) (*discordgo.Message, error) {
	body := struct {
		*discordgo.MessageEdit
		ID      string `json:"ID,omitempty"` // hides those, which are not Discord's
		Channel string `json:"Channel,omitempty"`
	}{MessageEdit: m}
	q, err := at(http.MethodPatch, "/channels/{}/messages/{}", m.Channel, m.ID).message(body, nil, m.Files)
	if err != nil {
		return nil, err
	}
	return get[*discordgo.Message](ctx, b, q)
}

// DeleteMessage deletes one message. Those older than 14 days have a limit of their own.
func (b *Bot) DeleteMessage(ctx context.Context, channel, id, reason string) error {
	return b.send(ctx, at(http.MethodDelete, "/channels/{}/messages/{}", channel, id).because(reason))
}

// Bounds of a bulk delete. Messages older than 14 days cannot be in it.
const (
	MinBulkDelete = 2
	MaxBulkDelete = 100
)

// DeleteMessages deletes MinBulkDelete to MaxBulkDelete messages at once. If one is older
// than 14 days or named twice, Discord deletes none.
func (b *Bot) DeleteMessages(ctx context.Context, channel string, ids []string, reason string) error {
	if len(ids) < MinBulkDelete || len(ids) > MaxBulkDelete {
		return fmt.Errorf("a bulk delete takes %d to %d messages, not %d; nothing was deleted", MinBulkDelete, MaxBulkDelete, len(ids))
	}
	return b.send(ctx, at(http.MethodPost, "/channels/{}/messages/bulk-delete", channel).with(Changes{"messages": ids}).because(reason))
}

// message is the request with a message as its body.
func (q Request) message(v any, more Changes, files []*discordgo.File) (Request, error) {
	body, err := message(v, more)
	if err != nil {
		return q, fmt.Errorf("the message cannot be written as JSON; nothing was sent: %w", err)
	}
	q.Body = body
	q.Files, err = filesOf(files)
	return q, err
}
