package sandbox

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Burst is a run of messages that nobody wrote: for measuring and for counting what arrives. They are sent as MESSAGE_CREATE
// and not kept.
type Burst struct {
	Guild   ID `json:"guild_id"`
	Channel ID `json:"channel_id"`
	// Author is a member of the guild.
	Author ID `json:"author_id"`
	// Count is how many. Their contents are "burst N", with N from First (zero means 1) upwards.
	Count int `json:"count"`
	First int `json:"first"`
	// Rate is how many per second; zero means as fast as they can be made.
	Rate int `json:"rate"`
	// Window lets the burst wait while a connected session has more than that many dispatches to read yet; zero means that
	// it waits for nobody, so a client that is slower than its log is long gets lost.
	Window int `json:"window"`
}

const (
	maxBurst = 10_000_000
	// burstStep is how many messages are made in one hold of the lock, so that a burst keeps nobody waiting.
	burstStep = 64
	burstTick = 5 * time.Millisecond
)

// Burst sends the messages. It ends early with the error of ctx, or when the guild, channel or author are gone.
func (d *Discord) Burst(ctx context.Context, b Burst) error {
	if b.Count < 0 || b.Count > maxBurst || b.Rate < 0 || b.Window < 0 {
		return fmt.Errorf("sandbox: a burst has 0 to %d messages and no negative rate or window; nothing was sent", maxBurst)
	}
	if b.First == 0 {
		b.First = 1
	}
	var tick <-chan time.Time
	if b.Rate > 0 {
		t := time.NewTicker(burstTick)
		defer t.Stop()
		tick = t.C
	}
	start := time.Now()
	for sent := 0; sent < b.Count; {
		due := b.Count
		if tick != nil {
			due = min(due, int(time.Since(start).Seconds()*float64(b.Rate)))
		}
		n := min(burstStep, due-sent)
		if err := d.burst(b, b.First+sent, n); err != nil {
			return err
		}
		sent += max(n, 0)
		if b.Window > 0 {
			// An error is that of ctx, which is looked at next.
			_ = d.Await(ctx, func() bool { return d.mostBehind() <= b.Window })
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("sandbox: the burst ended after %d of %d messages: %w", sent, b.Count, err)
		}
		if tick != nil && sent >= due {
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// mostBehind is how many dispatches the slowest connected session has not taken yet.
func (d *Discord) mostBehind() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	most := 0
	for c := range d.gateway.conns {
		if c.session != nil {
			most = max(most, int(c.session.seq()-c.taken))
		}
	}
	return most
}

// burst sends n messages in one step, the first with this number.
func (d *Discord) burst(b Burst, first, n int) error {
	if n <= 0 {
		return nil
	}
	_, err := edit(d, b.Guild, func(g *guild) (ID, error) {
		m, c := g.members[b.Author], g.channels[b.Channel]
		if m == nil || c == nil {
			return 0, fmt.Errorf("sandbox: %s is no member or %s no channel of guild %s; message %d and later were not sent", b.Author, b.Channel, b.Guild, first)
		}
		for i := range n {
			d.emit(g.id, "MESSAGE_CREATE", newBurstMessage(d.newID(), g, c, m, "burst "+strconv.Itoa(first+i)))
		}
		return 0, nil
	})
	return err
}

// burstMessage is a plain message as MESSAGE_CREATE shows it.
type burstMessage struct {
	ID              ID          `json:"id"`
	ChannelID       ID          `json:"channel_id"`
	GuildID         ID          `json:"guild_id"`
	Author          wireUser    `json:"author"`
	Member          burstMember `json:"member"`
	Content         string      `json:"content"`
	Timestamp       wireTime    `json:"timestamp"`
	EditedTimestamp *wireTime   `json:"edited_timestamp"`
	TTS             bool        `json:"tts"`
	MentionEveryone bool        `json:"mention_everyone"`
	Mentions        []struct{}  `json:"mentions"`
	MentionRoles    []struct{}  `json:"mention_roles"`
	Attachments     []struct{}  `json:"attachments"`
	Embeds          []struct{}  `json:"embeds"`
	Components      []struct{}  `json:"components"`
	Pinned          bool        `json:"pinned"`
	Type            int         `json:"type"`
	Flags           int         `json:"flags"`
}

// burstMember is the author's membership, without the user.
type burstMember struct {
	Nick     *string  `json:"nick"`
	Roles    []ID     `json:"roles"`
	JoinedAt wireTime `json:"joined_at"`
	Deaf     bool     `json:"deaf"`
	Mute     bool     `json:"mute"`
	Flags    int      `json:"flags"`
}

func newBurstMessage(id ID, g *guild, c *channel, m *member, content string) burstMessage {
	none := []struct{}{}
	w := newWireMember(m)
	return burstMessage{
		ID: id, ChannelID: c.id, GuildID: g.id, Author: w.User, Content: content, Timestamp: wireTime(time.Now()),
		Member:   burstMember{w.Nick, w.Roles, w.JoinedAt, w.Deaf, w.Mute, w.Flags},
		Mentions: none, MentionRoles: none, Attachments: none, Embeds: none, Components: none,
	}
}
