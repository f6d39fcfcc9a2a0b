package restore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// tries is how often something is sent whose answers get lost.
const tries = 3

// create makes a thing exactly once, as far as Discord lets us see: the intent is noted first; where there was one before,
// or no answer came, the thing is looked for before it is made.
func (x *run) create(ctx context.Context, s plan.Step, v map[string]any, lacks *[]string) (result, error) {
	for kind, of := range map[plan.Kind]string{plan.Thread: "parent_id", plan.Webhook: "channel_id"} {
		if s.Kind == kind && textIn(v[of]) == "" {
			return result{Failed: "its channel could not be made"}, nil
		}
	}
	key := "try/" + s.Key()
	tried := false
	if _, err := x.Noted(key, &tried); err != nil {
		return result{}, err
	}
	if tried {
		id, err := x.find(ctx, s, v)
		if err != nil || id != "" {
			return result{ID: id}, err
		}
	} else if err := x.Note(ctx, key, true); err != nil {
		return result{}, err
	}
	for try := 1; ; try++ {
		var id string
		err := x.call(ctx, func(ctx context.Context) (err error) {
			*lacks = nil // of an earlier try
			id, err = x.make(ctx, s, maps.Clone(v), lacks)
			return err
		})
		if err == nil || !unsure(ctx, err) {
			return result{ID: id}, err
		}
		if err := wait(ctx, x.settle()); err != nil {
			return result{}, err
		}
		found, lookErr := x.find(ctx, s, v)
		if lookErr != nil || found != "" {
			return result{ID: found}, lookErr
		}
		if try == tries {
			return result{}, err
		}
	}
}

// unsure tells whether a call may have been executed although it gave an error.
func unsure(ctx context.Context, err error) bool {
	var missing *fileError
	if err == nil || ctx.Err() != nil || errors.As(err, &missing) {
		return false
	}
	if _, refused := refusal(err); refused {
		return false
	}
	var ours *discord.LimitedError
	return !errors.As(err, &ours)
}

// make sends the one request that makes a thing, and gives its id.
func (x *run) make(ctx context.Context, s plan.Step, v map[string]any, lacks *[]string) (string, error) {
	b, why := x.Bot, x.reason(s)
	if s.Kind == plan.Thread {
		return x.makeThread(ctx, s, v, lacks)
	}
	file, _ := v["file"].(string)
	delete(v, "file")
	c := x.withFiles(discord.Changes(v), lacks)
	var data []byte
	if file != "" {
		var err error
		if data, err = x.file(model.FileKey(file)); err != nil {
			return "", err
		}
	}
	switch s.Kind {
	case plan.Role:
		r, err := b.CreateRole(ctx, x.guild, c, why)
		if err != nil {
			return "", err
		}
		return r.ID, nil
	case plan.Channel:
		r, err := b.CreateChannel(ctx, x.guild, c, why)
		if err != nil {
			return "", err
		}
		return r.ID, nil
	case plan.Emoji:
		c["image"] = discord.Picture(data)
		return b.CreateEmoji(ctx, x.guild, c, why)
	case plan.Sticker:
		f := discord.File{Name: "file", Type: http.DetectContentType(data), Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		}}
		return b.CreateSticker(ctx, x.guild, textIn(c["name"]), textIn(c["description"]), textIn(c["tags"]), f, why)
	case plan.Sound:
		c["sound"] = discord.Sound(data)
		return b.CreateSound(ctx, x.guild, c, why)
	case plan.AutoMod:
		return b.CreateAutoModRule(ctx, x.guild, c, why)
	case plan.Event:
		return b.CreateEvent(ctx, x.guild, c, why)
	case plan.Webhook:
		channel := textIn(c["channel_id"])
		delete(c, "channel_id")
		return b.MakeWebhook(ctx, channel, c, why)
	}
	return "", unknown(s)
}
