package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"time"
)

// maxSticker is how large the file of a sticker may be.
const maxSticker = 512 << 10

type sticker struct {
	id          ID
	name        string
	tags        string
	description string
	creator     *user
	blob
}

// maxStickers is the cap of a guild's stickers.
func (g *guild) maxStickers() int { return g.byTier([4]int{5, 15, 30, 60}) }

type wireSticker struct {
	ID          ID        `json:"id"`
	Name        string    `json:"name"`
	Tags        string    `json:"tags"`
	Type        int       `json:"type"` // 2: of a guild
	Format      int       `json:"format_type"`
	Description *string   `json:"description"`
	Available   bool      `json:"available"`
	GuildID     ID        `json:"guild_id"`
	User        *wireUser `json:"user,omitempty"`
}

func newWireSticker(g *guild, s *sticker, withUser bool) wireSticker {
	w := wireSticker{ID: s.id, Name: s.name, Tags: s.tags, Type: 2, Format: s.format(), Available: true, GuildID: g.id}
	if s.description != "" {
		text := s.description
		w.Description = &text
	}
	if withUser && s.creator != nil {
		u := newWireUser(s.creator)
		w.User = &u
	}
	return w
}

// format is Discord's number for the kind of file.
func (s *sticker) format() int {
	switch s.kind {
	case "image/apng":
		return 2
	case "application/json":
		return 3
	case "image/gif":
		return 4
	}
	return 1
}

func wireStickers(g *guild, withUser bool) []wireSticker {
	list := make([]wireSticker, 0, len(g.stickers))
	for _, id := range sortedIDs(g.stickers) {
		list = append(list, newWireSticker(g, g.stickers[id], withUser))
	}
	return list
}

func (s *sticker) auditKeys() []auditKey {
	return []auditKey{{"name", s.name}, {"tags", s.tags}, {"description", s.description}}
}

// stickerRoutes are the routes of stickers.
func stickerRoutes() []route {
	const list, one = "/guilds/{guild_id}/stickers", "/guilds/{guild_id}/stickers/{sticker_id}"
	limit := per(10, 10*time.Second)
	return []route{
		{method: "GET", pattern: "/stickers/{sticker_id}", bucket: "sticker", limit: limit, handle: getAnySticker},
		{method: "GET", pattern: list, bucket: "stickers", limit: limit, handle: listStickers},
		{method: "POST", pattern: list, bucket: "sticker-create", limit: per(5, time.Minute), handle: createSticker},
		{method: "GET", pattern: one, bucket: "stickers", limit: limit, handle: getSticker},
		{method: "PATCH", pattern: one, bucket: "sticker-patch", limit: limit, handle: patchSticker},
		{method: "DELETE", pattern: one, bucket: "sticker-patch", limit: limit, handle: deleteSticker},
	}
}

func getAnySticker(c *call) (any, *apiError) {
	id := c.pathID("sticker_id")
	for _, g := range c.d.guilds {
		if s := g.stickers[id]; s != nil {
			return newWireSticker(g, s, false), nil
		}
	}
	return nil, unknownSticker()
}

func listStickers(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	return wireStickers(g, c.seesCreators(g, me)), nil
}

// stickerFor finds the sticker that a path names.
func (c *call) stickerFor() (*sticker, *guild, *member, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, nil, nil, err
	}
	s := g.stickers[c.pathID("sticker_id")]
	if s == nil {
		return nil, nil, nil, unknownSticker()
	}
	return s, g, me, nil
}

func getSticker(c *call) (any, *apiError) {
	s, g, me, err := c.stickerFor()
	if err != nil {
		return nil, err
	}
	return newWireSticker(g, s, c.seesCreators(g, me)), nil
}

// stickerBody is what of a sticker can be changed.
type stickerBody struct {
	name, tags, description field[string]
}

func (b *stickerBody) read(bad *formErrors, keys map[string]json.RawMessage) {
	read(bad, keys, "name", &b.name, asText(2, 30))
	read(bad, keys, "tags", &b.tags, asText(1, 200))
	read(bad, keys, "description", &b.description, asText(0, 100))
}

