package bus

import "time"

// The names of streams and buckets. They stand here and nowhere else.
const (
	streamDispatch = "DISPATCH"
	streamCapture  = "CAPTURE"
	streamActions  = "ACTIONS"
	streamJournal  = "JOURNAL"
	streamEvents   = "EVENTS"
	streamCommands = "COMMANDS"
	streamParked   = "PARKED"

	streamJobs      = "JOBS"
	streamJobsSched = "JOBS_SCHED"
	streamJobLog    = "JOBLOG"
	streamJobNotes  = "JOBNOTES"

	bucketVoice     = "VOICE"
	bucketLeases    = "LEASES"
	bucketTokens    = "TOKENS"
	bucketPositions = "POSITIONS"
	bucketSessions  = "SESSIONS"
	bucketGuilds    = "GUILDS"
	bucketConfig    = "CONFIG"
	bucketGuard     = "GUARD"
	bucketJobs      = "JOBS_STATE"

	bucketJobSecrets = "JOBS_SECRETS"

	blobsBackups = "BACKUPS"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	day = 24 * time.Hour
)

// Plan is everything that JetStream holds for us, as data: Open applies it, Check
// finds overlaps, Markdown renders it.
type Plan struct {
	Streams []Stream
	Buckets []Bucket
	Blobs   []Blob
}

// Stream is a row of a Plan: stored messages under the subjects it takes.
type Stream struct {
	Name     string
	Does     string   // what it is for, who writes and who reads
	Takes    []string // subject patterns; no two streams may overlap
	Keep     Keep
	MaxAge   time.Duration // the oldest go first; 0 means no limit
	MaxBytes int64         // reserved on disk at creation
	MaxMsg   int32         // largest message in bytes
	Dedupe   time.Duration // how long a message id is remembered
	Storage  Storage
	MsgTTL   bool  // messages may have a shorter life of their own
	Each     int64 // messages per subject, the oldest go first; 0 means no limit
	Timers   bool  // it holds timers: messages that appear under another subject when their time has come
}

// Keep says when a stream lets go of a message.
type Keep int

const (
	// KeepLimits keeps messages until an age or size limit, however often they are read.
	KeepLimits Keep = iota
	// KeepWork keeps a message until somebody acknowledged it, refuses a second one
	// on a subject that still has one, and refuses new ones when full.
	KeepWork
	// KeepAll keeps messages until somebody removes them, and refuses new ones when full:
	// for what would be missed if it were let go by itself.
	KeepAll
)

// Storage is where a stream or bucket lives, and so what it survives.
type Storage int

const (
	// Synced is on disk and synced before it is acknowledged: what was acknowledged
	// survives kill -9 and a loss of power.
	Synced Storage = iota
	// Lazy is on disk, but acknowledged before it is written: kill -9 can take
	// the last few dozen messages. For sources that can repeat.
	Lazy
	// Volatile is in memory: gone with the server. With an external server
	// (NATS_URL) it is Synced instead, since that server does not end with us.
	Volatile
)

// Bucket is a row of a Plan: records under keys.
type Bucket struct {
	Name     string
	Does     string
	Key      string // the shape of its keys, for people
	History  uint8  // revisions kept per key
	MaxBytes int64
	MaxValue int32
	Storage  Storage
	KeyTTL   bool // keys may be written with a time to live
}

// Blob is a row of a Plan: large values, streamed in and out.
type Blob struct {
	Name     string
	Does     string
	Key      string
	MaxBytes int64
}

// Topology is the plan of this product.
func Topology() Plan { return Plan{Streams: streams(), Buckets: buckets(), Blobs: blobs()} }

