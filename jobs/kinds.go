package jobs

import (
	"log/slog"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/backup/create"
	"splashtail/jobs/engine"
	"splashtail/jobs/prune"
	"splashtail/jobs/punishment"
	"splashtail/jobs/undo"
	"splashtail/jobs/work"
)

// Tools is what kinds of work are made from.
type Tools struct {
	Bot     *discord.Bot  // the primary bot
	CDN     *discord.CDN  // where Discord's files are
	Backups create.Limits // zero fields take the defaults
	TempDir string        // for spools; empty: the system's
	Bus     *bus.Bus      // nil where a job runs without a server
	Jobs    *bus.Jobs     // the same
	Log     *slog.Logger
	// Here tells which file of a job is its backup, where a job runs without a server.
	Here func(job string) (string, error)
}

// pruneAtOnce is how many prunes one guild may have at a time: moderators who clean up after different people do not wait for
// each other.
const pruneAtOnce = 5

// Kinds is the list of all kinds of work. A new kind is a row here and a package of its own.
func Kinds(t Tools) []engine.Kind {
	return append(backupKinds(t), []engine.Kind{
		{
			Name: bus.JobMessagePrune, Queue: bus.JobsMiddle, Sole: true, Places: pruneAtOnce, Deadline: 6 * time.Hour, Tries: 5, Keep: 7 * 24 * time.Hour,
			Make: func() work.Work { return prune.New(t.Bot) },
		},
		{
			// What Discord does not do is waited for without a failure; these tries are for the bus: a day, at ten minutes each.
			Name: bus.JobPunishmentEnd, Queue: bus.JobsHigh, Tries: 150, Keep: 7 * 24 * time.Hour,
			Make: func() work.Work { return punishment.New(t.Bot, t.Bus) },
		},
		{
			Name: bus.JobIncidentUndo, Queue: guildQueue, Lane: guildLane, Sole: true, Deadline: 24 * time.Hour, Tries: 8,
			Make: func() work.Work { return undo.New(t.Bot, t.Bus) },
		},
	}...)
}
