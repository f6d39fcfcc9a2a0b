package bus

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// GuildSettings is what a guild has set about the bot; in CONFIG under guild.<guild>.
type GuildSettings struct {
	V            int         `json:"v"`
	LogChannel   string      `json:"log_channel,omitempty"`   // where acts of moderators are told; empty: nowhere
	AlertChannel string      `json:"alert_channel,omitempty"` // where alarms go; empty: nowhere
	Language     string      `json:"language,omitempty"`      // of what everybody sees; empty: the guild's own
	Quarantine   string      `json:"quarantine,omitempty"`    // the role that RespondQuarantine leaves
	Exempt       []Exemption `json:"exempt,omitempty"`        // at most MaxExemptions
	RestoreNeeds string      `json:"restore_needs,omitempty"` // NeedsSecond, NeedsOwner; empty: who asks is enough
	By           UserID      `json:"by,string"`
	At           time.Time   `json:"at"`
}

// Exemption is that limits do not count what a user, or whoever has a role, does.
type Exemption struct {
	Grantee
	Kind  ActionKind `json:"action,omitempty"` // empty: every kind
	Until time.Time  `json:"until,omitzero"`   // zero: until it is taken back
	By    UserID     `json:"by,string"`
}

// MaxExemptions bounds the exemptions of a guild.
const MaxExemptions = 50

// Grantee is a user or a role.
type Grantee struct {
	Role string `json:"role,omitempty"` // exactly one of the two is set
	User string `json:"user,omitempty"`
}

// Access is what a guild has set about who may run a command; in CONFIG under
// access.<guild>.<command with dashes>.
type Access struct {
	V        int       `json:"v"`
	Disabled bool      `json:"disabled,omitempty"`
	Allow    []Grantee `json:"allow,omitempty"`
	Deny     []Grantee `json:"deny,omitempty"`
	By       UserID    `json:"by,string"`
	At       time.Time `json:"at"`
}

// MaxGrantees bounds each list of an Access.
const MaxGrantees = 50

// CommandSet is which commands of an application we created, and what they were; in
// CONFIG under commands.<application>.<guild or 0>. What is not in it is not ours.
type CommandSet struct {
	V     int               `json:"v"`
	Names map[string]string `json:"names"` // name to id, of those that we created
	Hash  string            `json:"hash"`  // of all that we wanted when it was last made so
	At    time.Time         `json:"at"`
}

// PendingAct is what somebody was asked to confirm; in GUARD under pending.<guild>.<id>.
// Whoever removes the record may carry it out, once.
type PendingAct struct {
	V       int               `json:"v"`
	Command string            `json:"command"`
	Args    map[string]string `json:"args,omitempty"`
	By      UserID            `json:"by,string"`
	Until   time.Time         `json:"until"`
	Type    string            `json:"type,omitempty"` // what has to be typed to confirm it
}

// Claim is that a process deals with an interaction; in LEASES under claim.<id>.
type Claim struct {
	V      int    `json:"v"`
	Holder string `json:"holder"`
	Done   bool   `json:"done,omitempty"` // its whole work
}

// AllSettings holds the settings of guilds, under the guild's id.
func AllSettings() Kept[GuildSettings] {
	return Kept[GuildSettings]{bucket: bucketConfig, prefix: "guild."}
}

// Accesses holds who may run what, under AccessKey.
func Accesses() Kept[Access] { return Kept[Access]{bucket: bucketConfig, prefix: "access."} }

// AccessKey names a command in a guild; its subcommands follow with spaces.
func AccessKey(g GuildID, command string) string {
	return join(g.String(), strings.ReplaceAll(command, " ", "-"))
}

// CommandSets holds what we registered, under CommandSetKey.
func CommandSets() Kept[CommandSet] {
	return Kept[CommandSet]{bucket: bucketConfig, prefix: "commands."}
}

// CommandSetKey names an application's commands in a guild; 0 for those of all guilds.
func CommandSetKey(app UserID, g GuildID) string { return join(app.String(), g.String()) }

// PendingActs holds what waits for a confirmation, under PendingKey.
func PendingActs() Kept[PendingAct] { return Kept[PendingAct]{bucket: bucketGuard, prefix: "pending."} }

// PendingKey names what waits in a guild.
func PendingKey(g GuildID, id string) string { return join(g.String(), id) }

// Claims holds which interactions somebody deals with, under the interaction's id.
func Claims() Kept[Claim] { return Kept[Claim]{bucket: bucketLeases, prefix: "claim."} }

// DueLease is the right to submit what ends bans for a time, and to sweep; one process at a
// time looks.
func DueLease() LeaseKey { return LeaseKey{join(leaseBot, "due")} }

// CreateFor writes a record that must not exist and that ends by itself after ttl, at
// least a second; CodeConflict when it exists. Its bucket must allow that (Bucket.KeyTTL).
func (r *Records[T]) CreateFor(ctx context.Context, key string, v T, ttl time.Duration) error {
	data, err := marshalRecord(v)
	if err != nil {
		return err
	}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	_, err = r.kv.Create(ctx, r.kept.prefix+key, data, jetstream.KeyTTL(max(ttl, time.Second).Truncate(time.Second)))
	if err != nil {
		return AsError(err)
	}
	return nil
}

func marshalRecord(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, Errorf(CodeInvalid, "bad_payload", "a record cannot be encoded: %w", err)
	}
	return data, nil
}
