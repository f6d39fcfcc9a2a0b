package sandbox

import (
	"encoding/json"
	"time"
)

// scheduledBody reads a new or changed event on top of what there is, and its status.
func (c *call) scheduledBody(g *guild, me *member, e *scheduledEvent, create bool) (scheduledValues, int, *apiError) {
	v, status := e.scheduledValues, e.status
	keys, err := c.objectBody(false)
	if err != nil {
		return v, status, err
	}
	var b struct {
		name, description      field[string]
		place, privacy, status field[int]
		channel                field[ID]
		start, end             field[time.Time]
		image                  field[picture]
	}
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(1, 100))
	read(&bad, keys, "description", &b.description, asText(0, 1000))
	read(&bad, keys, "entity_type", &b.place, asChoice(eventStage, eventVoice, eventExternal))
	read(&bad, keys, "privacy_level", &b.privacy, asChoice(2))
	read(&bad, keys, "status", &b.status, asChoice(eventAhead, eventActive, eventOver, eventCanceled))
	read(&bad, keys, "channel_id", &b.channel, asID)
	read(&bad, keys, "scheduled_start_time", &b.start, asTime)
	read(&bad, keys, "scheduled_end_time", &b.end, asTime)
	read(&bad, keys, "image", &b.image, asPicture)
	if create {
		required(&bad, "name", b.name)
		required(&bad, "entity_type", b.place)
		required(&bad, "privacy_level", b.privacy)
		required(&bad, "scheduled_start_time", b.start)
	}
	if b.name.set && !b.name.null {
		v.name = b.name.value
	}
	setPointer(&v.description, b.description)
	if b.place.set && !b.place.null {
		v.place = b.place.value
	}
	set(&v.channel, b.channel)
	set(&v.image, b.image)
	set(&v.end, b.end)
	if b.start.set && !b.start.null {
		v.start = b.start.value
	}
	v.readRest(&bad, keys)
	if b.start.set && v.start.Before(c.now) {
		bad.add("GUILD_SCHEDULED_EVENT_SCHEDULE_PAST", "Cannot schedule event in the past.", "scheduled_start_time")
	}
	v.check(&bad, g)
	if b.status.set && !create && b.status.value != status {
		if !mayBecome(status, b.status.value) {
			bad.add("GUILD_SCHEDULED_EVENT_STATUS_INVALID", "Invalid status transition", "status")
		}
		status = b.status.value
	}
	if err := bad.err(); err != nil {
		return v, status, err
	}
	if ch := g.channels[v.channel]; ch != nil && !c.mayIn(ch, g, me, ViewChannel|Connect) {
		return v, status, missingPermissions()
	}
	return v, status, nil
}

func mayBecome(from, to int) bool {
	return from == eventAhead && (to == eventActive || to == eventCanceled) || from == eventActive && to == eventOver
}

// readRest reads the location of an external event and the rule of one that comes again.
func (v *scheduledValues) readRest(bad *formErrors, keys map[string]json.RawMessage) {
	if raw, ok := keys["entity_metadata"]; ok && string(raw) != "null" {
		bad.nest([]string{"entity_metadata"}, func(bad *formErrors) {
			if inner, ok := asObject(bad, raw); ok && inner["location"] != nil {
				v.location = readText(bad, inner, "location", 1, 100)
			}
		})
	}
	raw, ok := keys["recurrence_rule"]
	if !ok {
		return
	}
	v.repeat = nil
	if string(raw) == "null" {
		return
	}
	bad.nest([]string{"recurrence_rule"}, func(bad *formErrors) {
		inner, ok := asObject(bad, raw)
		if !ok {
			return
		}
		var start field[time.Time]
		var frequency, interval field[int]
		read(bad, inner, "start", &start, asTime)
		read(bad, inner, "frequency", &frequency, asChoice(0, 1, 2, 3))
		read(bad, inner, "interval", &interval, asRange(1, 1000))
		required(bad, "start", start)
		required(bad, "frequency", frequency)
		v.repeat = map[string]any{
			"start": wireTime(start.value), "end": nil, "frequency": frequency.value, "interval": max(interval.value, 1), "count": nil,
			"by_year_day": nil,
		}
		for _, key := range []string{"by_weekday", "by_n_weekday", "by_month", "by_month_day"} {
			v.repeat[key] = nil
			if raw := inner[key]; raw != nil && string(raw) != "null" {
				v.repeat[key] = asItems(12)(bad, key, raw)
			}
		}
	})
}

// check holds an event against what its place needs.
func (v *scheduledValues) check(bad *formErrors, g *guild) {
	if !v.end.IsZero() && !v.end.After(v.start) {
		bad.add("GUILD_SCHEDULED_EVENT_END_BEFORE_START", "Cannot schedule event to end before it starts.", "scheduled_end_time")
	}
	if v.place == eventExternal {
		if v.channel != 0 {
			bad.add("BASE_TYPE_CHOICES", "An external event has no channel", "channel_id")
		}
		if v.end.IsZero() {
			bad.add("BASE_TYPE_REQUIRED", "This field is required", "scheduled_end_time")
		}
		if v.location == "" {
			bad.add("BASE_TYPE_REQUIRED", "This field is required", "entity_metadata", "location")
		}
		return
	}
	v.location = ""
	kind := VoiceChannel
	if v.place == eventStage {
		kind = StageChannel
	}
	switch ch := g.channels[v.channel]; {
	case v.channel == 0:
		bad.add("BASE_TYPE_REQUIRED", "This field is required", "channel_id")
	case ch == nil:
		bad.add("CHANNEL_DOES_NOT_EXIST", "Channel does not exist", "channel_id")
	case ch.kind != kind:
		bad.add("CHANNEL_INVALID_TYPE", "Invalid channel type", "channel_id")
	}
}
