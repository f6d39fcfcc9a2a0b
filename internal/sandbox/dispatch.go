package sandbox

import (
	"encoding/json"
	"slices"
)

// dispatch is one event on its way to the sessions: marshalled once, whatever their number.
type dispatch struct {
	name     string
	guild    *guild // nil: of no guild, or of one that its bots cannot see any more
	guildID  ID     // decides the shard; zero = shard 0
	outage   bool   // the guild is unavailable
	body     json.RawMessage
	redacted json.RawMessage // body without what a message says; nil until a session needs it
	about    subject
}

// subject is what the delivery rules read of a payload.
type subject struct {
	GuildID   ID    `json:"guild_id"`
	ChannelID ID    `json:"channel_id"`
	Author    idKey `json:"author"`
	User      idKey `json:"user"`
	Mentions  []idKey
	Added     []threadMember `json:"added_members"`
	Removed   []ID           `json:"removed_member_ids"`
}

type idKey struct {
	ID ID `json:"id"`
}

type threadMember struct {
	UserID ID `json:"user_id"`
}

// emit sends an event of a guild to every session that may see it: bots that are in the guild, the guild's shard, the
// event's intent, and the permission that Discord asks for. Zero is for events of no guild, which go to shard 0 of every
// bot. The payload is marshalled at once, so it may share memory with the state. Call it with the lock held, after the
// change.
func (d *Discord) emit(guildID ID, event string, payload any) {
	d.dispatch(0, guildID, event, payload)
}

// emitTo sends an event to one application only, in the guild or not. Intents count as with emit. Call it with the lock
// held.
func (d *Discord) emitTo(app, guildID ID, event string, payload any) {
	d.dispatch(app, guildID, event, payload)
}

func (d *Discord) dispatch(app, guildID ID, event string, payload any) {
	var e *dispatch
	for _, s := range d.gateway.sessions {
		if app != 0 && s.app.user.id != app || !s.serves(guildID) {
			continue
		}
		if e == nil {
			if e = d.newDispatch(guildID, event, payload); e == nil {
				return
			}
		}
		if app == 0 && !e.reaches(s) || !e.wantedBy(s) {
			continue
		}
		s.add(event, e.bodyFor(s))
	}
}

// newDispatch is nil when the payload cannot be marshalled, which is a defect of the sandbox that its log shows.
func (d *Discord) newDispatch(guildID ID, event string, payload any) *dispatch {
	body, err := json.Marshal(payload)
	if err != nil {
		d.log.Error("an event was not sent: its payload is not JSON", "event", event, "guild", guildID, "error", err)
		return nil
	}
	e := &dispatch{name: event, guild: d.guilds[guildID], guildID: guildID, outage: d.gateway.outages[guildID], body: body}
	if looksInside(event) {
		// Keys of another type than expected stay zero, which no rule below matches.
		_ = json.Unmarshal(body, &e.about)
	}
	return e
}

// reaches says whether the bot of a session is in the guild and may see what the event is about.
func (e *dispatch) reaches(s *gatewaySession) bool {
	if e.guildID == 0 {
		return true
	}
	if e.guild == nil || e.outage {
		return false
	}
	me := e.guild.members[s.app.user.id]
	return me != nil && e.guild.mayReceive(me, e)
}

// wantedBy applies the intents. What concerns the bot itself comes without the members intent.
func (e *dispatch) wantedBy(s *gatewaySession) bool {
	need := intentFor(e.name, e.guildID == 0)
	if need == 0 || s.intents&need != 0 {
		return true
	}
	self := s.app.user.id
	switch e.name {
	case "GUILD_MEMBER_UPDATE":
		return e.about.User.ID == self
	case "THREAD_MEMBERS_UPDATE":
		return slices.Contains(e.about.Removed, self) || slices.Contains(e.about.Added, threadMember{self})
	}
	return false
}

// bodyFor leaves out what a message says for sessions without the content intent, except in the bot's own messages, in
// direct ones and where it is mentioned.
func (e *dispatch) bodyFor(s *gatewaySession) json.RawMessage {
	if e.guildID == 0 || !hasContent(e.name) || s.readsContent() {
		return e.body
	}
	self := s.app.user.id
	if e.about.Author.ID == self || slices.Contains(e.about.Mentions, idKey{self}) {
		return e.body
	}
	if e.redacted == nil {
		e.redacted = redact(e.body)
	}
	return e.redacted
}

func hasContent(event string) bool { return event == "MESSAGE_CREATE" || event == "MESSAGE_UPDATE" }

// redact blanks the parts of a message that the content intent guards, also in the message that it answers.
func redact(body json.RawMessage) json.RawMessage {
	var keys map[string]json.RawMessage
	if json.Unmarshal(body, &keys) != nil || keys == nil {
		return body
	}
	for _, key := range []string{"embeds", "attachments", "components"} {
		if keys[key] != nil {
			keys[key] = json.RawMessage("[]")
		}
	}
	if keys["content"] != nil {
		keys["content"] = json.RawMessage(`""`)
	}
	delete(keys, "poll")
	if inner := keys["referenced_message"]; inner != nil {
		keys["referenced_message"] = redact(inner)
	}
	return rawJSON(keys)
}
