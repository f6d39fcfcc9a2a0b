// Package plan says what has to happen to a guild so that it becomes what a backup says: which things are made, changed
// and deleted, in which order, what cannot be and why. A plan is a contract: people approve its hash, what runs is exactly
// its steps, and Drift tells what has changed in the guild since.
//
// What comes in: two snapshots (the backup and the guild as it is), what the bot may do there, and what people chose. What
// goes out: a Plan, the same one byte for byte for the same input. Nothing here asks Discord or a clock.
//
// How it works: match.go finds for each thing of the backup its counterpart in the guild, by id and else by what people
// know it by; target.go rewrites the backup in the guild's terms, so that a reference is the id of something that is there
// or, with a plus in front, the backup's id of something that the plan makes; a file per kind of thing cuts what cannot
// hold here (rights.go, limits.go) and compares the rest field by field. Read make.go first.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"splashtail/jobs/backup/model"
)

// Version is the version of a plan's form. A plan of another version is not executed.
const Version = 1

// Op is what a step does.
type Op string

// The operations.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
	Cannot Op = "cannot" // is wanted and will not happen, for the reason in Why
)

// Kind is a kind of thing; people choose by it which parts of a backup to restore.
type Kind string

// The kinds, in the order in which people read them.
const (
	Settings   Kind = "settings"
	Role       Kind = "role"
	Channel    Kind = "channel"
	Emoji      Kind = "emoji"
	Sticker    Kind = "sticker"
	Sound      Kind = "sound"
	AutoMod    Kind = "automod"
	Welcome    Kind = "welcome"
	Onboarding Kind = "onboarding"
	Event      Kind = "event"
	Webhook    Kind = "webhook"
	Ban        Kind = "ban"
	Member     Kind = "member"
	Thread     Kind = "thread"
	Messages   Kind = "messages"

	// RoleOrder and ChannelOrder are parts of Role and Channel: the place of all of them at once.
	RoleOrder    Kind = "role-order"
	ChannelOrder Kind = "channel-order"
)

// Kinds lists the kinds that people choose from.
func Kinds() []Kind {
	return []Kind{Settings, Role, Channel, Emoji, Sticker, Sound, AutoMod, Welcome, Onboarding, Event, Webhook, Ban, Member, Thread, Messages}
}

// Mode says what becomes of things that the guild has and the backup has not.
type Mode string

// The modes.
const (
	Exact Mode = "exact" // they are deleted; messages and threads never are, and no ban is lifted
	Merge Mode = "merge" // nothing is deleted, and nothing is taken from members
)

// Options are what people choose.
type Options struct {
	Mode    Mode       `json:"mode"`
	Parts   []Kind     `json:"parts,omitempty"`   // none: all
	Protect []model.ID `json:"protect,omitempty"` // neither changed, deleted nor made: ids of the guild or of the backup
}

// Check says what is wrong with options, as a sentence for people.
func (o Options) Check() error {
	if o.Mode != Exact && o.Mode != Merge {
		return fmt.Errorf("the mode of a restore is %q or %q, not %q", Exact, Merge, o.Mode)
	}
	for _, k := range o.Parts {
		if !slices.Contains(Kinds(), k) {
			return fmt.Errorf("a backup has no part called %q; choose from %v", k, Kinds())
		}
	}
	if len(o.Protect) > maxProtected {
		return fmt.Errorf("%d things are to be protected; at most %d can be", len(o.Protect), maxProtected)
	}
	for _, id := range o.Protect {
		if !isID(id) {
			return fmt.Errorf("%q is to be protected and is not an id", id)
		}
	}
	return nil
}

const maxProtected = 1000

// Has tells whether a kind of thing is to be restored.
func (o Options) Has(k Kind) bool {
	switch k {
	case RoleOrder:
		k = Role
	case ChannelOrder:
		k = Channel
	}
	return len(o.Parts) == 0 || slices.Contains(o.Parts, k)
}

// Names tells whether people have chosen a kind of thing by name, not just left it among all.
func (o Options) Names(k Kind) bool { return slices.Contains(o.Parts, k) }

