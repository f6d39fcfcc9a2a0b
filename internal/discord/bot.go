package discord

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/secret"
)

// Bot sends requests as one application. Its methods stand in files by noun: guild.go,
// member.go, channel.go … Each is one request (repeated where Do would), its errors are
// those of Do. Ids are decimal texts as discordgo's types have them; what is none is
// refused before anything is sent. Every change takes a reason for the audit log.
type Bot struct {
	c     *Client
	token secret.Value
	class Class
}

// Bot gives the methods of one token.
func (c *Client) Bot(token secret.Value) *Bot { return &Bot{c: c, token: token} }

// As gives the same bot with another urgency for all its requests, such as ClassBackup.
func (b *Bot) As(class Class) *Bot {
	other := *b
	other.class = class
	return &other
}

// Do sends any request as this bot, for what has no method here.
func (b *Bot) Do(ctx context.Context, q Request) (Answer, error) {
	if q.Class == 0 {
		q.Class = b.class
	}
	return b.c.Do(ctx, b.token, q)
}

// Changes are the keys of an object that a request sets; what is not in it stays. A nil
// value becomes null, which for many keys means to clear.
type Changes map[string]any

// Self is the bot's own user: GET /users/@me.
func (b *Bot) Self(ctx context.Context) (*discordgo.User, error) {
	return get[*discordgo.User](ctx, b, at(http.MethodGet, "/users/@me"))
}

// Application is the bot's own application: GET /applications/@me.
func (b *Bot) Application(ctx context.Context) (*discordgo.Application, error) {
	return get[*discordgo.Application](ctx, b, at(http.MethodGet, "/applications/@me"))
}

// send is for answers that nobody reads.
func (b *Bot) send(ctx context.Context, q Request) error {
	_, err := b.Do(ctx, q)
	return err
}

// get is for answers that are one JSON value.
func get[T any](ctx context.Context, b *Bot, q Request) (T, error) {
	var v T
	a, err := b.Do(ctx, q)
	if err == nil {
		err = q.decode(a, &v)
	}
	return v, err
}

// message marshals what discordgo sends as a message, without the keys that it sends
// as null where it has nothing to say.
func message(v any, more Changes) (json.RawMessage, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, err
	}
	for k, v := range keys {
		if string(v) == "null" {
			delete(keys, k)
		}
	}
	for k, v := range more {
		if keys[k], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	return json.Marshal(keys)
}
