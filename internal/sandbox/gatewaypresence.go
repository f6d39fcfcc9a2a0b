package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// presence is op 3, and what is kept of it.
type presence struct {
	Since      *int64            `json:"since"`
	Status     string            `json:"status"`
	AFK        bool              `json:"afk"`
	Activities []json.RawMessage `json:"activities"`
}

// readPresence is nil for what Discord would not take. Libraries put odd things into IDENTIFY, where it is ignored.
func readPresence(data json.RawMessage) *presence {
	var p presence
	if json.Unmarshal(data, &p) != nil || p.Activities == nil ||
		!slices.Contains([]string{"online", "dnd", "idle", "invisible", "offline"}, p.Status) {
		return nil
	}
	return &p
}

func (d *Discord) presence(c *gatewayConn, data json.RawMessage, _ time.Time) bool {
	p := readPresence(data)
	if p != nil {
		d.setPresence(c.session.app.user, *p)
	}
	return p != nil
}

// setPresence shows a presence in all guilds of a user. Invisible looks like offline.
func (d *Discord) setPresence(u *user, p presence) {
	if p.Status == "invisible" || p.Status == "offline" {
		p.Status, p.Activities = "offline", []json.RawMessage{}
		delete(d.gateway.presences, u.id)
	} else {
		d.gateway.presences[u.id] = p
	}
	for _, id := range sortedIDs(d.guilds) {
		if d.guilds[id].members[u.id] != nil {
			d.emit(id, "PRESENCE_UPDATE", newWirePresence(id, u.id, p))
		}
	}
}

// SetPresence makes a user online, dnd, idle or offline.
func (d *Discord) SetPresence(userID ID, status string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.users[userID]
	if u == nil {
		return fmt.Errorf("sandbox: no user %s; no presence was changed", userID)
	}
	p := readPresence(rawJSON(presence{Status: status, Activities: []json.RawMessage{}}))
	if p == nil {
		return fmt.Errorf("sandbox: %q is no presence; use online, dnd, idle or offline, nothing was changed", status)
	}
	d.setPresence(u, *p)
	d.changed()
	return nil
}

type wirePresence struct {
	User         idKey             `json:"user"`
	GuildID      ID                `json:"guild_id,omitempty"`
	Status       string            `json:"status"`
	Activities   []json.RawMessage `json:"activities"`
	ClientStatus map[string]string `json:"client_status"`
}

func newWirePresence(guildID, userID ID, p presence) wirePresence {
	w := wirePresence{User: idKey{userID}, GuildID: guildID, Status: p.Status, Activities: p.Activities, ClientStatus: map[string]string{}}
	if p.Status != "offline" {
		w.ClientStatus["web"] = p.Status
	}
	return w
}