// Plan is what a restore will do. Its steps stand in the order in which they are done.
type Plan struct {
	Version int      `json:"version"`
	Guild   model.ID `json:"guild"`
	Of      Source   `json:"of"`
	Options Options  `json:"options"`
	Steps   []Step   `json:"steps"`
	Refs    Refs     `json:"refs"`
	Base    []Base   `json:"base"` // the guild that the plan was made for, see Drift
}

// Source says which backup a plan restores.
type Source struct {
	Guild   model.ID  `json:"guild"`
	TakenAt time.Time `json:"taken_at"`
	Digest  string    `json:"digest,omitempty"` // of the archive, so that a plan cannot run with another one
}

// Refs say which thing of the guild stands for one of the backup: for what messages and files refer to.
type Refs struct {
	Roles    map[model.ID]model.ID `json:"roles,omitempty"`
	Channels map[model.ID]model.ID `json:"channels,omitempty"`
	Emojis   map[model.ID]model.ID `json:"emojis,omitempty"`
}

// Step is one act, or one thing that cannot be done.
type Step struct {
	Op   Op   `json:"op"`
	Kind Kind `json:"kind"`
	// ID names the thing: of a Create it is the backup's id, of the others the guild's (with a plus in front: that of
	// something that an earlier step makes). Settings, orders, welcome screen, onboarding and bans have none.
	ID     model.ID `json:"id,omitempty"`
	Name   string   `json:"name,omitempty"`
	Fields []Field  `json:"fields,omitempty"` // by name
	Line   string   `json:"line"`             // what people read
	Why    string   `json:"why,omitempty"`    // of a Cannot
	Less   []string `json:"less,omitempty"`   // what is left out of it or done in another way, and why
}

// Field is a value that a step sets, in the form of Discord's API. A Create has no Before.
type Field struct {
	Name   string          `json:"name"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after"`
}

// Key names a step within its plan, in letters that a note's key may have.
func (s Step) Key() string {
	return string(s.Op) + "/" + string(s.Kind) + "/" + strings.Replace(string(s.ID), "+", "new.", 1)
}

// Acts tells whether a step changes anything.
func (s Step) Acts() bool { return s.Op != Cannot }

// Get reads a field's new value into v; false when the step does not set it.
func (s Step) Get(name string, v any) bool {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
	return i >= 0 && json.Unmarshal(s.Fields[i].After, v) == nil
}

// Hash is what people approve: the SHA-256 of the plan's JSON, in hex.
func (p Plan) Hash() string {
	data, err := json.Marshal(p)
	if err != nil { // a plan is made of texts, numbers and JSON that was read before
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Empty tells whether nothing would happen.
func (p Plan) Empty() bool { return !slices.ContainsFunc(p.Steps, Step.Acts) }

// Destructive tells whether something would be deleted or taken away, so that a guild may ask for a second approver.
func (p Plan) Destructive() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Op == Delete })
}

// Count is how many steps of a kind do what.
type Count struct {
	Create int `json:"create,omitempty"`
	Update int `json:"update,omitempty"`
	Delete int `json:"delete,omitempty"`
	Cannot int `json:"cannot,omitempty"`
}

// Counts counts the steps by kind.
func (p Plan) Counts() map[Kind]Count {
	counts := map[Kind]Count{}
	for _, s := range p.Steps {
		c := counts[s.Kind]
		switch s.Op {
		case Create:
			c.Create++
		case Update:
			c.Update++
		case Delete:
			c.Delete++
		case Cannot:
			c.Cannot++
		}
		counts[s.Kind] = c
	}
	return counts
}

// MaxSize bounds a plan as JSON, in bytes.
const MaxSize = 64 << 20

// Write writes a plan as JSON.
func (p Plan) Write(w io.Writer) error { return json.NewEncoder(w).Encode(p) }

// Read reads what Write wrote, at most MaxSize bytes. That it is the plan that somebody approved, its Hash says.
func Read(r io.Reader) (Plan, error) {
	var p Plan
	limited := &io.LimitedReader{R: r, N: MaxSize}
	if err := json.NewDecoder(limited).Decode(&p); err != nil {
		if limited.N <= 0 {
			err = errors.New("it is too large")
		}
		return Plan{}, fmt.Errorf("the plan cannot be read, make it anew: %w", err)
	}
	if p.Version != Version {
		return Plan{}, fmt.Errorf("the plan is of version %d and this program executes version %d; make it anew", p.Version, Version)
	}
	return p, nil
}
