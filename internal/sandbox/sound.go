package sandbox

import (
	"encoding/json"
	"time"
)

// maxSound is how large the file of a sound may be.
const maxSound = 512 << 10

type sound struct {
	id        ID
	name      string
	volume    float64
	emoji     ID
	emojiName *string
	creator   *user
	blob
}

// maxSounds is the cap of a guild's soundboard.
func (g *guild) maxSounds() int { return g.byTier([4]int{8, 24, 36, 48}) }

type wireSound struct {
	Name      string     `json:"name"`
	ID        ID         `json:"sound_id"`
	Volume    float64    `json:"volume"`
	EmojiID   nullableID `json:"emoji_id"`
	EmojiName *string    `json:"emoji_name"`
	GuildID   ID         `json:"guild_id"`
	Available bool       `json:"available"`
	User      *wireUser  `json:"user,omitempty"`
}

func newWireSound(g *guild, s *sound, withUser bool) wireSound {
	w := wireSound{
		Name: s.name, ID: s.id, Volume: s.volume, EmojiID: nullableID(s.emoji), EmojiName: s.emojiName, GuildID: g.id, Available: true,
	}
	if withUser && s.creator != nil {
		u := newWireUser(s.creator)
		w.User = &u
	}
	return w
}

func wireSounds(g *guild, withUser bool) []wireSound {
	list := make([]wireSound, 0, len(g.sounds))
	for _, id := range sortedIDs(g.sounds) {
		list = append(list, newWireSound(g, g.sounds[id], withUser))
	}
	return list
}

func (s *sound) auditKeys() []auditKey {
	return []auditKey{{"name", s.name}, {"volume", s.volume}, {"emoji_id", nullableID(s.emoji)}, {"emoji_name", s.emojiName}}
}

// soundRoutes are the routes of a guild's soundboard.
func soundRoutes() []route {
	const list, one = "/guilds/{guild_id}/soundboard-sounds", "/guilds/{guild_id}/soundboard-sounds/{sound_id}"
	limit := per(10, 10*time.Second)
	return []route{
		{method: "GET", pattern: list, bucket: "sounds", limit: limit, handle: listSounds},
		{method: "POST", pattern: list, bucket: "sound-create", limit: per(5, 10*time.Second), handle: createSound},
		{method: "GET", pattern: one, bucket: "sounds", limit: limit, handle: getSound},
		{method: "PATCH", pattern: one, bucket: "sound-patch", limit: limit, handle: patchSound},
		{method: "DELETE", pattern: one, bucket: "sound-patch", limit: limit, handle: deleteSound},
	}
}

func listSounds(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	return map[string][]wireSound{"items": wireSounds(g, c.seesCreators(g, me))}, nil
}

// soundFor finds the sound that a path names.
func (c *call) soundFor() (*sound, *guild, *member, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, nil, nil, err
	}
	s := g.sounds[c.pathID("sound_id")]
	if s == nil {
		return nil, nil, nil, unknownSound()
	}
	return s, g, me, nil
}

func getSound(c *call) (any, *apiError) {
	s, g, me, err := c.soundFor()
	if err != nil {
		return nil, err
	}
	return newWireSound(g, s, c.seesCreators(g, me)), nil
}

// soundBody is the body of a new or changed sound.
type soundBody struct {
	name      field[string]
	volume    field[float64]
	emoji     field[ID]
	emojiName field[string]
	file      field[blob]
}

func (c *call) soundBody(create bool) (soundBody, *apiError) {
	var b soundBody
	keys, err := c.objectBody(false)
	if err != nil {
		return b, err
	}
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(2, 32))
	read(&bad, keys, "volume", &b.volume, asVolume)
	read(&bad, keys, "emoji_id", &b.emoji, asID)
	read(&bad, keys, "emoji_name", &b.emojiName, asText(1, 32))
	if create {
		read(&bad, keys, "sound", &b.file, asData(maxSound, soundKind))
		required(&bad, "name", b.name)
		required(&bad, "sound", b.file)
	}
	return b, bad.err()
}

func asVolume(bad *formErrors, key string, raw json.RawMessage) float64 {
	var v float64
	if json.Unmarshal(raw, &v) != nil {
		bad.add("FLOAT_TYPE_COERCE", "Value "+quoted(raw)+" is not float.", key)
	} else if v < 0 || v > 1 {
		bad.add("NUMBER_TYPE_MAX", "float value should be between 0 and 1.", key)
	}
	return v
}

func (b soundBody) apply(s *sound) {
	if b.name.set && !b.name.null {
		s.name = b.name.value
	}
	if b.volume.set {
		if s.volume = b.volume.value; b.volume.null {
			s.volume = 1
		}
	}
	if b.emoji.set || b.emojiName.set { // one or the other
		s.emoji, s.emojiName = b.emoji.value, nil
		setPointer(&s.emojiName, b.emojiName)
	}
}

func createSound(c *call) (any, *apiError) {
	g, _, err := c.guildWith(CreateExpressions)
	if err != nil {
		return nil, err
	}
	b, err := c.soundBody(true)
	if err != nil {
		return nil, err
	}
	if len(g.sounds) >= g.maxSounds() {
		return nil, maximum(30045, "soundboard sounds", g.maxSounds())
	}
	s := &sound{id: c.d.newID(), volume: 1, creator: c.me, blob: b.file.value}
	b.apply(s)
	g.sounds[s.id] = s
	c.d.emit(g.id, "GUILD_SOUNDBOARD_SOUND_CREATE", newWireSound(g, s, true))
	c.audit(g, AuditEntry{Action: AuditSoundCreate, Target: s.id, Changes: whole(s.auditKeys(), false)})
	return created(newWireSound(g, s, true)), nil
}

func patchSound(c *call) (any, *apiError) {
	s, g, me, err := c.soundFor()
	if err != nil {
		return nil, err
	}
	if !c.mayExpress(g, me, s.creator) {
		return nil, missingPermissions()
	}
	b, err := c.soundBody(false)
	if err != nil {
		return nil, err
	}
	before := s.auditKeys()
	b.apply(s)
	if changes := between(before, s.auditKeys()); len(changes) > 0 {
		c.d.emit(g.id, "GUILD_SOUNDBOARD_SOUND_UPDATE", newWireSound(g, s, true))
		c.audit(g, AuditEntry{Action: AuditSoundUpdate, Target: s.id, Changes: changes})
	}
	return newWireSound(g, s, true), nil
}

type soundGoneEvent struct {
	GuildID ID `json:"guild_id"`
	SoundID ID `json:"sound_id"`
}

func deleteSound(c *call) (any, *apiError) {
	s, g, me, err := c.soundFor()
	if err != nil {
		return nil, err
	}
	if !c.mayExpress(g, me, s.creator) {
		return nil, missingPermissions()
	}
	delete(g.sounds, s.id)
	c.d.emit(g.id, "GUILD_SOUNDBOARD_SOUND_DELETE", soundGoneEvent{g.id, s.id})
	c.audit(g, AuditEntry{Action: AuditSoundDelete, Target: s.id, Changes: whole(s.auditKeys(), true)})
	return noContent(), nil
}
