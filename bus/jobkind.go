package bus

// JobKind names what a job does. It is a token of subjects: lower-case words, joined by dashes.
type JobKind string

// The kinds of jobs.
const (
	JobBackupCreate    JobKind = "backup-create"
	JobRestorePlan     JobKind = "restore-plan" // says what a restore would do
	JobBackupRestore   JobKind = "backup-restore"
	JobBackupScheduled JobKind = "backup-scheduled" // makes a backup by a guild's schedule, and lets old ones go
	JobMessagePrune    JobKind = "message-prune"
	JobPunishmentEnd   JobKind = "punishment-end" // lifts a ban whose time is over
	JobIncidentUndo    JobKind = "incident-undo"
)
