package restore

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
)

// compare finds out how many of these messages are in the channel already: sent by an attempt that died, or by a request
// whose answer was lost. It fills in their ids.
func (x *run) compare(ctx context.Context, w *writing, chunk []post, ids []string) (next int, err error) {
	found, err := x.tail(ctx, w)
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if id != "" {
			next = i + 1
		}
	}
	for _, m := range found {
		for i := next; i < len(chunk); i++ {
			if !x.shows(w, m, chunk[i]) {
				continue
			}
			ids[i] = string(m.ID)
			w.know(chunk[i:i+1], ids[i:i+1])
			next = i + 1
			break
		}
	}
	return next, nil
}

// shows tells whether a message in the channel is a post as it was sent: with all of its files, with those that the backup
// has, or without any when Discord did not take them.
func (x *run) shows(w *writing, m model.Message, p post) bool {
	if m.Author.Name != p.name || strings.TrimSpace(m.Content) != x.render(w, p) {
		return false
	}
	if n := len(m.Attachments); n != 0 && n != len(p.files) {
		files, _ := x.attachments(p)
		return n == len(files)
	}
	return true
}

// maxTail is how many pages of a channel are looked through for messages of ours.
const maxTail = 10

// there is a message as Discord gives it. What backups keep in a form of their own is passed over.
type there struct {
	model.Message
	Poll      json.RawMessage `json:"poll"`
	Reactions json.RawMessage `json:"reactions"`
	Snapshots json.RawMessage `json:"message_snapshots"`
}

// tail reads what webhooks wrote into a place after the last message that is known, oldest first. What an attempt wrote before
// it died comes right behind that message, however much people have written since.
func (x *run) tail(ctx context.Context, w *writing) (found []model.Message, err error) {
	err = x.call(ctx, func(ctx context.Context) (err error) {
		found, err = x.after(ctx, w.place(), orText(w.last, "1")) // 1: before all
		return err
	})
	return found, err
}

// after reads what webhooks wrote into a place after a message, oldest first.
func (t Tools) after(ctx context.Context, place, after string) (found []model.Message, err error) {
	for range maxTail {
		a, err := t.Bot.Do(ctx, discord.Request{Method: http.MethodGet, Path: "/channels/" + place + "/messages", Query: url.Values{"after": {after}, "limit": {"100"}}})
		if err != nil {
			return nil, err
		}
		var page []there
		if err := json.Unmarshal(a.Body, &page); err != nil {
			return nil, err
		}
		slices.SortFunc(page, func(a, b there) int {
			if a.ID.Before(b.ID) {
				return -1
			}
			return 1
		})
		for _, m := range page {
			if m.Webhook != "" {
				found = append(found, m.Message)
			}
			after = string(m.ID)
		}
		if len(page) < 100 {
			break
		}
	}
	return found, nil
}
