package plan

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"splashtail/jobs/backup/model"
)

// Input is all that a plan depends on.
type Input struct {
	Saved, Live model.Snapshot
	Rights      Rights
	Options     Options

	// Messages is how many messages the backup has of each channel and thread.
	Messages map[model.ID]int
	// Emptied are the channels that are in the guild and hold none of the backup's messages any more, as after a raid that
	// deleted them. They are written again when people have chosen messages by name.
	Emptied map[model.ID]bool
	// Lacks are the kinds of things that the backup does not hold, with the reason: that there are none in it does not mean that
	// there were none. What the guild has of them stays as it is.
	Lacks map[Kind]string
	// Complete says that the backup lacks no file that the guild had, so that no picture in it means that there was none.
	// Otherwise pictures that the guild has and the backup has not stay.
	Complete bool
	Digest   string    // of the archive
	Now      time.Time // events that begin before cannot be made
	Limits   *Limits   // nil: those of the guild's boost level
}

// phase orders the steps: what others refer to comes before them, and what is in nobody's way is deleted after what
// replaces it, so that a restore that stops midway leaves more than there was, never less.
type phase int

const (
	freeing   phase = iota // deletions without which there would be no room
	roles                  // the highest first
	emojis                 // needed by forum tags and onboarding
	channels               // categories first
	settings               // which name channels
	community              // channels that only a community has
	others                 // what names channels and roles
	deletions
	orders // of what is left
	people
	words // threads and messages
	phases
)

// maker collects what Make finds out.
type maker struct {
	Input
	limits  Limits
	protect map[model.ID]bool
	rank    map[model.ID]int // of the guild's roles, @everyone is 0
	steps   [phases][]Step

	roleOf, channelOf, emojiOf map[model.ID]model.ID // of the backup → reference; what is not in it is gone
	community, turnsOn         bool                  // whether the guild is a community afterwards, and was not before
	rules, updates             model.ID              // the channels that a community cannot lose, afterwards
	typeOf                     map[model.ID]int      // of the backup's channels: the type that they get
	lost                       map[model.ID]bool     // deleted in the end
	outside                    map[model.ID]bool     // of the backup's channels: not in their category, since it is full
	late                       map[model.ID]bool     // references to what is made after the settings
	giveable                   map[model.ID]bool     // see canGive
}

// Make makes the plan. It fails for options and snapshots that make no sense, with a sentence for people.
func Make(in Input) (Plan, error) {
	if err := in.Options.Check(); err != nil {
		return Plan{}, err
	}
	in = in.filled()
	if err := check(in.Saved); err != nil {
		return Plan{}, fmt.Errorf("the backup cannot be compared: %w", err)
	}
	if err := check(in.Live); err != nil {
		return Plan{}, fmt.Errorf("the server cannot be compared: %w", err)
	}
	m := &maker{
		Input: in, protect: map[model.ID]bool{}, lost: map[model.ID]bool{}, rank: map[model.ID]int{},
		outside: map[model.ID]bool{}, late: map[model.ID]bool{}, typeOf: map[model.ID]int{},
		roleOf: map[model.ID]model.ID{}, channelOf: map[model.ID]model.ID{}, emojiOf: map[model.ID]model.ID{},
	}
	m.limits = LimitsOf(in.Live.About.BoostLevel, in.Live.Guild.Has)
	if in.Limits != nil {
		m.limits = *in.Limits
	}
	for _, id := range in.Options.Protect {
		m.protect[id] = true
	}
	m.planRoles()
	m.planEmojis()
	m.planChannels()
	m.planSettings()
	m.planExpressions()
	m.planAutoMod()
	m.planCommunity()
	m.planEvents()
	m.planWebhooks()
	m.planPeople()
	m.planWords()
	m.sayLacks()
	return Plan{
		Version: Version, Guild: in.Live.About.GuildID, Options: in.Options, Steps: slices.Concat(m.steps[:]...), Base: base(in.Live),
		Of:   Source{Guild: in.Saved.About.GuildID, TakenAt: in.Saved.About.TakenAt.UTC(), Digest: in.Digest},
		Refs: Refs{m.roleOf, m.channelOf, m.emojiOf},
	}, nil
}

// Bounds of what is compared; an archive's own limits are tighter.
const (
	maxThings = 10_000
	maxPeople = 5_000_000
)

