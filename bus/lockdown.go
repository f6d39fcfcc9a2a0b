package bus

import "time"

// Lockdown is what is closed in a guild, or on its way there or back; in GUARD under
// lockdown.<guild>. All locks of a guild stand in one record, since those that lie over
// each other share what was before. It is written before anything is changed at Discord.
type Lockdown struct {
	V     int    `json:"v"`
	Locks []Lock `json:"locks"` // in the order in which they began; at most MaxLocks
	Holds []Hold `json:"holds,omitempty"`
}

// MaxLocks bounds the locks of a guild, and MaxLockParts what each touches.
const (
	MaxLocks     = 25
	MaxLockParts = 3000
)

// LockScope says what a lock closes.
type LockScope string

// The scopes.
const (
	LockRoles    LockScope = "roles"    // @everyone and public roles lose it in the role itself
	LockChannels LockScope = "channels" // overwrites in every channel that the public uses
	LockChannel  LockScope = "channel"  // overwrites in one channel
)

// LockPhase says how far a lock is.
type LockPhase string

// The phases. An open lock is not in the record any more.
const (
	LockClosing LockPhase = "closing"
	LockClosed  LockPhase = "closed"
	LockOpening LockPhase = "opening"
	LockStuck   LockPhase = "stuck" // Discord refused a part of the opening; it waits for somebody
)

// Lock is a lockdown with a time limit.
type Lock struct {
	ID      string        `json:"id"` // the op of the command that began it
	Scope   LockScope     `json:"scope"`
	Channel string        `json:"channel,omitempty"` // of LockChannel
	Phase   LockPhase     `json:"phase"`
	By      UserID        `json:"by,string"`
	Reason  string        `json:"reason,omitempty"`
	Audit   string        `json:"audit"`          // the audit-log reason of what is under way
	Told    string        `json:"told,omitempty"` // the channel in which people are told
	At      time.Time     `json:"at"`
	Until   time.Time     `json:"until"` // when it is lifted by itself
	Planned bool          `json:"planned,omitempty"`
	Todo    []LockPart    `json:"todo,omitempty"`   // what the phase still has to change
	Total   int           `json:"total,omitempty"`  // how many parts the phase began with
	Failed  []LockFailure `json:"failed,omitempty"` // what the phase could not change

	OpenedBy UserID `json:"opened_by,string,omitempty"` // who lifts it; 0: its time is over
}

// LockTarget is what a lock changes: a role's permissions, or with Channel an overwrite.
type LockTarget struct {
	Channel string `json:"channel,omitempty"`
	ID      string `json:"id"`               // of the role, or with Member of the user
	Member  bool   `json:"member,omitempty"` // the overwrite is a member's
}

// LockPart is a target with the permissions that are changed there.
type LockPart struct {
	LockTarget
	Bits int64 `json:"bits,string"`
}

// LockFailure is a target that was left as it was, and why in one word.
type LockFailure struct {
	LockTarget
	Why string `json:"why"`
}

// Hold is a target as it was before the first lock touched it.
type Hold struct {
	LockTarget
	Created bool             `json:"created,omitempty"` // the overwrite is ours; it was not there
	Allow   int64            `json:"allow,string"`      // what was allowed before, of the bits in By
	Deny    int64            `json:"deny,string"`       // what was denied before, of the bits in By
	By      map[string]int64 `json:"by"`                // which bits each lock keeps changed, by its id
}

// Lockdowns holds what is closed in guilds, under the guild's id.
func Lockdowns() Kept[Lockdown] { return Kept[Lockdown]{bucket: bucketGuard, prefix: "lockdown."} }

// LockdownLease is the right to close and open guilds; one process at a time does.
func LockdownLease() LeaseKey { return LeaseKey{join(leaseBot, "lockdown")} }
