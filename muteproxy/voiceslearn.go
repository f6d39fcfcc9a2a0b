package muteproxy

import (
	"context"
	"encoding/json"
	"time"

	"splashtail/bus"
	"splashtail/internal/guilds"
)

// Times of learning a guild from what gatewayproxy has stored.
const (
	learnWithin = 500 * time.Millisecond // whoever asks for mutes waits for it, once
	learnAgain  = 10 * time.Second       // after what was stored could not be used
)

// meanwhile is what the stream tells of a guild while it is learnt.
type meanwhile struct {
	deleted uint64
	members map[bus.UserID]seen // also those who left voice
}

// learn reads how members stand in a guild that is not known from the stream. It is called
// by who works for the guild, which waits for it; when nothing that can be believed is stored, the guild
// stays unknown until its next GUILD_CREATE.
func (v *voices) learn(ctx context.Context, id bus.GuildID) {
	if !v.begins(id) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, learnWithin)
	defer cancel()
	view, err := v.stored.At(ctx, id, guilds.Mark{})
	if err != nil {
		v.log.Debug("how members of a guild stand in voice is not known; they are all called", "guild", id, "err", err)
	}
	for _, user := range v.adopt(id, view, err == nil) {
		v.notice(member{id, user})
	}
}

// begins says whether a guild is to be learnt now. From then on its events are noted, so
// that none is missed between what is read and what follows.
func (v *voices) begins(id bus.GuildID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.guilds[id]
	switch {
	case v.epoch == "", v.learning[id] != nil, time.Since(v.learned[id]) < learnAgain: // not yet, already, not again
		return false
	case g != nil && v.shown(g), g == nil && len(v.guilds) >= maxVoiceGuilds:
		return false
	case len(v.learned) >= maxVoiceGuilds:
		clear(v.learned)
	}
	v.learned[id] = time.Now()
	v.learning[id] = &meanwhile{members: map[bus.UserID]seen{}}
	return true
}

// adopt takes a stored guild that was read, and what came behind it meanwhile.
func (v *voices) adopt(id bus.GuildID, view guilds.View, read bool) (inVoice []bus.UserID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m, had := v.learning[id], v.guilds[id]
	delete(v.learning, id)
	if !read || m == nil || m.deleted > view.Place || had != nil && had.created > view.Place {
		return nil // following began anew, or the stream has told more
	}
	members := map[bus.UserID]seen{}
	for raw := range view.List("voice_states") {
		var w wireVoice
		if json.Unmarshal(raw, &w) != nil {
			continue
		}
		if user, err := bus.ParseUserID(w.User); err == nil {
			members[user] = w.seen(view.Place)
		}
	}
	for user, s := range m.members {
		switch {
		case s.place <= view.Place:
		case s.inVoice:
			members[user] = s
		default:
			delete(members, user)
		}
	}
	v.guilds[id] = &guildVoices{shard: view.Shard, created: view.Created, place: view.Place, members: members}
	for user := range members {
		inVoice = append(inVoice, user)
	}
	return inVoice
}
