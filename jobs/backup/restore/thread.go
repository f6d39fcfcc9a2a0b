package restore

import (
	"context"
	"errors"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

const (
	typeForum = 15
	typeMedia = 16

	flagPinned = 1 << 1 // of a post in a forum
)

// parentOf reads the channel that a thread is made in, once.
func (x *run) parentOf(ctx context.Context, id string) (*discordgo.Channel, error) {
	x.mu.Lock()
	c := x.parents[id]
	x.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := x.Bot.Channel(ctx, id)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.parents[id] = c
	return c, nil
}

// makeThread makes a thread. A post of a forum begins with its first message, in its author's name.
func (x *run) makeThread(ctx context.Context, s plan.Step, v map[string]any, lacks *[]string) (string, error) {
	parent := textIn(v["parent_id"])
	c, err := x.parentOf(ctx, parent)
	if err != nil {
		return "", err
	}
	if c.Type != typeForum && c.Type != typeMedia {
		kind := numberIn(v["type"])
		if int(c.Type) == model.TypeText && kind == model.TypeAnnouncementThread {
			kind = model.TypePublicThread
		}
		body := discord.Changes{"name": v["name"], "type": kind}
		for _, key := range []string{"auto_archive_duration", "rate_limit_per_user", "invitable"} {
			if v[key] != nil {
				body[key] = v[key]
			}
		}
		return x.Bot.CreateThread(ctx, parent, body, x.reason(s))
	}
	first, err := x.firstPost(s.ID)
	if err != nil {
		return "", err
	}
	if err := x.awaitNames(ctx, []post{first}); err != nil {
		return "", err
	}
	more := discord.Changes{"thread_name": v["name"]}
	if tags := tagIDs(c, v["tags"]); len(tags) > 0 {
		more["applied_tags"] = tags
	}
	w := &writing{saved: s.ID, channel: parent, news: map[model.ID]string{}}
	first.embeds = x.renameIn(w, first.embeds)
	posted, left, err := x.post(ctx, parent, "", first, more, x.render(w, first))
	if left != "" {
		*lacks = append(*lacks, "its first message"+left)
	}
	return posted.Channel, err
}

// firstPost is what a post of a forum begins with.
func (x *run) firstPost(thread model.ID) (post, error) {
	for m, err := range x.backup.Messages(thread) {
		if err != nil {
			return post{}, err
		}
		if list := postsOf(m, x.upload()); len(list) > 0 {
			return list[0], nil
		}
	}
	return post{}, &fileError{"it has no message that can be written again"}
}

// tagIDs finds a forum's tags by their names.
func tagIDs(c *discordgo.Channel, names any) []string {
	var ids []string
	for _, name := range idsIn(names) {
		for _, t := range c.AvailableTags {
			if t.Name == name && len(ids) < 5 {
				ids = append(ids, t.ID)
				break
			}
		}
	}
	return ids
}

// closeThread gives a thread, once its messages are in it, the state that it had.
func (x *run) closeThread(ctx context.Context, w *writing) error {
	if w.thread == "" {
		return nil
	}
	for _, s := range x.plan.Steps {
		if s.Kind != plan.Thread || s.ID != w.saved {
			continue
		}
		var archived, locked, pinned bool
		s.Get("archived", &archived)
		s.Get("locked", &locked)
		s.Get("pinned", &pinned)
		c := discord.Changes{}
		if pinned {
			c["flags"] = flagPinned
		}
		if locked {
			c["locked"] = true
		}
		if archived {
			c["archived"] = true
		}
		if len(c) == 0 {
			return nil
		}
		err := x.call(ctx, func(ctx context.Context) error {
			_, err := x.Bot.EditChannel(ctx, w.thread, c, x.reason(s))
			return err
		})
		if why, refused := refusal(err); refused {
			w.leave("the thread stays open: " + why)
			return nil
		}
		return err
	}
	return errors.New("the plan has messages of a thread that it does not make")
}
