// Package restore brings a guild back to what a backup says: Planner says what would happen, Restorer does exactly what was
// approved. Both are kinds of work for the job engine.
//
// What comes in: a backup (of a job of the same guild, or from Discord's attachment hosts), the guild as it is, an approved
// plan. What goes out: a plan as a file with its hash, or acts on Discord, a report, and a backup of the guild as it was
// before, whose restore undoes this one.
//
// Nothing is made twice, whenever the process dies: before something is made its intent is noted, and its result after. An
// intent without a result, or a call without an answer, is looked up before it is made again, in Discord's lists and its audit
// log; the stream of events is not needed for it, and may have forgotten by then. What is looked up, by kind:
//
//   - Roles, channels, emojis, stickers, sounds, AutoMod rules, events, webhooks: among those in the list that were not there
//     and that nothing else was made as, the one whose creation carries this operation's id in the audit log, whatever its
//     name is now; else one that looks like it and of which the log does not tell. The log is read back to the hour of the
//     job, and it goes back 45 days, longer than any job (find.go).
//   - Threads: likewise, among the open ones and those archived last. A post of a forum, for which no reason can be given, is
//     known by its first message: it is of this restore's webhook.
//   - Messages have no mark that could be asked for: what follows the last one that was noted is read and compared by author,
//     text and files (compare.go). At most one chunk is in question.
//   - The webhooks that write messages: by their name, which is this job's own (hook.go).
//   - Bans: the list of bans (bans.go). Pins, changes, orders and deletions may be repeated; those that are noted are not.
//
// What cannot be done is written down and left out; only a fault of Discord or of the network ends an attempt. The pace is
// Discord's: its limits are waited for, and nothing else (call.go).
//
// Read first: restorer.go, then lanes.go (what goes at the same time) and step.go. posts.go decides how a message looks when
// somebody else writes it, and retell.go how what only people can send is told.
package restore

import (
	"context"
	"io"
	"iter"
	"time"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// Backup is an open archive.
type Backup interface {
	Snapshot() (model.Snapshot, error)
	Manifest() (model.Manifest, error)
	// Channels lists the channels and threads that have messages.
	Channels() []model.ID
	// Messages gives those of a channel or thread, oldest first.
	Messages(channel model.ID) iter.Seq2[model.Message, error]
	// File opens a file and tells its size in bytes.
	File(key model.FileKey) (io.ReadCloser, int64, error)
	Close() error
}

// Tools are what restores of one deployment work with.
type Tools struct {
	Bot *discord.Bot
	// CDN fetches uploads, from Discord's hosts alone.
	CDN *discord.CDN
	// Keep makes a backup of the guild's structure as it is, as an archive among the job's files whose names begin with
	// prefix, and gives the archive's name and what is in it. What the bot may read has to be in it.
	Keep func(ctx context.Context, r work.Run, prefix string) (file string, live model.Snapshot, err error)
	// Decode opens an archive that a stream gives; r tells the password.
	Decode func(r work.Run, archive io.Reader) (Backup, error)
	// FileOf tells the name of the archive that a job of the same guild has made.
	FileOf func(ctx context.Context, r work.Run, job string) (string, error)

	Now    func() time.Time // nil: time.Now
	Upload int64            // the largest attachment in bytes; 0: 10 MiB
	Settle time.Duration    // how long a call without an answer is given to take effect before it is looked up; 0: 2 s
}

const (
	defaultUpload = 10 << 20
	defaultSettle = 2 * time.Second
	maxUpload     = 1 << 30 // of an archive that somebody uploaded
)

func (t Tools) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

func (t Tools) upload() int64 {
	if t.Upload > 0 {
		return t.Upload
	}
	return defaultUpload
}

func (t Tools) settle() time.Duration {
	if t.Settle > 0 {
		return t.Settle
	}
	return defaultSettle
}
