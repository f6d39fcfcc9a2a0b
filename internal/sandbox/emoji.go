package sandbox

import (
	"encoding/json"
	"regexp"
	"slices"
	"time"
)

// maxEmoji is how large the picture of an emoji may be.
const maxEmoji = 256 << 10

type emoji struct {
	id       ID
	name     string
	roles    []ID // that may use it; none = all
	creator  *user
	animated bool
	blob
}

// byTier is what a guild may have at each level of boosts.
func (g *guild) byTier(caps [4]int) int { return caps[min(max(g.tier, 0), 3)] }

// maxEmojis is the cap of still emojis and, counted apart, of moving ones.
func (g *guild) maxEmojis() int { return g.byTier([4]int{50, 100, 150, 250}) }

type wireEmoji struct {
	ID        ID        `json:"id"`
	Name      string    `json:"name"`
	Roles     []ID      `json:"roles"`
	User      *wireUser `json:"user,omitempty"`
	Colons    bool      `json:"require_colons"`
	Managed   bool      `json:"managed"`
	Animated  bool      `json:"animated"`
	Available bool      `json:"available"`
}

// newWireEmoji shows an emoji; who made it is for those who may manage it.
func newWireEmoji(e *emoji, withUser bool) wireEmoji {
	w := wireEmoji{ID: e.id, Name: e.name, Roles: append([]ID{}, e.roles...), Colons: true, Animated: e.animated, Available: true}
	if withUser && e.creator != nil {
		u := newWireUser(e.creator)
		w.User = &u
	}
	return w
}

func wireEmojis(g *guild, withUser bool) []wireEmoji {
	list := make([]wireEmoji, 0, len(g.emojis))
	for _, id := range sortedIDs(g.emojis) {
		list = append(list, newWireEmoji(g.emojis[id], withUser))
	}
	return list
}

func (e *emoji) auditKeys() []auditKey { return []auditKey{{"name", e.name}, {"roles", e.roles}} }

// emojiRoutes are the routes of a guild's emojis. How many may be made is counted per guild and not shown by the bucket.
func emojiRoutes() []route {
	const list, one = "/guilds/{guild_id}/emojis", "/guilds/{guild_id}/emojis/{emoji_id}"
	limit := per(10, 10*time.Second)
	return []route{
		{method: "GET", pattern: list, bucket: "emojis", limit: limit, handle: listEmojis},
		{method: "POST", pattern: list, bucket: "emoji-create", limit: limit, handle: createEmoji},
		{method: "GET", pattern: one, bucket: "emojis", limit: limit, handle: getEmoji},
		{method: "PATCH", pattern: one, bucket: "emoji-patch", limit: limit, handle: patchEmoji},
		{method: "DELETE", pattern: one, bucket: "emoji-patch", limit: limit, handle: deleteEmoji},
	}
}

// mayExpress says whether a member may change an emoji, a sticker or a sound: one of its own with either permission, another
// one only with MANAGE_GUILD_EXPRESSIONS.
func (c *call) mayExpress(g *guild, me *member, creator *user) bool {
	p := g.basePermissions(me, c.now)
	return p.Has(ManageExpressions) || creator == c.me && p.Has(CreateExpressions)
}

// seesCreators says whether lists name who made each one.
func (c *call) seesCreators(g *guild, me *member) bool {
	return g.basePermissions(me, c.now)&(ManageExpressions|CreateExpressions) != 0
}

func listEmojis(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	return wireEmojis(g, c.seesCreators(g, me)), nil
}

// emojiFor finds the emoji that a path names.
func (c *call) emojiFor() (*emoji, *guild, *member, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, nil, nil, err
	}
	e := g.emojis[c.pathID("emoji_id")]
	if e == nil {
		return nil, nil, nil, unknownEmoji()
	}
	return e, g, me, nil
}

func getEmoji(c *call) (any, *apiError) {
	e, g, me, err := c.emojiFor()
	if err != nil {
		return nil, err
	}
	return newWireEmoji(e, c.seesCreators(g, me)), nil
}

// emojiBody is the body of a new or changed emoji.
type emojiBody struct {
	name  field[string]
	image field[blob]
	roles field[[]ID]
}

