package discord

import (
	"context"
	"net/http"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/secret"
)

// CodeAcknowledged says that an interaction has its answer already.
const CodeAcknowledged = 40060

// Interactions are answered by their own token, which lives 15 minutes, and not by the
// bot's; the first answer has to come within 3 seconds of the event.

// Respond gives the first answer to an interaction. CodeUnknownInteraction: it came too
// late. CodeAcknowledged: somebody else was first.
func (b *Bot) Respond(ctx context.Context, id, token string, r *discordgo.InteractionResponse) error {
	body := Changes{"type": r.Type}
	var files []*discordgo.File
	if r.Data != nil {
		var more Changes
		if r.Type == discordgo.InteractionApplicationCommandAutocompleteResult && len(r.Data.Choices) == 0 {
			more = Changes{"choices": []string{}} // no choice is a list, too, which the library leaves out
		}
		data, err := message(r.Data, more)
		if err != nil {
			return err
		}
		body["data"], files = data, r.Data.Files
	}
	q, err := at(http.MethodPost, "/interactions/{}/{}/callback", id, token).message(body, nil, files)
	if err != nil {
		return err
	}
	q.Repeatable, q.DoneCodes = true, []int{CodeAcknowledged}
	_, err = b.hook(ctx, q)
	return err
}

// Original gets the message of the first answer.
func (b *Bot) Original(ctx context.Context, app, token string) (*discordgo.Message, error) {
	return b.hookMessage(ctx, at(http.MethodGet, "/webhooks/{}/{}/messages/@original", app, token))
}

// EditOriginal changes the message of the first answer; after a deferred one it is the
// answer itself.
func (b *Bot) EditOriginal(ctx context.Context, app, token string, e *discordgo.WebhookEdit) (*discordgo.Message, error) {
	return b.EditFollowUp(ctx, app, token, "@original", e)
}

// DeleteOriginal deletes the message of the first answer.
func (b *Bot) DeleteOriginal(ctx context.Context, app, token string) error {
	return b.DeleteFollowUp(ctx, app, token, "@original")
}

// FollowUp adds a message to an answered interaction. It is not repeated when its answer
// is lost.
func (b *Bot) FollowUp(ctx context.Context, app, token string, p *discordgo.WebhookParams) (*discordgo.Message, error) {
	q, err := at(http.MethodPost, "/webhooks/{}/{}", app, token).message(p, nil, p.Files)
	if err != nil {
		return nil, err
	}
	return b.hookMessage(ctx, q)
}

// EditFollowUp changes a message that FollowUp made.
func (b *Bot) EditFollowUp(ctx context.Context, app, token, id string, e *discordgo.WebhookEdit) (*discordgo.Message, error) {
	q, err := at(http.MethodPatch, "/webhooks/{}/{}/messages/{}", app, token, id).message(e, nil, e.Files)
	if err != nil {
		return nil, err
	}
	return b.hookMessage(ctx, q)
}

// DeleteFollowUp deletes a message that FollowUp made.
func (b *Bot) DeleteFollowUp(ctx context.Context, app, token, id string) error {
	_, err := b.hook(ctx, at(http.MethodDelete, "/webhooks/{}/{}/messages/{}", app, token, id))
	return err
}

// hook sends by the token in the path alone, ahead of everything else.
func (b *Bot) hook(ctx context.Context, q Request) (Answer, error) {
	q.Class = ClassInteraction
	return b.c.Do(ctx, secret.Value{}, q)
}

func (b *Bot) hookMessage(ctx context.Context, q Request) (*discordgo.Message, error) {
	a, err := b.hook(ctx, q)
	if err != nil {
		return nil, err
	}
	m := &discordgo.Message{}
	return m, q.decode(a, m)
}
