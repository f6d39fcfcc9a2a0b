package incident

import (
	"context"
	"strconv"
	"time"

	"splashtail/bus"
	"splashtail/internal/audit"
	"splashtail/internal/discord"
)

// Book opens incidents, plans their undoing and keeps what was approved and done.
type Book struct {
	bot  *discord.Bot
	self func() bus.UserID
	b    *bus.Bus
	all  *bus.Records[bus.Incident]
	jobs *bus.Records[bus.Job] // only read
}

// NewBook makes a book. It does no I/O; Open has to come before everything else. self is
// the bot's own user.
func NewBook(bot *discord.Bot, self func() bus.UserID, b *bus.Bus) *Book {
	return &Book{bot: bot, self: self, b: b}
}

// Open opens the records. Errors: as of bus.OpenRecords.
func (k *Book) Open(ctx context.Context) (err error) {
	if k.jobs, err = bus.OpenRecords(ctx, k.b, bus.AllJobs()); err != nil {
		return err
	}
	k.all, err = bus.OpenRecords(ctx, k.b, bus.Incidents())
	return err
}

// lookBack is how long before the first cause of a hit an incident begins: what leads to
// a hit often begins with something that no limit counts.
const lookBack = 10 * time.Minute

// joinWithin is how long a later hit of the same actor belongs to the same incident.
const joinWithin = time.Hour

// OfHit opens the incident of a hit, or gives the one that the hit belongs to. The same
// hit makes one incident, however often it is told.
func (k *Book) OfHit(ctx context.Context, h bus.LimitHit) (bus.Incident, error) {
	since := h.At
	if len(h.Causes) > 0 {
		since = audit.TimeOf(h.Causes[0])
	}
	known, err := k.List(ctx, h.Guild)
	if err != nil {
		return bus.Incident{}, err
	}
	for _, i := range known {
		if i.Actor == h.Actor && i.By == 0 && i.Undo == nil && since.Sub(i.At) < joinWithin && !since.Before(i.Since) {
			return i, nil
		}
	}
	last := uint64(0)
	if len(h.Causes) > 0 {
		last = h.Causes[len(h.Causes)-1]
	}
	return k.open(ctx, bus.Incident{V: 1, ID: strconv.FormatUint(last, 36), Guild: h.Guild, Actor: h.Actor,
		Since: since.Add(-lookBack), Cause: h.Name, At: h.At})
}

// Begin opens an incident by hand: what an actor did from since to end; a zero end means
// that it goes on. Errors: CodeInvalid for a time that makes no sense.
func (k *Book) Begin(ctx context.Context, guild bus.GuildID, actor, by bus.UserID, since, end time.Time, why string) (bus.Incident, error) {
	now := time.Now().UTC()
	if actor == 0 || since.After(now) || !end.IsZero() && end.Before(since) {
		return bus.Incident{}, bus.Errorf(bus.CodeInvalid, "bad_incident", "an incident needs somebody and a time that began before now; none was opened")
	}
	return k.open(ctx, bus.Incident{V: 1, ID: strconv.FormatInt(now.UnixMicro(), 36), Guild: guild, Actor: actor,
		Since: since, Until: end, Cause: why, By: by, At: now})
}

func (k *Book) open(ctx context.Context, i bus.Incident) (bus.Incident, error) {
	key := bus.IncidentKey(i.Guild, i.ID)
	_, err := k.all.Create(ctx, key, i)
	if bus.IsCode(err, bus.CodeConflict) {
		e, err := k.all.Get(ctx, key)
		return e.Value, err
	}
	return i, err
}

// Get gives one incident; CodeNotFound when there is none.
func (k *Book) Get(ctx context.Context, guild bus.GuildID, id string) (bus.Incident, error) {
	e, err := k.all.Get(ctx, bus.IncidentKey(guild, id))
	return e.Value, err
}

// List gives the incidents of a guild in no order.
func (k *Book) List(ctx context.Context, guild bus.GuildID) ([]bus.Incident, error) {
	return k.list(ctx, guild.String()+".*")
}

func (k *Book) list(ctx context.Context, pattern string) ([]bus.Incident, error) {
	entries, err := k.all.All(ctx, pattern)
	if err != nil {
		return nil, err
	}
	var list []bus.Incident
	for _, e := range entries {
		if !e.Deleted {
			list = append(list, e.Value)
		}
	}
	return list, nil
}

// Timeline gives what the actor of an incident did, oldest first.
func (k *Book) Timeline(ctx context.Context, i bus.Incident) ([]bus.Deed, error) {
	deeds, err := Deeds(ctx, k.b, i.Guild, i.Since)
	if err != nil {
		return nil, err
	}
	own := deeds[:0:0]
	for _, d := range until(deeds, i.Actor, i.Until) {
		if d.Actor == i.Actor {
			own = append(own, d)
		}
	}
	return own, nil
}

// Plan says what would take the incident back, from what Discord says now. What was made
// again by an undo before is not made a second time.
func (k *Book) Plan(ctx context.Context, i bus.Incident) (Plan, error) {
	deeds, err := Deeds(ctx, k.b, i.Guild, i.Since)
	if err != nil {
		return Plan{}, err
	}
	deeds = until(deeds, i.Actor, i.Until)
	now, err := LoadState(ctx, k.bot, i.Guild, i.Actor, deeds)
	if err != nil {
		return Plan{}, err
	}
	known, err := k.List(ctx, i.Guild)
	if err != nil {
		return Plan{}, err
	}
	now.remade = remade(known)
	return MakePlan(i.Actor, deeds, now), nil
}

// remade are the ids of what undoing has made again, under other ids.
func remade(all []bus.Incident) map[string]bool {
	ids := map[string]bool{}
	for _, i := range all {
		if i.Undo != nil {
			for was := range i.Undo.Made {
				ids[was] = true
			}
		}
	}
	return ids
}
