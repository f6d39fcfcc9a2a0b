package sandbox

import "time"

// incidents is a guild's incidents_data: what is switched off until when.
type incidents struct {
	Invites nullableTime `json:"invites_disabled_until"`
	DMs     nullableTime `json:"dms_disabled_until"`
}

// nullableTime is null on the wire when it is zero.
type nullableTime struct{ time.Time }

func (t nullableTime) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return rawJSON(wireTime(t.Time)), nil
}

// maxIncident is how far ahead incident actions may reach.
const maxIncident = 24 * time.Hour

// putIncidentActions switches invites and direct messages between members off for a time. A key that was not sent stays;
// null switches on again.
func putIncidentActions(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	next := g.incident
	var bad formErrors
	for key, at := range map[string]*nullableTime{"invites_disabled_until": &next.Invites, "dms_disabled_until": &next.DMs} {
		var until field[time.Time]
		read(&bad, keys, key, &until, asTime)
		if until.value.After(c.now.Add(maxIncident)) {
			bad.add("INCIDENT_ACTIONS_TOO_LONG", "The timestamp must be within the next 24 hours.", key)
		}
		if until.set {
			at.Time = until.value
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if next != g.incident {
		g.incident = next
		c.d.emit(g.id, "GUILD_UPDATE", newWireGuild(g))
	}
	return next, nil
}

// invitesPaused says whether nobody can join now: by incident actions or by the feature.
func (g *guild) invitesPaused(now time.Time) bool {
	for _, f := range g.set.features {
		if f == "INVITES_DISABLED" {
			return true
		}
	}
	return g.incident.Invites.After(now)
}
