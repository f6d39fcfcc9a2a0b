package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Reading what a backup keeps. The calls of this file decode an answer into a value of the caller's, since the structs of
// discordgo lack fields that must not be lost. Each is one request; pages are the caller's affair.

// read decodes the answer to a request.
func (b *Bot) read(ctx context.Context, q Request, into any) error {
	a, err := b.Do(ctx, q)
	if err == nil {
		err = q.decode(a, into)
	}
	return err
}

func ofGuild(path, guild string) Request { return at(http.MethodGet, "/guilds/{}"+path, guild) }

// ReadGuild reads a guild with its roles, emojis and stickers and approximate counts.
func (b *Bot) ReadGuild(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("", guild).query("with_counts", "true"), into)
}

// ReadChannels reads the list of a guild's channels with their overwrites, without threads.
func (b *Bot) ReadChannels(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("/channels", guild), into)
}

// ReadSounds reads the list of a guild's sounds.
func (b *Bot) ReadSounds(ctx context.Context, guild string, into any) error {
	var page struct {
		Items json.RawMessage `json:"items"`
	}
	if err := b.read(ctx, ofGuild("/soundboard-sounds", guild), &page); err != nil || page.Items == nil {
		return err
	}
	return json.Unmarshal(page.Items, into)
}

// ReadAutoMod reads the list of a guild's rules of Discord's own moderation. Needs Manage Server.
func (b *Bot) ReadAutoMod(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("/auto-moderation/rules", guild), into)
}

// ReadWelcome reads a guild's welcome screen. CodeUnknownWelcome: it has none. One that is not enabled needs Manage Server.
func (b *Bot) ReadWelcome(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("/welcome-screen", guild), into)
}

// CodeUnknownWelcome says that a guild has no welcome screen.
const CodeUnknownWelcome = 10069

// ReadOnboarding reads a guild's onboarding.
func (b *Bot) ReadOnboarding(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("/onboarding", guild), into)
}

// ReadEvents reads the list of a guild's scheduled events that have not ended and that the bot sees.
func (b *Bot) ReadEvents(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("/scheduled-events", guild), into)
}

// ReadWebhooks reads the list of the webhooks of all channels. Needs Manage Webhooks.
func (b *Bot) ReadWebhooks(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("/webhooks", guild), into)
}

// ReadBans reads at most limit (1 to 1000) bans of user ids above after, in order of id. Needs Ban Members.
func (b *Bot) ReadBans(ctx context.Context, guild, after string, limit int, into any) error {
	return b.read(ctx, ofGuild("/bans", guild).query("after", after).query("limit", strconv.Itoa(limit)), into)
}

// ReadMembers reads at most limit (1 to 1000) members of ids above after, in order of id. Needs the members intent.
func (b *Bot) ReadMembers(ctx context.Context, guild, after string, limit int, into any) error {
	return b.read(ctx, ofGuild("/members", guild).query("after", after).query("limit", strconv.Itoa(limit)), into)
}

// ReadActiveThreads reads all threads of a guild that are not archived and that the bot sees, as an object with "threads".
func (b *Bot) ReadActiveThreads(ctx context.Context, guild string, into any) error {
	return b.read(ctx, ofGuild("/threads/active", guild), into)
}

// Archive is one of the lists of archived threads that a channel has.
type Archive string

const (
	// ArchivePublic needs Read Message History.
	ArchivePublic Archive = "threads/archived/public"
	// ArchivePrivate needs Manage Threads, too.
	ArchivePrivate Archive = "threads/archived/private"
	// ArchiveJoined holds the private threads that the bot is in, by id.
	ArchiveJoined Archive = "users/@me/threads/archived/private"
)

// ReadArchivedThreads reads at most 100 archived threads of a channel, the one that was archived last first, as an object with
// "threads" and "has_more". before is the time at which the last thread of the page before was archived, and for ArchiveJoined
// that thread's id; empty begins with the newest.
func (b *Bot) ReadArchivedThreads(ctx context.Context, channel string, list Archive, before string, into any) error {
	return b.read(ctx, at(http.MethodGet, "/channels/{}/"+string(list), channel).query("before", before).query("limit", "100"), into)
}

// ReadPins reads at most 50 pinned messages of a channel or thread, pinned before a time, the newest pin first, as an object
// with "items" and "has_more". The zero time begins with the newest.
func (b *Bot) ReadPins(ctx context.Context, channel string, before time.Time, into any) error {
	q := at(http.MethodGet, "/channels/{}/messages/pins", channel).query("limit", "50")
	if !before.IsZero() {
		q = q.query("before", before.UTC().Format(time.RFC3339Nano))
	}
	return b.read(ctx, q, into)
}

// ReadMessages reads the list of at most limit (1 to 100) messages before an id, the newest first; an empty id begins with
// the last message. Without Read Message History it is empty.
func (b *Bot) ReadMessages(ctx context.Context, channel, before string, limit int, into any) error {
	return b.read(ctx, at(http.MethodGet, "/channels/{}/messages", channel).query("before", before).query("limit", strconv.Itoa(limit)), into)
}

// ReadMessage reads one message, with addresses of its files that are good for a day.
func (b *Bot) ReadMessage(ctx context.Context, channel, id string, into any) error {
	return b.read(ctx, at(http.MethodGet, "/channels/{}/messages/{}", channel, id), into)
}
