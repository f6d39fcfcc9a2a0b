package limits

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"splashtail/bus"
)

// Counter counts for one guild and its limits. The outcome does not depend on when
// actions arrive: the time of an action is in its id. It is not safe for concurrent use.
type Counter struct {
	limits map[string]bus.LimitRule
	tracks map[track]*trail
	seen   idSet
	last   map[repeat]time.Time
}

// track is one actor under one limit.
type track struct {
	limit string
	actor bus.UserID
}

// trail is what one actor did that a limit still counts, oldest first.
type trail struct {
	actions []mark
	cooling time.Time // the limit was met; it is not met again before then
}

// mark is an action in a trail.
type mark struct {
	at time.Time
	id uint64
}

// repeat is one actor doing one kind of thing to one target.
type repeat struct {
	kind   bus.ActionKind
	actor  bus.UserID
	target string
}

// Bounds of what a counter keeps for a guild.
const (
	maxTracks  = 20_000
	maxRepeats = 10_000
	maxSeen    = 50_000
)

// NewCounter makes a counter without limits.
func NewCounter() *Counter {
	return &Counter{limits: map[string]bus.LimitRule{}, tracks: map[track]*trail{}, seen: newIDSet(maxSeen), last: map[repeat]time.Time{}}
}

// Set adds a limit or replaces one. A change of what is counted starts from nothing.
func (c *Counter) Set(r bus.LimitRule) {
	if old, ok := c.limits[r.ID]; ok && old.Kind != r.Kind {
		c.Remove(r.ID)
	}
	c.limits[r.ID] = r
}

// Remove takes a limit away.
func (c *Counter) Remove(id string) {
	delete(c.limits, id)
	for t := range c.tracks {
		if t.limit == id {
			delete(c.tracks, t)
		}
	}
}

// Limits lists the limits by id.
func (c *Counter) Limits() []bus.LimitRule {
	all := make([]bus.LimitRule, 0, len(c.limits))
	for _, r := range c.limits {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b bus.LimitRule) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// RepeatRate is how long the same actor doing the same thing to the same target counts
// as one: Discord splits one click into several entries.
func RepeatRate(k bus.ActionKind) time.Duration {
	switch k {
	case bus.ActionRoleGiven, bus.ActionRoleTaken:
		return 2 * time.Second
	case bus.ActionMemberRolesUpdated:
		return 5 * time.Second
	}
	return 0
}

// Add counts an action and gives the limits that it completed: for each, the actor has
// done the limit's number within its window, this action included. Those actions are used
// up for that limit, and it is not met again within its window. An action that was added
// before changes nothing.
func (c *Counter) Add(a bus.Action) []bus.LimitHit {
	if !c.seen.add(seenKey(a)) || c.repeated(a) {
		return nil
	}
	var hits []bus.LimitHit
	for _, r := range c.Limits() {
		if r.Kind != a.Kind || a.At.Before(r.At) {
			continue // what happened before the limit was set, it does not count
		}
		if causes, hit := c.count(r, a); hit {
			hits = append(hits, bus.LimitHit{V: 1, Guild: a.Guild, Limit: r.ID, Name: r.Name, Kind: r.Kind, Actor: a.Actor,
				Causes: causes, Count: r.Count, Window: r.Window, Respond: r.Respond, Timeout: r.Timeout, At: a.At})
		}
	}
	return hits
}

// repeated says whether the action follows the same one so closely that they are one.
func (c *Counter) repeated(a bus.Action) bool {
	rate := RepeatRate(a.Kind)
	if rate == 0 {
		return false
	}
	key := repeat{a.Kind, a.Actor, a.Target}
	before, known := c.last[key]
	if len(c.last) >= maxRepeats {
		clear(c.last) // what is lost is seconds old at most, or the guild is under attack anyway
	}
	if !known || a.At.After(before) {
		c.last[key] = a.At
	}
	gap := a.At.Sub(before)
	return known && gap < rate && gap > -rate
}

// count puts the action into the actor's trail and looks for enough of them close
// together, this one among them.
func (c *Counter) count(r bus.LimitRule, a bus.Action) (causes []uint64, hit bool) {
	key := track{r.ID, a.Actor}
	t := c.tracks[key]
	if t == nil {
		c.makeRoom()
		t = &trail{}
		c.tracks[key] = t
	}
	window := r.Window.Duration()
	t.forget(a.At, 2*window, r.Count)
	at := t.insert(mark{a.At, a.ID})
	if a.At.Before(t.cooling) {
		return nil, false
	}
	for first := max(at-r.Count+1, 0); first <= at; first++ {
		last := first + r.Count - 1
		if last >= len(t.actions) {
			return nil, false
		}
		if t.actions[last].at.Sub(t.actions[first].at) > window {
			continue
		}
		for _, m := range t.actions[max(first, last-bus.MaxHitCauses+1) : last+1] {
			causes = append(causes, m.id)
		}
		t.actions = slices.Delete(t.actions, first, last+1)
		t.cooling = a.At.Add(window)
		return causes, true
	}
	return nil, false
}

// insert keeps the trail in order of time, then id, and gives the place.
func (t *trail) insert(m mark) int {
	at, _ := slices.BinarySearchFunc(t.actions, m, func(a, b mark) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id))
	})
	t.actions = slices.Insert(t.actions, at, m)
	return at
}

// forget drops what cannot complete the limit any more: too old even for an action that
// comes late, or more than any window needs.
func (t *trail) forget(now time.Time, keep time.Duration, count int) {
	from := 0
	for from < len(t.actions) && now.Sub(t.actions[from].at) > keep {
		from++
	}
	if over := len(t.actions) - 2*count; over > from {
		from = over
	}
	t.actions = slices.Delete(t.actions, 0, from)
}

// makeRoom forgets the quarter of the trails that are quiet for longest, so that it is not
// asked again soon: a flood of actors must not cost more than it brings.
func (c *Counter) makeRoom() {
	if len(c.tracks) < maxTracks {
		return
	}
	keys := slices.Collect(maps.Keys(c.tracks))
	slices.SortFunc(keys, func(a, b track) int { return c.tracks[a].newest().Compare(c.tracks[b].newest()) })
	for _, key := range keys[:len(keys)/4] {
		delete(c.tracks, key)
	}
}

// newest is when the actor was last counted; a trail that is used up tells by its cooling.
func (t *trail) newest() time.Time {
	if len(t.actions) == 0 {
		return t.cooling
	}
	return t.actions[len(t.actions)-1].at
}

// seenID is an action's identity: one audit-log entry can be several kinds.
type seenID struct {
	id   uint64
	kind bus.ActionKind
}

func seenKey(a bus.Action) seenID { return seenID{a.ID, a.Kind} }

// idSet remembers the newest ids.
type idSet struct {
	at   map[seenID]struct{}
	line []seenID // a ring, the oldest at next
	next int
}

func newIDSet(n int) idSet { return idSet{at: map[seenID]struct{}{}, line: make([]seenID, 0, n)} }

// add says whether the id is new.
func (s *idSet) add(id seenID) bool {
	if _, known := s.at[id]; known {
		return false
	}
	s.at[id] = struct{}{}
	if len(s.line) < cap(s.line) {
		s.line = append(s.line, id)
		return true
	}
	delete(s.at, s.line[s.next])
	s.line[s.next] = id
	s.next = (s.next + 1) % len(s.line)
	return true
}