func streams() []Stream {
	return []Stream{
		{
			Name: streamDispatch, Takes: AllDispatches().patterns,
			Does:   "Every event of Discord's gateway, raw but for what people type as a secret, which is sealed. gatewayproxy writes; bot, muteproxy and the sessions of other bots read, and a RESUME is a replay of it. Presences and typing go after a minute or two.",
			MaxAge: time.Hour, MaxBytes: 1 * gib, MaxMsg: 8*mib - 64*kib, Dedupe: 5 * time.Minute, Storage: Lazy, MsgTTL: true,
		},
		{
			Name: streamCapture, Takes: AllCapture().patterns,
			Does:   "Accepted events of capture clients. The broker's sockets write, its Redis edge reads in stream order, so they survive an outage of Redis. Under load many events share a message on capture.shared.events.",
			MaxAge: time.Hour, MaxBytes: 256 * mib, MaxMsg: 128 * kib, Dedupe: 2 * time.Minute,
		},
		{
			Name: streamActions, Takes: AllActions().patterns,
			Does:   "What people did to their guilds, as limits count it. bot writes; it rebuilds its windows from here after a restart, and tries new limits on what really happened.",
			MaxAge: 30 * day, MaxBytes: 512 * mib, MaxMsg: 4 * kib, Dedupe: 5 * time.Minute,
		},
		{
			Name: streamJournal, Takes: allJournals().patterns,
			Does:   "What was done in guilds, each deed with what its object was before, so that it can be shown and taken back. bot writes and reads.",
			MaxAge: 30 * day, MaxBytes: 512 * mib, MaxMsg: 1 * mib, Dedupe: 5 * time.Minute,
		},
		{
			Name: streamEvents, Takes: []string{rootEvent + ".>"},
			Does:   "What happened, for people and dashboards: mutes applied and failed, met limits, raids, silent destruction. Every component writes; the bot tells guilds of alarms from here.",
			MaxAge: 30 * day, MaxBytes: 256 * mib, MaxMsg: 64 * kib, Dedupe: 2 * time.Minute, Storage: Lazy,
		},
		{
			Name: streamCommands, Takes: AllCommands().patterns,
			Does:   "Control requests with who asked, why, and the outcome: the action log of operators.",
			MaxAge: 30 * day, MaxBytes: 64 * mib, MaxMsg: 64 * kib, Dedupe: 10 * time.Minute,
		},
		{
			Name: streamParked, Takes: AllParked().patterns,
			Does:   "Messages that no handler could take, with the reason. Operators read and republish.",
			MaxAge: 14 * day, MaxBytes: 128 * mib, MaxMsg: 8 * mib, Dedupe: 2 * time.Minute,
		},
		{
			Name: streamJobs, Takes: AllJobRuns().patterns, Keep: KeepWork,
			Does:   "Which jobs are to be worked on or are being worked on: small items, the job itself is its record. Their subject is the lock of a guild's lane, or of one of its places. jobs writes and reads.",
			MaxAge: 30 * day, MaxBytes: 64 * mib, MaxMsg: 4 * kib, Dedupe: 2 * time.Minute,
		},
		{
			Name: streamJobsSched, Takes: []string{join(rootJob, "timer", "*", "*"), join(rootJob, "due", "*", "*")}, Timers: true,
			Does:   "Jobs and schedules that wait for a moment: the server lets a timer appear as due then, by itself. jobs writes and reads.",
			MaxAge: 400 * day, MaxBytes: 64 * mib, MaxMsg: 4 * kib, Dedupe: 2 * time.Minute,
		},
		{
			Name: streamJobLog, Takes: []string{join(rootJob, "log", "*", "*"), join(rootJob, "progress", "*", "*")}, Each: 2000,
			Does:   "What jobs tell: lines, progress, changes of state. jobs writes; the bot's cards, the web and the CLI follow it live.",
			MaxAge: 30 * day, MaxBytes: 256 * mib, MaxMsg: 64 * kib, Dedupe: 2 * time.Minute, Storage: Lazy,
		},
		{
			Name: streamJobNotes, Takes: []string{join(rootJob, "note", "*", "*")}, Keep: KeepAll,
			Does:   "What workers have noted of their jobs, so that whoever takes one over does nothing twice. Each note names the one before, so that a worker that lost its job cannot add one. Removed with the job.",
			MaxAge: 400 * day, MaxBytes: 512 * mib, MaxMsg: 1 * mib, Dedupe: 2 * time.Minute,
		},
	}
}

