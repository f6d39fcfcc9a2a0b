package prune

import (
	"context"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/jobs/work"
)

// kept is a message as the job's file keeps it.
type kept struct {
	ID          string    `json:"id"`
	At          time.Time `json:"at"`
	Author      string    `json:"author"`
	Name        string    `json:"name"`
	Content     string    `json:"content,omitempty"`
	Attachments []string  `json:"attachments,omitempty"` // names; their addresses end with the message
}

// place is a channel while it is searched.
type place struct {
	id     string
	bound  int
	before string // the cursor: the id of the oldest message that was looked at
	ended  bool   // nothing older is meant
	ids    []string
}

// find gives the messages that are meant: a first pass within the bounds of each channel, and with Rollover a second
// one that gives what is left to channels that have more, in order, until Max is reached.
func (p *Prune) find(ctx context.Context, r work.Run) (found, map[string][]kept, error) {
	var f found
	texts := map[string][]kept{}
	places, err := p.places(ctx, r)
	if err != nil {
		return f, nil, err
	}
	left := p.Max
	search := func(c *place, bound int) error {
		got, err := p.search(ctx, r, c, min(bound, left), texts)
		left -= got
		if err != nil && refused(err) && p.IgnoreErrors {
			c.ended = true
			f.Skipped = append(f.Skipped, skipped(c.id, err))
			r.Say(work.Warning, "%s", skipped(c.id, err))
			return nil
		}
		if err != nil {
			return explain(c.id, err)
		}
		return nil
	}
	for i, c := range places {
		r.Progress(i, len(places))
		if err := search(c, c.bound); err != nil {
			return f, nil, err
		}
	}
	for _, c := range places {
		if p.Rollover && left > 0 && !c.ended {
			if err := search(c, left); err != nil {
				return f, nil, err
			}
		}
	}
	for _, c := range places {
		if len(c.ids) > 0 {
			f.Channels = append(f.Channels, channelFound{ID: c.id, IDs: c.ids})
		}
	}
	return f, texts, nil
}

// places gives the channels in which messages are looked for.
func (p *Prune) places(ctx context.Context, r work.Run) ([]*place, error) {
	all, err := p.bot.Channels(ctx, r.Job().Guild.String())
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, id := range p.Channels {
		wanted[id] = true
	}
	before := strconv.FormatUint(discord.SnowflakeAt(time.Now()), 10)
	var out []*place
	for _, c := range all {
		switch c.Type {
		case discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildNews, discordgo.ChannelTypeGuildVoice, discordgo.ChannelTypeGuildStageVoice:
		default:
			continue
		}
		if len(wanted) > 0 && !wanted[c.ID] {
			continue
		}
		delete(wanted, c.ID)
		bound := p.Max
		if p.PerChannel > 0 {
			bound = p.PerChannel
		}
		if n, ok := p.Special[c.ID]; ok {
			bound = n
		}
		out = append(out, &place{id: c.ID, bound: bound, before: before})
	}
	for id := range wanted { // a channel of another guild is none of this one
		r.Say(work.Warning, "the channel %s is no channel of this server with messages; it was passed over", id)
	}
	return out, nil
}

// search reads on in a channel until it has found as many messages as its bound says or nothing older is meant. A page
// without one of them ends nothing.
func (p *Prune) search(ctx context.Context, r work.Run, c *place, bound int, texts map[string][]kept) (got int, err error) {
	oldest := discord.SnowflakeAt(time.Now().Add(-p.reach()))
	for got < bound && !c.ended {
		page, err := p.bot.Messages(ctx, c.id, c.before, perCall)
		if err != nil {
			return got, err
		}
		for _, m := range page {
			if n, err := strconv.ParseUint(m.ID, 10, 64); err != nil || n < oldest {
				c.ended = true
				break
			}
			if got == bound {
				return got, nil
			}
			c.before = m.ID
			if m.Pinned || m.Author == nil || p.User != 0 && m.Author.ID != p.User.String() {
				continue
			}
			c.ids = append(c.ids, m.ID)
			texts[c.id] = append(texts[c.id], keep(m))
			got++
		}
		if len(page) < perCall {
			c.ended = true
		}
	}
	return got, nil
}

// reach is how old a message may be.
func (p *Prune) reach() time.Duration {
	most := youngerBy - safeMargin
	if p.Seconds == 0 || p.Seconds > int64(most/time.Second) {
		return most
	}
	return time.Duration(p.Seconds) * time.Second
}

func keep(m *discordgo.Message) kept {
	k := kept{ID: m.ID, At: m.Timestamp, Author: m.Author.ID, Name: m.Author.Username, Content: m.Content}
	for _, a := range m.Attachments {
		k.Attachments = append(k.Attachments, a.Filename)
	}
	return k
}
