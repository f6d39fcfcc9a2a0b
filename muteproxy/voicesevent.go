package muteproxy

import (
	"encoding/json"

	"splashtail/bus"
)

// take learns from a group of events, and says whether those are taken that were there when
// following began.
func (v *voices) take(events []bus.Delivery[bus.Dispatch]) (caughtUp bool) {
	for _, e := range events {
		switch e.Value.Event {
		case "READY":
			v.began(session{v.life(), e.Value.Shard}, e.Seq)
		case "GUILD_CREATE":
			v.whole(e)
		case "GUILD_DELETE":
			v.deleted(e)
		case "VOICE_STATE_UPDATE":
			v.one(e)
		}
	}
	return v.reached(events[len(events)-1].Seq)
}

// wireVoice is the part of Discord's voice state that is read here.
type wireVoice struct {
	Channel *string `json:"channel_id"` // null: not in voice
	User    string  `json:"user_id"`
	Mute    bool    `json:"mute"`
	Deaf    bool    `json:"deaf"`
}

func (w wireVoice) seen(place uint64) seen {
	return seen{VoiceState: bus.VoiceState{Mute: w.Mute, Deaf: w.Deaf}, inVoice: w.Channel != nil, place: place}
}

// whole takes a guild as GUILD_CREATE shows it.
func (v *voices) whole(e bus.Delivery[bus.Dispatch]) {
	var g struct {
		Unavailable bool        `json:"unavailable"`
		Voices      []wireVoice `json:"voice_states"`
	}
	if err := json.Unmarshal(e.Value.Data, &g); err != nil || g.Unavailable || e.Value.Guild == 0 {
		return
	}
	all := &guildVoices{shard: e.Value.Shard, created: e.Seq, place: e.Seq, members: map[bus.UserID]seen{}}
	for _, w := range g.Voices {
		if user, err := bus.ParseUserID(w.User); err == nil {
			all.members[user] = w.seen(e.Seq)
		}
	}
	v.mu.Lock()
	had := v.guilds[e.Value.Guild]
	if had != nil && e.Seq < had.place || had == nil && len(v.guilds) >= maxVoiceGuilds {
		v.mu.Unlock()
		return
	}
	v.guilds[e.Value.Guild] = all
	v.mu.Unlock()
	for user := range all.members {
		v.notice(member{e.Value.Guild, user})
	}
}

func (v *voices) deleted(e bus.Delivery[bus.Dispatch]) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.guilds[e.Value.Guild]; g != nil && e.Seq > g.place {
		delete(v.guilds, e.Value.Guild)
	}
	if m := v.learning[e.Value.Guild]; m != nil {
		m.deleted = e.Seq
	}
}

// one takes a change of one member.
func (v *voices) one(e bus.Delivery[bus.Dispatch]) {
	var w wireVoice
	if err := json.Unmarshal(e.Value.Data, &w); err != nil {
		return
	}
	user, err := bus.ParseUserID(w.User)
	if err != nil {
		return
	}
	v.mu.Lock()
	g := v.guilds[e.Value.Guild]
	switch {
	case g == nil || e.Seq <= g.place: // it is in what the guild began with
	case w.Channel == nil:
		delete(g.members, user)
	default:
		g.members[user] = w.seen(e.Seq)
	}
	if m := v.learning[e.Value.Guild]; m != nil {
		m.members[user] = w.seen(e.Seq)
	}
	v.mu.Unlock()
	if g != nil {
		v.notice(member{e.Value.Guild, user})
	}
}
