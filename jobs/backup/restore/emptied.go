package restore

import (
	"context"
	"slices"
	"strings"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
)

// span is what the messages of a channel in a backup reach over: a backup has the newest ones of its time without a gap.
type span struct {
	oldest, newest model.ID
	first          post // of what comes first when they are written again
}

// add takes one more message, oldest first.
func (s *span) add(id model.ID, posts []post) {
	if s.oldest == "" {
		s.oldest = id
	}
	s.newest = id
	if s.first.of == "" && len(posts) > 0 {
		s.first = posts[0]
	}
}

// emptied finds the channels that are still there and hold none of the backup's messages: that were deleted, and not written
// again by a restore before this one. Those that the bot cannot read are not among them.
func (t Tools) emptied(ctx context.Context, live []model.Channel, spans map[model.ID]*span) (map[model.ID]bool, error) {
	out := map[model.ID]bool{}
	for _, c := range live {
		s := spans[c.ID]
		if s == nil || s.newest == "" {
			continue
		}
		empty, err := t.holdsNone(ctx, c.ID, s)
		if _, refused := refusal(err); err != nil && !refused {
			return nil, err
		}
		if err == nil && empty {
			out[c.ID] = true
		}
	}
	return out, nil
}

// holdsNone asks for the newest message that is there of the time of the backup, and whether the first of them was written
// again since.
func (t Tools) holdsNone(ctx context.Context, channel model.ID, s *span) (bool, error) {
	var last []there
	if err := t.Bot.ReadMessage(ctx, string(channel), string(s.newest), &there{}); err == nil {
		return false, nil
	} else if !discord.HasCode(err, discord.CodeUnknownMessage) {
		return false, err // without Read Message History all channels would look empty
	}
	if err := t.Bot.ReadMessages(ctx, string(channel), string(s.newest), 1, &last); err != nil {
		return false, err
	}
	if len(last) > 0 && !last[0].ID.Before(s.oldest) {
		return false, nil
	}
	since, err := t.after(ctx, string(channel), string(s.newest))
	if err != nil {
		return false, err
	}
	again := slices.ContainsFunc(since, func(m model.Message) bool {
		return m.Author.Name == s.first.name && strings.TrimSpace(m.Content) == strings.TrimSpace(s.first.content)
	})
	return !again, nil
}