// stickerForm reads the form of a new sticker: three texts and a file.
func (c *call) stickerForm() (map[string]json.RawMessage, []byte, *apiError) {
	kind, params, err := mime.ParseMediaType(c.contentType)
	if err != nil || kind != "multipart/form-data" {
		var bad formErrors
		bad.add("CONTENT_TYPE_INVALID", `Expected "Content-Type" header to be one of {'multipart/form-data'}.`)
		return nil, nil, bad.err()
	}
	keys := map[string]json.RawMessage{}
	var file []byte
	r := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return keys, file, nil
		}
		if err != nil {
			return nil, nil, invalidJSON()
		}
		data, err := io.ReadAll(io.LimitReader(part, maxSticker+1))
		if err != nil {
			return nil, nil, invalidJSON()
		}
		if name := part.FormName(); name == "file" {
			file = data
		} else {
			keys[name] = rawJSON(strings.ToValidUTF8(string(data), "\uFFFD"))
		}
	}
}

func createSticker(c *call) (any, *apiError) {
	g, _, err := c.guildWith(CreateExpressions)
	if err != nil {
		return nil, err
	}
	keys, data, err := c.stickerForm()
	if err != nil {
		return nil, err
	}
	var b stickerBody
	var bad formErrors
	b.read(&bad, keys)
	required(&bad, "name", b.name)
	required(&bad, "tags", b.tags)
	if data == nil {
		bad.add("BASE_TYPE_REQUIRED", "This field is required", "file")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	kind := stickerKind(data)
	switch {
	case len(data) > maxSticker:
		return nil, fileTooLarge()
	case kind == "", kind == "application/json" && !g.has("VERIFIED") && !g.has("PARTNERED"):
		return nil, fileInvalid()
	case len(g.stickers) >= g.maxStickers():
		return nil, maximum(30039, "stickers", g.maxStickers())
	}
	s := &sticker{
		id: c.d.newID(), name: b.name.value, tags: b.tags.value, description: b.description.value, creator: c.me,
		blob: blob{kind: kind, data: data},
	}
	g.stickers[s.id] = s
	c.stickersChanged(g, s, AuditStickerCreate, whole(s.auditKeys(), false))
	return created(newWireSticker(g, s, true)), nil
}

type stickersEvent struct {
	GuildID  ID            `json:"guild_id"`
	Stickers []wireSticker `json:"stickers"`
}

func (c *call) stickersChanged(g *guild, s *sticker, action int, changes auditChanges) {
	if len(changes) == 0 {
		return
	}
	c.d.emit(g.id, "GUILD_STICKERS_UPDATE", stickersEvent{g.id, wireStickers(g, true)})
	c.audit(g, AuditEntry{Action: action, Target: s.id, Changes: changes})
}

func patchSticker(c *call) (any, *apiError) {
	s, g, me, err := c.stickerFor()
	if err != nil {
		return nil, err
	}
	if !c.mayExpress(g, me, s.creator) {
		return nil, missingPermissions()
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var b stickerBody
	var bad formErrors
	b.read(&bad, keys)
	if err := bad.err(); err != nil {
		return nil, err
	}
	before := s.auditKeys()
	if b.name.set && !b.name.null {
		s.name = b.name.value
	}
	if b.tags.set && !b.tags.null {
		s.tags = b.tags.value
	}
	set(&s.description, b.description)
	c.stickersChanged(g, s, AuditStickerUpdate, between(before, s.auditKeys()))
	return newWireSticker(g, s, true), nil
}

func deleteSticker(c *call) (any, *apiError) {
	s, g, me, err := c.stickerFor()
	if err != nil {
		return nil, err
	}
	if !c.mayExpress(g, me, s.creator) {
		return nil, missingPermissions()
	}
	delete(g.stickers, s.id)
	c.stickersChanged(g, s, AuditStickerDelete, whole(s.auditKeys(), true))
	return noContent(), nil
}