func buckets() []Bucket {
	return []Bucket{
		{
			Name: bucketVoice, Key: "<guild>.<user>", History: 1, MaxBytes: 128 * mib, MaxValue: 8 * kib,
			Does:   "Wished and applied mute and deaf per member. muteproxy writes the wish before it calls Discord, so a crash converges.",
			KeyTTL: true, // for the marks of removed records
		},
		{
			Name: bucketLeases, Key: "owner.<code>, broker.<instance>, edge.capture, sweep.capture, voice.<guild>, shard.<shards>.<shard>, shard.plan, gateway.<instance>, identify.<bot>.<bucket>, guilds.writer, bot.<shard>, bot.alarms, bot.due, bot.lockdown, jobs.sweep, claim.<interaction>", History: 1, MaxBytes: 64 * mib, MaxValue: 4 * kib,
			Does:    "Sole rights with a fencing token; they end with their holder.",
			Storage: Volatile, KeyTTL: true,
		},
		{
			Name: bucketTokens, Key: "<sha256 of the token>, or a marker", History: 1, MaxBytes: 8 * mib, MaxValue: 4 * kib,
			Does: "Worker tokens that AutoMuteUs handed over, sealed; and marks of migrations that are done.",
		},
		{
			Name: bucketPositions, Key: "<reader>", History: 1, MaxBytes: 1 * mib, MaxValue: 1 * kib,
			Does: "How far a reader came that keeps its own place elsewhere, in case that elsewhere is wiped.",
		},
		{
			Name: bucketSessions, Key: "upstream.<shards>.<shard>, ready.<shards>.<shard>, identify.<token hash>, plan.shards, downstream.<session>", History: 1, MaxBytes: 64 * mib, MaxValue: 1 * mib,
			Does:   "Gateway sessions with Discord and of bots with us, so that both are resumed after kill -9.",
			KeyTTL: true,
		},
		{
			Name: bucketGuilds, Key: "<guild>", History: 1, MaxBytes: 512 * mib, MaxValue: 4 * mib,
			Does: "Compressed guild snapshots, patched by events.",
		},
		{
			Name: bucketConfig, Key: "guild.<guild>, limits.<guild>.<id>, access.<guild>.<command>, commands.<application>.<guild>, schedule.<guild>.<name>", History: 20, MaxBytes: 64 * mib, MaxValue: 64 * kib,
			Does: "Settings of guilds. Watched instead of cached; the history says who changed what.",
		},
		{
			Name: bucketGuard, Key: "incident.<guild>.<id>, lockdown.<guild>, temporary.<guild>.<user>, pending.<guild>.<id>", History: 1, MaxBytes: 128 * mib, MaxValue: 1 * mib,
			Does: "What the bot has under way in guilds: incidents with the plan that was approved to undo them, lockdowns with what they replaced.",
		},
		{
			Name: bucketJobs, Key: "<guild>.<job>, once.<guild>.<hash>, paused.kind.<kind>", History: 1, MaxBytes: 256 * mib, MaxValue: 1 * mib,
			Does:   "The records of jobs: state, arguments, attempts, outcome, files. jobs writes by compare-and-set; everybody reads.",
			KeyTTL: true, // for the keys of submissions, and the marks of removed records
		},
		{
			Name: bucketJobSecrets, Key: "<guild>.<job>", History: 1, MaxBytes: 16 * mib, MaxValue: 16 * kib,
			Does:   "Passwords of jobs, sealed, until the job has ended.",
			KeyTTL: true,
		},
	}
}

func blobs() []Blob {
	return []Blob{
		{
			Name: blobsBackups, Key: "<guild>/<job>/<attempt>/<file>", MaxBytes: 2 * gib,
			Does: "Files of jobs, backup archives above all, streamed in and out. Removed with the job.",
		},
	}
}