// check refuses snapshots whose ids are none or not unique, since they decide what is touched.
func check(s model.Snapshot) error {
	if !isID(s.About.GuildID) {
		return fmt.Errorf("it is of no guild: %q", s.About.GuildID)
	}
	if len(s.Bans) > maxPeople || len(s.Members) > maxPeople {
		return errors.New("it has more members or bans than any guild")
	}
	everyone := false
	for _, r := range s.Roles {
		everyone = everyone || r.ID == s.About.GuildID
		if _, err := parseBits(r.Permissions); err != nil {
			return err
		}
	}
	for _, c := range s.Channels {
		for _, o := range c.Overwrites {
			_, err := parseBits(o.Allow)
			_, err2 := parseBits(o.Deny)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
		}
	}
	if !everyone {
		return errors.New("it has no role @everyone")
	}
	// Steps name what they make by its id in the backup, whatever it is.
	all := slices.Concat(idsOf(s.Roles, func(r model.Role) model.ID { return r.ID }), idsOf(s.Channels, func(c model.Channel) model.ID { return c.ID }),
		idsOf(s.Emojis, func(e model.Emoji) model.ID { return e.ID }))
	return errors.Join(
		unique("role, channel or emoji", all, func(id model.ID) model.ID { return id }),
		unique("role", s.Roles, func(r model.Role) model.ID { return r.ID }),
		unique("channel", s.Channels, func(c model.Channel) model.ID { return c.ID }),
		unique("thread", s.Threads, func(t model.Thread) model.ID { return t.ID }),
		unique("emoji", s.Emojis, func(e model.Emoji) model.ID { return e.ID }),
		unique("sticker", s.Stickers, func(e model.Sticker) model.ID { return e.ID }),
		unique("sound", s.Sounds, func(e model.Sound) model.ID { return e.ID }),
		unique("AutoMod rule", s.AutoMod, func(a model.AutoModRule) model.ID { return a.ID }),
		unique("event", s.Events, func(e model.Event) model.ID { return e.ID }),
		unique("webhook", s.Webhooks, func(w model.Webhook) model.ID { return w.ID }),
	)
}

func idsOf[T any](list []T, id func(T) model.ID) []model.ID {
	out := make([]model.ID, len(list))
	for i, v := range list {
		out[i] = id(v)
	}
	return out
}

func unique[T any](what string, list []T, id func(T) model.ID) error {
	if len(list) > maxThings {
		return fmt.Errorf("it has %d things of the kind %s, more than any guild", len(list), what)
	}
	seen := map[model.ID]bool{}
	for _, v := range list {
		switch id := id(v); {
		case !isID(id):
			return fmt.Errorf("the id %.40q of a %s is none", id, what)
		case seen[id]:
			return fmt.Errorf("the id %s is that of two things of the kind %s", id, what)
		default:
			seen[id] = true
		}
	}
	return nil
}

// thing is one comparison: what the backup wants of a thing, and what the guild has.
type thing struct {
	kind        Kind
	phase       phase
	saved, live model.ID // empty: it has none
	name        string
	have, want  fields
	less        []string // what want lacks of the backup, and why
	no          string   // why it cannot be touched at all; empty: it can
}

// settle turns a comparison into the step that it needs, if any. It tells whether the thing is there afterwards.
func (m *maker) settle(t thing) bool {
	ofGuild := t.kind == Settings || t.kind == Welcome || t.kind == Onboarding // its id is also that of @everyone
	if !m.has(t.kind) || !ofGuild && (m.protect[t.saved] || m.protect[t.live]) {
		return t.live != ""
	}
	s := Step{Kind: t.kind, ID: t.live, Name: t.name, Less: t.less, Op: Update}
	if t.live == "" {
		s.Op, s.ID = Create, t.saved
		s.Fields = whole(t.want)
	} else {
		s.Fields = diff(t.have, t.want)
	}
	why := t.no
	if why == "" {
		why = m.Rights.lacks(t.kind, s.Op)
	}
	switch {
	case len(s.Fields) == 0 && s.Op == Update && len(t.less) == 0:
		return true
	case len(s.Fields) == 0 && s.Op == Update:
		m.cannot(t.phase, t.kind, t.live, t.name, join(t.less))
		return true
	case why != "":
		m.cannot(t.phase, t.kind, s.ID, t.name, why)
		return t.live != ""
	}
	m.add(t.phase, s)
	return true
}

// add puts a step into its phase and gives it its line.
func (m *maker) add(p phase, s Step) {
	s.Line = line(s)
	m.steps[p] = append(m.steps[p], s)
}

func (m *maker) cannot(p phase, k Kind, id model.ID, name, why string) {
	m.add(p, Step{Op: Cannot, Kind: k, ID: id, Name: name, Why: why})
}

// remove deletes a thing that the backup has not, where the mode says so. It tells whether it goes.
func (m *maker) remove(p phase, k Kind, id model.ID, name, no string) bool {
	if m.Options.Mode != Exact || !m.has(k) || m.protect[id] {
		return false
	}
	if no == "" {
		no = m.Rights.lacks(k, Delete)
	}
	if no != "" {
		m.cannot(p, k, id, name, no)
		return false
	}
	m.add(p, Step{Op: Delete, Kind: k, ID: id, Name: name})
	m.lost[id] = true
	return true
}

// picture decides about a file that the backup may lack: want, or what is there.
func (m *maker) picture(want, have model.FileKey) model.FileKey {
	if want == "" && !m.Complete {
		return have
	}
	return want
}
