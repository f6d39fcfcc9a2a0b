package sandbox

import "time"

// ready is the first event of a session. The keys behind Application are not documented any more and still sent; libraries
// read private_channels.
type ready struct {
	Version         int                `json:"v"`
	User            wireSelf           `json:"user"`
	Guilds          []unavailableGuild `json:"guilds"`
	SessionID       string             `json:"session_id"`
	ResumeURL       string             `json:"resume_gateway_url"`
	Shard           *[2]int            `json:"shard,omitempty"` // when IDENTIFY named it
	Application     readyApplication   `json:"application"`
	PrivateChannels []struct{}         `json:"private_channels"`
	Relationships   []struct{}         `json:"relationships"`
	UserSettings    struct{}           `json:"user_settings"`
	Trace           []string           `json:"_trace"`
}

type unavailableGuild struct {
	ID          ID   `json:"id"`
	Unavailable bool `json:"unavailable"`
}

type readyApplication struct {
	ID    ID  `json:"id"`
	Flags int `json:"flags"`
}

// The application flags of the privileged intents, for bots in few guilds.
const (
	flagPresences = 1 << 13
	flagMembers   = 1 << 15
	flagContent   = 1 << 19
)

func (a *application) flags() int {
	f := 0
	if a.presences {
		f |= flagPresences
	}
	if a.membersIntent {
		f |= flagMembers
	}
	if a.contentIntent {
		f |= flagContent
	}
	return f
}

// self is what the bot sees of itself.
func (a *application) self() wireSelf {
	return wireSelf{wireUser: newWireUser(a.user), MFAEnabled: true, Locale: "en-US", Verified: true}
}

