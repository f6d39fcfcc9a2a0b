package bus

import (
	"encoding/json"
	"strings"
	"time"
)

// Parts of a guild that a backup can hold and a restore can be limited to.
const (
	PartSettings    = "settings"    // name, images, levels, and which channels have a duty
	PartRoles       = "roles"       // with their order
	PartChannels    = "channels"    // categories and channels with overwrites and tags
	PartThreads     = "threads"     // threads and posts of forums
	PartExpressions = "expressions" // emoji, stickers and sounds
	PartAutoMod     = "automod"
	PartCommunity   = "community" // welcome screen and onboarding
	PartEvents      = "events"
	PartWebhooks    = "webhooks" // without their tokens
	PartBans        = "bans"
	PartMembers     = "members"  // who has which roles and nickname
	PartMessages    = "messages" // with pins
)

// BackupParts lists the parts in the order in which people read them.
func BackupParts() []string {
	return []string{PartSettings, PartRoles, PartChannels, PartThreads, PartExpressions, PartAutoMod, PartCommunity, PartEvents,
		PartWebhooks, PartBans, PartMembers, PartMessages}
}

// BackupArgs are the arguments of JobBackupCreate. With the secret "password" the archive
// is encrypted.
type BackupArgs struct {
	Name        string         `json:"name,omitempty"`        // for people, up to 64 characters
	Leave       []string       `json:"leave,omitempty"`       // parts to leave out; members are left out unless Members
	Members     bool           `json:"members,omitempty"`     // keep who has which roles and nickname
	Messages    int            `json:"messages,omitempty"`    // most messages in all; 0: none
	PerChannel  int            `json:"per_channel,omitempty"` // the share of a channel, its newest; more only of what others leave; 0: the default
	Special     map[string]int `json:"special,omitempty"`     // channel id -> most of that channel, whatever others leave
	NoRollover  bool           `json:"no_rollover,omitempty"` // do not give what a channel left to others: a share is never passed
	Attachments bool           `json:"attachments,omitempty"` // keep the files of messages, too
	Strict      bool           `json:"strict,omitempty"`      // end as failed when a channel cannot be read, instead of saying so in the manifest
}

// ScheduledArgs are the arguments of JobBackupScheduled: a backup as BackupArgs says, after which the oldest ones that a
// schedule made go until Keep are left.
type ScheduledArgs struct {
	BackupArgs
	Keep int `json:"keep"` // 1 to 100
}

// BackupDone is the outcome of JobBackupCreate, of JobBackupScheduled, and of the safety
// backup that a restore makes.
type BackupDone struct {
	File      string         `json:"file"` // the archive's name among the files of the job
	Size      int64          `json:"size"` // bytes
	SHA256    string         `json:"sha256"`
	Encrypted bool           `json:"encrypted,omitempty"`
	Name      string         `json:"name,omitempty"`
	Counts    map[string]int `json:"counts"`            // by what the manifest counts: roles, channels, messages …
	Missing   []string       `json:"missing,omitempty"` // what was asked for and is not in it, as sentences; at most 50
	At        time.Time      `json:"at"`
}

// BackupSource says where the archive of a restore is: exactly one field is set.
type BackupSource struct {
	Job string `json:"job,omitempty"` // a job of the same guild that made a backup
	URL string `json:"url,omitempty"` // an attachment on Discord's own hosts, without its signature: see UploadSource
}

// SignatureSecret is the secret of a JobRestorePlan with which Discord signed the address of an upload.
const SignatureSecret = "signature"

// UploadSource splits the address of an upload: whoever has its signature can read the file for a day, so that is a secret of the job and
// no argument, which records and lists show.
func UploadSource(address string) (BackupSource, JobSecrets) {
	plain, signature, signed := strings.Cut(address, "?")
	if !signed {
		return BackupSource{URL: address}, nil
	}
	return BackupSource{URL: plain}, JobSecrets{SignatureSecret: signature}
}

// RestoreMode says what happens to what a guild has and a backup has not.
type RestoreMode string

const (
	// RestoreExact deletes it.
	RestoreExact RestoreMode = "exact"
	// RestoreMerge keeps it.
	RestoreMerge RestoreMode = "merge"
)

// PlanArgs are the arguments of JobRestorePlan, which reads a backup and the guild as it
// is and says what a restore would do. With the secret "password" when the archive is
// encrypted, and SignatureSecret for an upload.
type PlanArgs struct {
	Source  BackupSource `json:"source"`
	Mode    RestoreMode  `json:"mode"`
	Parts   []string     `json:"parts,omitempty"`   // empty: all that the backup holds
	Protect []string     `json:"protect,omitempty"` // ids of roles and channels that are not touched
	Here    string       `json:"here,omitempty"`    // id of the channel where it was asked for: protected, too, when it would be deleted
}

// PlanDone is the outcome of JobRestorePlan. The plan itself is the job's file.
type PlanDone struct {
	File   string         `json:"file"`
	Text   string         `json:"text,omitempty"` // the job's file with every line of it, for people
	Hash   string         `json:"hash"`           // hex SHA-256 of the plan: what people approve
	Counts map[string]int `json:"counts"`         // create, update, delete, cannot
	Lines  []string       `json:"lines"`          // what it does, as people read it; at most 200, deletions first
	Cannot []string       `json:"cannot,omitempty"`
	Needs  string         `json:"needs,omitempty"` // who else has to approve: nobody, NeedsSecond or NeedsOwner
	Guild  string         `json:"guild"`           // the saved guild's name
	At     time.Time      `json:"at"`              // when the backup was made
}

// Who else has to approve a restore that deletes something; GuildSettings.RestoreNeeds chooses.
const (
	NeedsSecond = "second" // somebody else who may restore
	NeedsOwner  = "owner"  // the owner of the guild
)

// RestoreArgs are the arguments of JobBackupRestore: an approved plan. With the secret
// "password" when the archive is encrypted.
type RestoreArgs struct {
	Plan       string   `json:"plan"` // the job that made it
	Hash       string   `json:"hash"` // the plan as it was shown
	ApprovedBy []UserID `json:"approved_by"`
}

// RestoreDone is the outcome of JobBackupRestore, also of one that was cancelled.
type RestoreDone struct {
	Safety string         `json:"safety"` // the job's file with the guild as it was before: restoring it undoes this
	Done   map[string]int `json:"done"`   // create, update, delete: acts done
	Failed []string       `json:"failed,omitempty"`
	Left   []string       `json:"left,omitempty"` // what was not restored, with the reason; at most 200
	Report string         `json:"report"`         // the job's file with every line
}

// ArchiveOf tells which file of a job is a backup: what JobBackupCreate and JobBackupScheduled made, or the guild as it was
// before a JobBackupRestore changed it, also when that failed. Empty: there is none.
func ArchiveOf(j Job) string {
	var outcome struct {
		File   string `json:"file"`
		Safety string `json:"safety"`
	}
	if len(j.Outcome) == 0 || json.Unmarshal(j.Outcome, &outcome) != nil {
		return ""
	}
	switch {
	case j.Kind == JobBackupRestore && j.State.Ended():
		return outcome.Safety
	case (j.Kind == JobBackupCreate || j.Kind == JobBackupScheduled) && j.State == JobCompleted:
		return outcome.File
	}
	return ""
}
