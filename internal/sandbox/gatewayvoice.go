package sandbox

import (
	"encoding/json"
	"time"
)

// newWireVoiceState is VOICE_STATE_UPDATE and what the voice-state routes answer.
func newWireVoiceState(g *guild, m *member) wireVoiceState {
	return wireVoiceState{
		GuildID: g.id, ChannelID: nullableID(m.channel), UserID: m.user.id, Member: newWireMember(m), SessionID: m.session,
		Deaf: m.deaf, Mute: m.mute, SelfDeaf: m.selfDeaf, SelfMute: m.selfMute, Suppress: g.onStage(m),
	}
}

// onStage says whether a member is in a stage channel, where nobody speaks unless invited.
func (g *guild) onStage(m *member) bool {
	c := g.channels[m.channel]
	return c != nil && c.kind == StageChannel
}

// joinVoice is op 4: the bot joins, moves, changes itself or, with null, leaves. What it may not do is ignored, as Discord
// does. Its voice session has the id of its gateway session.
func (d *Discord) joinVoice(c *gatewayConn, data json.RawMessage, now time.Time) bool {
	var q struct {
		Guild    json.RawMessage `json:"guild_id"`
		Channel  json.RawMessage `json:"channel_id"`
		SelfMute bool            `json:"self_mute"`
		SelfDeaf bool            `json:"self_deaf"`
	}
	if json.Unmarshal(data, &q) != nil {
		return false
	}
	guildID, ok := snowflake(q.Guild)
	if !ok {
		return false
	}
	var to ID
	if len(q.Channel) > 0 && string(q.Channel) != "null" {
		if to, ok = snowflake(q.Channel); !ok {
			return false
		}
	}
	s := c.session
	g := d.guilds[guildID]
	if g == nil || g.members[s.app.user.id] == nil {
		return true
	}
	m := g.members[s.app.user.id]
	if to != 0 && !g.mayConnect(m, to, now) {
		return true
	}
	moved := to != 0 && to != m.channel
	d.voice(g, m, actor{user: s.app.user.id, token: s.app.hash}, func() {
		m.channel, m.session, m.selfMute, m.selfDeaf = to, s.id, q.SelfMute, q.SelfDeaf
	})
	if moved {
		d.emitTo(s.app.user.id, g.id, "VOICE_SERVER_UPDATE", voiceServer{newSessionID(), g.id, "sandbox.invalid:443"})
	}
	return true
}

func (g *guild) mayConnect(m *member, channelID ID, now time.Time) bool {
	c := g.channels[channelID]
	return c != nil && (c.kind == VoiceChannel || c.kind == StageChannel) && g.channelPermissions(m, c, now).Has(Connect)
}

// voiceServer names where voice is spoken. The sandbox speaks none, so the address leads nowhere.
type voiceServer struct {
	Token    string `json:"token"`
	GuildID  ID     `json:"guild_id"`
	Endpoint string `json:"endpoint"`
}

// requestSounds is op 31: one SOUNDBOARD_SOUNDS for each guild that the bot is in. The sandbox keeps no sounds.
func (d *Discord) requestSounds(c *gatewayConn, data json.RawMessage, _ time.Time) bool {
	var q struct {
		Guilds []json.RawMessage `json:"guild_ids"`
	}
	if json.Unmarshal(data, &q) != nil || q.Guilds == nil {
		return false
	}
	for _, raw := range q.Guilds {
		id, ok := snowflake(raw)
		if !ok {
			return false
		}
		if c.session.sees(d.guilds[id]) {
			c.session.add("SOUNDBOARD_SOUNDS", rawJSON(struct {
				Sounds  []struct{} `json:"soundboard_sounds"`
				GuildID ID         `json:"guild_id"`
			}{[]struct{}{}, id}))
		}
	}
	return true
}

// requestChannelInfo is op 43. The sandbox keeps no voice statuses and start times, so no channel has any.
func (d *Discord) requestChannelInfo(c *gatewayConn, data json.RawMessage, _ time.Time) bool {
	var q struct {
		Guild  json.RawMessage `json:"guild_id"`
		Fields []string        `json:"fields"`
	}
	if json.Unmarshal(data, &q) != nil || len(q.Fields) == 0 {
		return false
	}
	id, ok := snowflake(q.Guild)
	if ok && c.session.sees(d.guilds[id]) {
		c.session.add("CHANNEL_INFO", rawJSON(struct {
			GuildID  ID         `json:"guild_id"`
			Channels []struct{} `json:"channels"`
		}{id, []struct{}{}}))
	}
	return ok
}

// sees says whether a guild is one of the session's.
func (s *gatewaySession) sees(g *guild) bool {
	return g != nil && s.serves(g.id) && g.members[s.app.user.id] != nil
}
