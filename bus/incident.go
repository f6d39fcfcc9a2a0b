package bus

import (
	"encoding/json"
	"time"
)

// Deed is one entry of a guild's audit log with what its object was before, on JOURNAL
// under journal.<guild>: enough to take it back.
type Deed struct {
	V       int             `json:"v"`
	ID      uint64          `json:"id,string"` // snowflake of the entry; it carries the time
	Guild   GuildID         `json:"guild,string"`
	Actor   UserID          `json:"actor,string"` // 0: Discord did not say
	Type    int             `json:"type"`         // Discord's action_type
	Target  string          `json:"target,omitempty"`
	Changes json.RawMessage `json:"changes,omitempty"` // as Discord sent them
	Options json.RawMessage `json:"options,omitempty"` // as Discord sent them
	Reason  string          `json:"reason,omitempty"`
	Before  json.RawMessage `json:"before,omitempty"` // what was deleted, as Discord's object
	// What went with something that was deleted and is in no other entry: who had the
	// role (at most MaxDeedMembers), its overwrites by channel, the channels of the
	// category, the guild's settings that named the channel, and the order of all roles or
	// channels before, from the lowest.
	Members    []string                   `json:"members,omitempty"`
	Overwrites map[string]json.RawMessage `json:"overwrites,omitempty"`
	Children   []string                   `json:"children,omitempty"`
	Settings   []string                   `json:"settings,omitempty"`
	Order      []string                   `json:"order,omitempty"`
	At         time.Time                  `json:"at"`
}

// MaxDeedMembers bounds the members that a deed names.
const MaxDeedMembers = 10_000

// JournalSubject is where the deeds of a guild go: journal.<guild>.
func JournalSubject(g GuildID) Subject[Deed] { return Subject[Deed]{join(rootJournal, g.String())} }

// ParseJournalSubject is the inverse of JournalSubject.
func ParseJournalSubject(s string) (GuildID, error) {
	t, err := split(s, 2, rootJournal)
	if err != nil {
		return 0, err
	}
	return ParseGuildID(t[1])
}

// JournalOf takes the deeds of one guild.
func JournalOf(g GuildID) Filter[Deed] {
	return filterOf[Deed](streamJournal, JournalSubject(g).name)
}

// allJournals takes the deeds of every guild.
func allJournals() Filter[Deed] { return filterOf[Deed](streamJournal, join(rootJournal, "*")) }

// Incident is a part of a guild's history that belongs together: what one actor did
// within a time. It is kept in GUARD under incident.<guild>.<id>.
type Incident struct {
	V     int       `json:"v"`
	ID    string    `json:"id"`
	Guild GuildID   `json:"guild,string"`
	Actor UserID    `json:"actor,string"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // zero: it goes on
	Cause string    `json:"cause"`          // the name of the limit that was met, or the words of who opened it
	By    UserID    `json:"by,string"`      // who opened it; 0: a limit
	At    time.Time `json:"at"`
	Undo  *Undo     `json:"undo,omitempty"` // once it was approved
}

// Undo is the undoing of an incident by a job. Its plan does not change after it was approved; how far the job is, its
// notes say.
type Undo struct {
	By    UserID            `json:"by,string"`
	At    time.Time         `json:"at"`
	Job   string            `json:"job"`             // the job that carries the plan out; another one's notes mean nothing
	Plan  json.RawMessage   `json:"plan"`            // the steps, as the planner wrote them
	Hash  string            `json:"hash"`            // of the plan, as it was shown
	Made  map[string]string `json:"made,omitempty"`  // id before -> id of what was made in its place, by this job or one before
	Fails []string          `json:"fails,omitempty"` // steps that Discord refused, and why; once it is done
	Done  time.Time         `json:"done,omitzero"`
}

// UndoArgs are the arguments of JobIncidentUndo.
type UndoArgs struct {
	Incident string `json:"incident"` // its id
	Hash     string `json:"hash"`     // of the plan that was shown and approved; the job does nothing when it is another one by now
}

// UndoDone is the outcome of JobIncidentUndo, also of one that was ended before its end.
type UndoDone struct {
	Incident string         `json:"incident"`
	Steps    int            `json:"steps"`            // of the plan
	Done     map[string]int `json:"done"`             // what a step does, such as create_role -> steps
	Failed   []string       `json:"failed,omitempty"` // steps that Discord refused, and why; at most 100
}

// Incidents holds the incidents of all guilds, under IncidentKey.
func Incidents() Kept[Incident] { return Kept[Incident]{bucket: bucketGuard, prefix: "incident."} }

// IncidentKey names a guild's incident.
func IncidentKey(g GuildID, id string) string { return join(g.String(), id) }