func (c *call) emojiBody(g *guild) (emojiBody, *apiError) {
	var b emojiBody
	keys, err := c.objectBody(false)
	if err != nil {
		return b, err
	}
	var bad formErrors
	read(&bad, keys, "name", &b.name, asWord)
	read(&bad, keys, "image", &b.image, asData(maxEmoji, imageKind))
	read(&bad, keys, "roles", &b.roles, asIDs)
	if err := bad.err(); err != nil {
		return b, err
	}
	for _, id := range b.roles.value {
		if g.roles[id] == nil {
			return b, unknownRole()
		}
	}
	b.roles.value = slices.Sorted(slices.Values(b.roles.value))
	return b, nil
}

var word = regexp.MustCompile(`^\w*$`)

// asWord is the name of an emoji: letters, digits and underscores.
func asWord(bad *formErrors, key string, raw json.RawMessage) string {
	s := asText(2, 32)(bad, key, raw)
	if !word.MatchString(s) {
		bad.add("STRING_TYPE_REGEX", "String value did not match validation regex.", key)
	}
	return s
}

func createEmoji(c *call) (any, *apiError) {
	g, _, err := c.guildWith(CreateExpressions)
	if err != nil {
		return nil, err
	}
	b, err := c.emojiBody(g)
	if err != nil {
		return nil, err
	}
	var bad formErrors
	required(&bad, "name", b.name)
	required(&bad, "image", b.image)
	if err := bad.err(); err != nil {
		return nil, err
	}
	e := &emoji{name: b.name.value, roles: b.roles.value, creator: c.me, animated: b.image.value.kind == "image/gif", blob: b.image.value}
	same := 0
	for _, other := range g.emojis {
		if other.animated == e.animated {
			same++
		}
	}
	if same >= g.maxEmojis() {
		if e.animated {
			return nil, maximum(30018, "animated emojis", g.maxEmojis())
		}
		return nil, maximum(30008, "emojis", g.maxEmojis())
	}
	if c.d.limits.limits.Other.Requests >= 0 {
		if err := c.within("emoji create", g.id, c.d.limits.limits.EmojiCreate); err != nil {
			return nil, err
		}
	}
	e.id = c.d.newID()
	g.emojis[e.id] = e
	c.emojisChanged(g, e, AuditEmojiCreate, whole(e.auditKeys(), false))
	return created(newWireEmoji(e, true)), nil
}

type emojisEvent struct {
	GuildID ID          `json:"guild_id"`
	Emojis  []wireEmoji `json:"emojis"`
}

func (c *call) emojisChanged(g *guild, e *emoji, action int, changes auditChanges) {
	if len(changes) == 0 {
		return
	}
	c.d.emit(g.id, "GUILD_EMOJIS_UPDATE", emojisEvent{g.id, wireEmojis(g, true)})
	c.audit(g, AuditEntry{Action: action, Target: e.id, Changes: changes})
}

func patchEmoji(c *call) (any, *apiError) {
	e, g, me, err := c.emojiFor()
	if err != nil {
		return nil, err
	}
	if !c.mayExpress(g, me, e.creator) {
		return nil, missingPermissions()
	}
	b, err := c.emojiBody(g)
	if err != nil {
		return nil, err
	}
	before := e.auditKeys()
	if b.name.set && !b.name.null {
		e.name = b.name.value
	}
	set(&e.roles, b.roles)
	c.emojisChanged(g, e, AuditEmojiUpdate, between(before, e.auditKeys()))
	return newWireEmoji(e, true), nil
}

func deleteEmoji(c *call) (any, *apiError) {
	e, g, me, err := c.emojiFor()
	if err != nil {
		return nil, err
	}
	if !c.mayExpress(g, me, e.creator) {
		return nil, missingPermissions()
	}
	delete(g.emojis, e.id)
	c.emojisChanged(g, e, AuditEmojiDelete, whole(e.auditKeys(), true))
	return noContent(), nil
}

// expression finds the file of an emoji, a sticker or a sound by its id alone, as their paths on the CDN do.
func (d *Discord) expression(folder string, id ID) (blob, bool) {
	for _, g := range d.guilds {
		switch folder {
		case "emojis":
			if e := g.emojis[id]; e != nil {
				return e.blob, true
			}
		case "stickers":
			if s := g.stickers[id]; s != nil {
				return s.blob, true
			}
		case "soundboard-sounds":
			if s := g.sounds[id]; s != nil {
				return s.blob, true
			}
		}
	}
	return blob{}, false
}
