package protect

import (
	"encoding/json"
	"time"

	"splashtail/bus"
	"splashtail/internal/audit"
)

// joinOf reads a join.
func joinOf(d bus.Delivery[bus.Dispatch]) (bus.Action, error) {
	var m struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		Joined time.Time `json:"joined_at"`
	}
	err := json.Unmarshal(d.Value.Data, &m)
	if err != nil {
		return bus.Action{}, bus.Errorf(bus.CodeInvalid, "bad_join", "a join cannot be read: %w", err)
	}
	user, err := bus.ParseUserID(m.User.ID)
	if err != nil {
		return bus.Action{}, err
	}
	return audit.Join(d.Value.Guild, user, m.Joined), nil
}

// messageOf reads a message. Only guilds with a limit on messages pay for theirs; what a
// webhook writes has no actor.
func (e *Engine) messageOf(d bus.Delivery[bus.Dispatch]) (a bus.Action, counts bool, err error) {
	if d.Value.Guild == 0 || !e.limited(d.Value.Guild, bus.ActionMessageCreate) {
		return a, false, nil
	}
	var m struct {
		ID      uint64 `json:"id,string"`
		Channel string `json:"channel_id"`
		Webhook string `json:"webhook_id"`
		Author  struct {
			ID string `json:"id"`
		} `json:"author"`
	}
	if err := json.Unmarshal(d.Value.Data, &m); err != nil {
		return a, false, bus.Errorf(bus.CodeInvalid, "bad_message", "a message cannot be read: %w", err)
	}
	if m.Webhook != "" {
		return a, false, nil
	}
	author, err := bus.ParseUserID(m.Author.ID)
	return bus.Action{V: 1, ID: m.ID, Guild: d.Value.Guild, Actor: author, Kind: bus.ActionMessageCreate, Target: m.Channel, At: audit.TimeOf(m.ID)}, err == nil, err
}
