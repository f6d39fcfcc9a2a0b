package restore

import (
	"context"
	"encoding/json"
	"strings"

	"splashtail/internal/discord"
	"splashtail/internal/secret"
)

// hook is the webhook by which a restore writes into one channel. Its token is asked for when it is needed and kept in memory
// only: who has it can write there.
type hook struct {
	id    string
	token secret.Value
}

// hookName is what the webhooks of this restore are called, so that another attempt knows them.
func (x *run) hookName() string {
	id := x.Job().ID
	return "Restore " + strings.ToLower(id[max(0, len(id)-10):])
}

// hookOf gives the webhook of a channel: the one that an earlier attempt made, or a new one.
func (x *run) hookOf(ctx context.Context, channel string) (*hook, error) {
	x.mu.Lock()
	known := x.hooks[channel]
	x.mu.Unlock()
	if known != nil {
		return known, nil
	}
	h, err := x.findHook(ctx, channel)
	if err != nil {
		return nil, err
	}
	if h == nil {
		if h, err = x.makeHook(ctx, channel); err != nil {
			return nil, err
		}
	}
	x.mu.Lock()
	x.hooks[channel] = h
	x.mu.Unlock()
	return h, nil
}

// makeHook makes the webhook of a channel.
func (x *run) makeHook(ctx context.Context, channel string) (h *hook, err error) {
	err = x.call(ctx, func(ctx context.Context) error {
		w, err := x.Bot.CreateWebhook(ctx, channel, x.hookName(), "Restore of messages · op="+x.Job().Operation("hook/"+channel))
		if err == nil {
			h = &hook{w.ID, secret.New(w.Token)}
		}
		return err
	})
	if err != nil && unsure(ctx, err) {
		if err := wait(ctx, x.settle()); err != nil {
			return nil, err
		}
		found, lookErr := x.findHook(ctx, channel)
		if lookErr != nil || found == nil {
			return nil, err
		}
		return found, nil
	}
	return h, err
}

// replace forgets a webhook that somebody deleted; false when that was one that replaced another already.
func (x *run) replace(channel string, h *hook) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.hooks[channel] != h || x.tries[h.id] {
		return false
	}
	x.tries[h.id] = true
	delete(x.hooks, channel)
	return true
}

// findHook looks for this restore's webhook in a channel; nil when there is none.
func (x *run) findHook(ctx context.Context, channel string) (*hook, error) {
	var list []struct{ ID, Name, Token string }
	err := x.call(ctx, func(ctx context.Context) error { return x.read(ctx, "/channels/"+channel+"/webhooks", &list) })
	if err != nil {
		return nil, err
	}
	for _, w := range list {
		if w.Name == x.hookName() && w.Token != "" {
			return &hook{w.ID, secret.New(w.Token)}, nil
		}
	}
	return nil, nil
}

// dropHooks deletes the webhooks of this restore, those of earlier attempts too.
func (x *run) dropHooks(ctx context.Context) error {
	if !x.writes() {
		return nil
	}
	var list []struct{ ID, Name string }
	err := x.call(ctx, func(ctx context.Context) error { return x.Bot.ReadWebhooks(ctx, x.guild, &list) })
	if why, refused := refusal(err); refused {
		x.report.leave("the webhooks of this restore could not be deleted: " + why)
		return nil
	}
	if err != nil {
		return err
	}
	for _, w := range list {
		if w.Name != x.hookName() {
			continue
		}
		err := x.call(ctx, func(ctx context.Context) error { return x.Bot.DeleteWebhook(ctx, w.ID, "The restore is finished") })
		if why, refused := refusal(err); refused && !gone(err) {
			x.report.leave("a webhook of this restore could not be deleted: " + why)
		} else if err != nil && !refused {
			return err
		}
	}
	return nil
}

// post sends one message. What Discord does not take of it is left out, piece by piece: embeds, then files.
func (x *run) post(ctx context.Context, channel, thread string, p post, more discord.Changes, content string) (discord.Posted, string, error) {
	files, left := x.attachments(p)
	for {
		h, err := x.hookOf(ctx, channel)
		if err != nil {
			return discord.Posted{}, left, err
		}
		body := discord.Changes{"username": p.name, "allowed_mentions": map[string]any{"parse": []string{}}, "flags": p.flags}
		for k, v := range more {
			body[k] = v
		}
		if content != "" {
			body["content"] = content
		}
		if p.avatar != "" {
			body["avatar_url"] = p.avatar
		}
		if p.embeds != nil {
			body["embeds"] = json.RawMessage(p.embeds)
		}
		var posted discord.Posted
		err = x.call(ctx, func(ctx context.Context) (err error) {
			posted, err = x.Bot.Post(ctx, h.id, h.token, thread, body, files)
			return err
		})
		why, refused := refusal(err)
		switch {
		case !refused:
			return posted, left, err
		case discord.HasCode(err, discord.CodeUnknownWebhook) && x.replace(channel, h):
			// Somebody deleted it: one more.
		case p.embeds != nil:
			p.embeds = nil
			left += "; without embeds: " + why
		case len(files) > 0:
			files = nil
			left += "; without files: " + why
		default:
			return discord.Posted{}, left, err
		}
		if content == "" && p.embeds == nil && len(files) == 0 {
			return discord.Posted{}, left, err
		}
	}
}
