package sandbox

import "time"

// maxScheduled is how many events of a guild may be ahead or under way (30038).
const maxScheduled = 100

// Places and states of scheduled events, with Discord's numbers.
const (
	eventStage    = 1
	eventVoice    = 2
	eventExternal = 3

	eventAhead    = 1
	eventActive   = 2
	eventOver     = 3
	eventCanceled = 4
)

type scheduledEvent struct {
	id      ID
	creator *user
	status  int
	scheduledValues
}

// scheduledValues is what of an event can be changed.
type scheduledValues struct {
	name        string
	description *string
	place       int // entity type
	channel     ID
	location    string
	start, end  time.Time
	image       picture
	repeat      map[string]any // a recurrence rule as it is sent
}

type wireScheduled struct {
	ID          ID             `json:"id"`
	GuildID     ID             `json:"guild_id"`
	ChannelID   nullableID     `json:"channel_id"`
	CreatorID   ID             `json:"creator_id"`
	Creator     *wireUser      `json:"creator,omitempty"`
	Name        string         `json:"name"`
	Description *string        `json:"description"`
	Image       *string        `json:"image"`
	Start       wireTime       `json:"scheduled_start_time"`
	End         nullableTime   `json:"scheduled_end_time"`
	Privacy     int            `json:"privacy_level"`
	Status      int            `json:"status"`
	Place       int            `json:"entity_type"`
	EntityID    *string        `json:"entity_id"`
	Metadata    map[string]any `json:"entity_metadata"`
	Repeat      map[string]any `json:"recurrence_rule"`
	Exceptions  []struct{}     `json:"guild_scheduled_event_exceptions"`
	Users       *int           `json:"user_count,omitempty"`
}

func newWireScheduled(g *guild, e *scheduledEvent) wireScheduled {
	u := newWireUser(e.creator)
	w := wireScheduled{
		ID: e.id, GuildID: g.id, ChannelID: nullableID(e.channel), CreatorID: e.creator.id, Creator: &u, Name: e.name,
		Description: e.description, Image: e.image.wire(), Start: wireTime(e.start), End: nullableTime{e.end}, Privacy: 2,
		Status: e.status, Place: e.place, Repeat: e.repeat, Exceptions: []struct{}{},
	}
	if e.place == eventExternal {
		w.Metadata = map[string]any{"location": e.location}
	}
	return w
}

func (e *scheduledEvent) auditKeys() []auditKey {
	return []auditKey{
		{"name", e.name}, {"description", e.description}, {"entity_type", e.place}, {"channel_id", nullableID(e.channel)},
		{"location", nilIfZero(e.location)}, {"status", e.status}, {"privacy_level", 2}, {"image_hash", e.image.wire()},
		{"scheduled_start_time", wireTime(e.start)}, {"scheduled_end_time", nullableTime{e.end}}, {"recurrence_rule", e.repeat},
	}
}

// scheduledRoutes are the routes of scheduled events.
func scheduledRoutes() []route {
	const list, one = "/guilds/{guild_id}/scheduled-events", "/guilds/{guild_id}/scheduled-events/{guild_scheduled_event_id}"
	limit := per(5, 5*time.Second)
	return []route{
		{method: "GET", pattern: list, bucket: "events", limit: limit, handle: listScheduled},
		{method: "POST", pattern: list, bucket: "event-create", limit: limit, body: maxPictureBody, handle: createScheduled},
		{method: "GET", pattern: one, bucket: "events", limit: limit, handle: getScheduled},
		{method: "PATCH", pattern: one, bucket: "event-patch", limit: limit, body: maxPictureBody, handle: patchScheduled},
		{method: "DELETE", pattern: one, bucket: "event-patch", limit: limit, handle: deleteScheduled},
	}
}

// scheduledAhead are the events of a guild that are not over, which lists show.
func (g *guild) scheduledAhead() []*scheduledEvent {
	var list []*scheduledEvent
	for _, id := range sortedIDs(g.scheduled) {
		if e := g.scheduled[id]; e.status <= eventActive {
			list = append(list, e)
		}
	}
	return list
}

func wireScheduledList(g *guild) []wireScheduled {
	list := []wireScheduled{}
	for _, e := range g.scheduledAhead() {
		list = append(list, newWireScheduled(g, e))
	}
	return list
}

func listScheduled(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	counts, err := c.boolQuery("with_user_count")
	if err != nil {
		return nil, err
	}
	list := wireScheduledList(g)
	for i := range list {
		if counts {
			list[i].Users = new(int)
		}
	}
	return list, nil
}

// scheduledFor finds the event that a path names.
func (c *call) scheduledFor() (*scheduledEvent, *guild, *member, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, nil, nil, err
	}
	e := g.scheduled[c.pathID("guild_scheduled_event_id")]
	if e == nil {
		return nil, nil, nil, unknownScheduled()
	}
	return e, g, me, nil
}

func getScheduled(c *call) (any, *apiError) {
	e, g, _, err := c.scheduledFor()
	if err != nil {
		return nil, err
	}
	return newWireScheduled(g, e), nil
}

func createScheduled(c *call) (any, *apiError) {
	g, me, err := c.guildWith(CreateEvents)
	if err != nil {
		return nil, err
	}
	e := &scheduledEvent{creator: c.me, status: eventAhead}
	if e.scheduledValues, _, err = c.scheduledBody(g, me, e, true); err != nil {
		return nil, err
	}
	if len(g.scheduledAhead()) >= maxScheduled {
		return nil, maximum(30038, "scheduled events", maxScheduled)
	}
	e.id = c.d.newID()
	g.scheduled[e.id] = e
	c.d.emit(g.id, "GUILD_SCHEDULED_EVENT_CREATE", newWireScheduled(g, e))
	c.audit(g, AuditEntry{Action: AuditEventCreate, Target: e.id, Changes: whole(e.auditKeys(), false)})
	return newWireScheduled(g, e), nil
}

// mayHost says whether a member may change an event: its own one with the permission to make them.
func (c *call) mayHost(g *guild, me *member, e *scheduledEvent) bool {
	p := g.basePermissions(me, c.now)
	return p.Has(ManageEvents) || e.creator == c.me && p.Has(CreateEvents)
}

// patchScheduled changes an event; a status goes ahead only: from ahead to active or canceled, from active to over.
func patchScheduled(c *call) (any, *apiError) {
	e, g, me, err := c.scheduledFor()
	if err != nil {
		return nil, err
	}
	if !c.mayHost(g, me, e) {
		return nil, missingPermissions()
	}
	next, status, err := c.scheduledBody(g, me, e, false)
	if err != nil {
		return nil, err
	}
	before := e.auditKeys()
	e.scheduledValues, e.status = next, status
	if changes := between(before, e.auditKeys()); len(changes) > 0 {
		c.d.emit(g.id, "GUILD_SCHEDULED_EVENT_UPDATE", newWireScheduled(g, e))
		c.audit(g, AuditEntry{Action: AuditEventUpdate, Target: e.id, Changes: changes})
	}
	return newWireScheduled(g, e), nil
}

func deleteScheduled(c *call) (any, *apiError) {
	e, g, me, err := c.scheduledFor()
	if err != nil {
		return nil, err
	}
	if !c.mayHost(g, me, e) {
		return nil, missingPermissions()
	}
	delete(g.scheduled, e.id)
	c.d.emit(g.id, "GUILD_SCHEDULED_EVENT_DELETE", newWireScheduled(g, e))
	c.audit(g, AuditEntry{Action: AuditEventDelete, Target: e.id, Changes: whole(e.auditKeys(), true)})
	return noContent(), nil
}