// guildsOf lists the guilds of a session: those that its bot is in, on its shard, by id.
func (d *Discord) guildsOf(s *gatewaySession) []ID {
	var ids []ID
	for _, id := range sortedIDs(d.guilds) {
		if d.guilds[id].members[s.app.user.id] != nil && s.serves(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// greet sends READY and then every guild.
func (d *Discord) greet(s *gatewaySession, c *gatewayConn, sharded bool) {
	r := ready{
		Version: s.version, User: s.app.self(), Guilds: []unavailableGuild{}, SessionID: s.id,
		ResumeURL: d.gateway.settings.ResumeURL, Application: readyApplication{s.app.user.id, s.app.flags()},
		PrivateChannels: []struct{}{}, Relationships: []struct{}{}, Trace: []string{"sandbox"},
	}
	if r.ResumeURL == "" {
		r.ResumeURL = "ws://" + c.host + gatewayResumePath
	}
	if sharded {
		r.Shard = &[2]int{s.shard, s.shards}
	}
	guilds := d.guildsOf(s)
	for _, id := range guilds {
		r.Guilds = append(r.Guilds, unavailableGuild{id, true})
	}
	s.add("READY", rawJSON(r))
	if s.intents&IntentGuilds == 0 {
		return
	}
	available := false
	for _, id := range guilds {
		if d.gateway.outages[id] {
			s.add("GUILD_DELETE", rawJSON(unavailableGuild{id, true}))
			continue
		}
		s.add("GUILD_CREATE", rawJSON(d.newGuildCreate(d.guilds[id], s, &available)))
	}
}

// guildCreate is a guild with everything that only the gateway tells.
type guildCreate struct {
	wireGuild
	// Unavailable is false in the guilds that follow READY and absent when the bot has just joined.
	Unavailable     *bool             `json:"unavailable,omitempty"`
	JoinedAt        wireTime          `json:"joined_at"`
	Large           bool              `json:"large"`
	MemberCount     int               `json:"member_count"`
	Members         []wireMember      `json:"members"`
	Channels        []wireChannel     `json:"channels"`
	Threads         []wireThread      `json:"threads"`
	VoiceStates     []guildVoiceState `json:"voice_states"`
	Presences       []wirePresence    `json:"presences"`
	StageInstances  []struct{}        `json:"stage_instances"`
	ScheduledEvents []wireScheduled   `json:"guild_scheduled_events"`
	Sounds          []wireSound       `json:"soundboard_sounds"`
}

// newGuildCreate shows a guild to a session. Without the presence intent, members are only the bot and whoever is in voice;
// with it, those of a large guild are also the ones who are online, and those of a small one are all.
func (d *Discord) newGuildCreate(g *guild, s *gatewaySession, unavailable *bool) guildCreate {
	me := g.members[s.app.user.id]
	w := guildCreate{
		wireGuild: newWireGuild(g), Unavailable: unavailable, JoinedAt: wireTime(me.joined), Large: len(g.members) > s.large,
		MemberCount: len(g.members), Members: []wireMember{}, Channels: wireChannels(g), Threads: g.threadsFor(me),
		VoiceStates: []guildVoiceState{}, Presences: []wirePresence{}, StageInstances: []struct{}{},
		ScheduledEvents: wireScheduledList(g), Sounds: wireSounds(g, false),
	}
	sees := s.intents&IntentGuildPresences != 0
	for _, id := range sortedIDs(g.members) {
		m := g.members[id]
		p, online := d.gateway.presences[id]
		if m == me || m.channel != 0 || sees && (!w.Large || online) {
			w.Members = append(w.Members, newWireMember(m))
		}
		if sees && online {
			w.Presences = append(w.Presences, newWirePresence(0, id, p))
		}
		if m.channel != 0 {
			w.VoiceStates = append(w.VoiceStates, newGuildVoiceState(g, m))
		}
	}
	return w
}

// joinedGuild tells a bot's sessions that it is in a guild from now on. People have none.
func (d *Discord) joinedGuild(g *guild, u *user) {
	for _, s := range d.gateway.sessions {
		if s.app.user == u && s.serves(g.id) && s.intents&IntentGuilds != 0 {
			s.add("GUILD_CREATE", rawJSON(d.newGuildCreate(g, s, nil)))
		}
	}
}

// SetUnavailable makes a guild unavailable on the gateway, as an outage does, or available again. Its state and its REST
// routes stay as they are; its events are lost meanwhile.
func (d *Discord) SetUnavailable(guildID ID, unavailable bool) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		if unavailable {
			d.emit(g.id, "GUILD_DELETE", unavailableGuild{g.id, true})
			d.gateway.outages[g.id] = true
			return 0, nil
		}
		delete(d.gateway.outages, g.id)
		available := false
		for _, s := range d.gateway.sessions {
			if g.members[s.app.user.id] != nil && s.serves(g.id) && s.intents&IntentGuilds != 0 {
				s.add("GUILD_CREATE", rawJSON(d.newGuildCreate(g, s, &available)))
			}
		}
		return 0, nil
	})
	return err
}

// guildVoiceState is a voice state inside GUILD_CREATE: without guild and member, which stand around it.
type guildVoiceState struct {
	ChannelID     nullableID `json:"channel_id"`
	UserID        ID         `json:"user_id"`
	SessionID     string     `json:"session_id"`
	Deaf          bool       `json:"deaf"`
	Mute          bool       `json:"mute"`
	SelfDeaf      bool       `json:"self_deaf"`
	SelfMute      bool       `json:"self_mute"`
	SelfVideo     bool       `json:"self_video"`
	Suppress      bool       `json:"suppress"`
	RequestSpeech *time.Time `json:"request_to_speak_timestamp"`
}

func newGuildVoiceState(g *guild, m *member) guildVoiceState {
	return guildVoiceState{
		ChannelID: nullableID(m.channel), UserID: m.user.id, SessionID: m.session, Deaf: m.deaf, Mute: m.mute,
		SelfDeaf: m.selfDeaf, SelfMute: m.selfMute, Suppress: g.onStage(m),
	}
}
