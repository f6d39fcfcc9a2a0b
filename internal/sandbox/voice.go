package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// VoiceState is how a member stands in voice. Mute and Deaf are the server's; they stay when the member leaves voice.
type VoiceState struct {
	Guild    ID   `json:"guild_id"`
	User     ID   `json:"user_id"`
	Channel  ID   `json:"channel_id,omitempty"` // zero: not in voice
	Mute     bool `json:"mute"`
	Deaf     bool `json:"deaf"`
	SelfMute bool `json:"self_mute"`
	SelfDeaf bool `json:"self_deaf"`
}

// VoiceChange is one change of a voice state, in the order in which the sandbox made them.
type VoiceChange struct {
	Seq    uint64     `json:"seq"`
	At     time.Time  `json:"at"`
	Before VoiceState `json:"before"`
	After  VoiceState `json:"after"`
	By     ID         `json:"by,omitempty"`    // the bot that asked for it; zero: scripted, not through the API
	Token  string     `json:"token,omitempty"` // TokenHash of what it asked with
}

// actor is who makes a change; the zero value is the script.
type actor struct {
	user  ID
	token tokenHash
}

// VoiceState says how a member stands in voice; false when it is not a member of that guild.
func (d *Discord) VoiceState(guildID, userID ID) (VoiceState, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[guildID]
	if g == nil || g.members[userID] == nil {
		return VoiceState{}, false
	}
	return voiceState(g, g.members[userID]), true
}

// VoiceStates lists the members of a guild that are in a voice channel, by user id.
func (d *Discord) VoiceStates(guildID ID) []VoiceState {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[guildID]
	if g == nil {
		return nil
	}
	return voiceStates(g)
}

func voiceStates(g *guild) []VoiceState {
	list := []VoiceState{}
	for _, id := range sortedIDs(g.members) {
		if m := g.members[id]; m.channel != 0 {
			list = append(list, voiceState(g, m))
		}
	}
	return list
}

// JoinVoice puts a member into a voice or stage channel, or moves it there. Server mute and deafen are as it left them.
func (d *Discord) JoinVoice(guildID, userID, channelID ID) error {
	return d.scriptVoice(guildID, userID, func(g *guild, m *member) error {
		c := g.channels[channelID]
		if c == nil || c.kind == TextChannel {
			return fmt.Errorf("sandbox: %s is no voice channel of guild %s; nobody was moved", channelID, guildID)
		}
		m.channel = channelID
		if m.session == "" {
			m.session = newVoiceSession()
		}
		return nil
	})
}

// LeaveVoice takes a member out of voice.
func (d *Discord) LeaveVoice(guildID, userID ID) error {
	return d.scriptVoice(guildID, userID, func(_ *guild, m *member) error {
		m.channel, m.session = 0, ""
		return nil
	})
}

// SetVoice mutes and deafens a member as a moderator in the app would: without the API and its limits. Like there, the
// member has to be in voice.
func (d *Discord) SetVoice(guildID, userID ID, mute, deaf bool) error {
	return d.scriptVoice(guildID, userID, func(_ *guild, m *member) error {
		if m.channel == 0 {
			return fmt.Errorf("sandbox: %s is not in voice; neither mute nor deafen was changed", userID)
		}
		m.mute, m.deaf = mute, deaf
		return nil
	})
}

// SetSelfVoice is a member muting or deafening itself.
func (d *Discord) SetSelfVoice(guildID, userID ID, mute, deaf bool) error {
	return d.scriptVoice(guildID, userID, func(_ *guild, m *member) error {
		m.selfMute, m.selfDeaf = mute, deaf
		return nil
	})
}

func (d *Discord) scriptVoice(guildID, userID ID, change func(*guild, *member) error) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		m := g.members[userID]
		if m == nil {
			return 0, fmt.Errorf("sandbox: %s is no member of guild %s; no voice state was changed", userID, guildID)
		}
		var err error
		d.voice(g, m, actor{}, func() { err = change(g, m) })
		return 0, err
	})
	return err
}

// voice runs a change of a member and publishes the difference of its voice state, if there is one. Call it with the lock
// held.
func (d *Discord) voice(g *guild, m *member, by actor, change func()) {
	before := voiceState(g, m)
	change()
	after := voiceState(g, m)
	if before == after {
		return
	}
	ch := d.changes.add(func(seq uint64) VoiceChange {
		c := VoiceChange{Seq: seq, At: time.Now(), Before: before, After: after, By: by.user}
		if by.user != 0 {
			c.Token = by.token.short()
		}
		return c
	})
	for s := range d.subs {
		s.offer(d, ch)
	}
	d.emit(g.id, "VOICE_STATE_UPDATE", newWireVoiceState(g, m))
	d.changed()
}

func voiceState(g *guild, m *member) VoiceState {
	return VoiceState{
		Guild: g.id, User: m.user.id, Channel: m.channel,
		Mute: m.mute, Deaf: m.deaf, SelfMute: m.selfMute, SelfDeaf: m.selfDeaf,
	}
}

func newVoiceSession() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// getVoiceState answers 10065 for a member that is not in voice.
func getVoiceState(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	m, err := c.memberFor(g)
	if err != nil {
		return nil, err
	}
	if m.channel == 0 {
		return nil, unknownVoiceState()
	}
	return newWireVoiceState(g, m), nil
}

func getSelfVoiceState(c *call) (any, *apiError) {
	c.target = c.me.id
	return getVoiceState(c)
}
