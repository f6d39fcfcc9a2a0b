package incident

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"

	"splashtail/bus"
	"splashtail/internal/audit"
	"splashtail/internal/guilds"
)

// Discord's action types of the audit log that are read here.
const (
	typeGuildUpdate     = 1
	typeChannelCreate   = 10
	typeChannelUpdate   = 11
	typeChannelDelete   = 12
	typeOverwriteCreate = 13
	typeOverwriteUpdate = 14
	typeOverwriteDelete = 15
	typeKick            = 20
	typePrune           = 21
	typeBan             = 22
	typeUnban           = 23
	typeMemberUpdate    = 24
	typeMemberRoles     = 25
	typeMove            = 26
	typeDisconnect      = 27
	typeBotAdd          = 28
	typeRoleCreate      = 30
	typeRoleUpdate      = 31
	typeRoleDelete      = 32
	typeWebhookCreate   = 50
	typeWebhookUpdate   = 51
	typeWebhookDelete   = 52
	typeEmojiDelete     = 62

	typeMessageDelete     = 72
	typeMessageBulkDelete = 73
)

// typeCategory is the type of a channel that holds others.
const typeCategory = 4

// Recorder writes the journal of guilds.
type Recorder struct {
	b   *bus.Bus
	log *slog.Logger
	cfg RecorderConfig

	mu     sync.Mutex
	guilds map[bus.GuildID]*image
}

// RecorderConfig says where a recorder learns what events do not tell. Everything may be
// nil: then a guild begins empty.
type RecorderConfig struct {
	// Stored gives a guild as the gateway has shown it up to an event and on, with what was
	// deleted in it lately: that it was before we came is known of nobody else. See
	// guilds.Reader.At.
	Stored func(context.Context, bus.GuildID, guilds.Mark) (guilds.View, error)
	// Whole gives a guild as GUILD_CREATE would show it, for one that is not stored.
	Whole func(context.Context, bus.GuildID) (json.RawMessage, error)
	// People gives a guild's members as Discord's objects, for one of which not all are
	// known; see PeopleOf. Without, who had a deleted role is known only of those whom
	// GUILD_CREATE or an event showed.
	People func(context.Context, bus.GuildID) ([]json.RawMessage, error)
}

// NewRecorder makes a recorder.
func NewRecorder(cfg RecorderConfig, b *bus.Bus, log *slog.Logger) *Recorder {
	return &Recorder{b: b, log: log, cfg: cfg, guilds: map[bus.GuildID]*image{}}
}

// Handle takes one event. Events of a guild come in order and one after the other; one
// that comes again is written once. Errors: as of bus.Publish.
func (r *Recorder) Handle(ctx context.Context, d bus.Delivery[bus.Dispatch]) error {
	e := d.Value
	if e.Guild == 0 {
		return nil
	}
	switch e.Event {
	case "GUILD_CREATE":
		if o := parseObject(e.Data); string(o["unavailable"]) != "true" {
			im := imageOf(e.Data)
			if n := o.number("member_count"); n == 0 || n > len(im.members) {
				r.people(ctx, e.Guild, im)
			}
			r.set(e.Guild, im)
		}
		return nil
	case "GUILD_AUDIT_LOG_ENTRY_CREATE":
		return r.record(ctx, r.image(ctx, d), e)
	}
	r.image(ctx, d).apply(e.Event, e.Data)
	return nil
}

func (r *Recorder) set(g bus.GuildID, im *image) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guilds[g] = im
}

// image gives the image of the guild of an event; a guild that is new to us is asked for
// once.
func (r *Recorder) image(ctx context.Context, d bus.Delivery[bus.Dispatch]) *image {
	g := d.Value.Guild
	r.mu.Lock()
	im := r.guilds[g]
	r.mu.Unlock()
	if im == nil {
		im = r.first(ctx, d)
		r.set(g, im)
	}
	return im
}

// first makes the image of a guild whose events come without its GUILD_CREATE: after a
// restart, nearly every one. It may be newer than the event; that changes what the events
// in between have changed, which come next, and what they deleted is in it as gone.
func (r *Recorder) first(ctx context.Context, d bus.Delivery[bus.Dispatch]) *image {
	g := d.Value.Guild
	if r.cfg.Stored != nil {
		view, err := r.cfg.Stored(ctx, g, guilds.MarkOf(d))
		if err == nil {
			im := imageOf(view.JSON("threads", "voice_states", "emojis", "stickers"))
			members, all := view.WithRoles()
			for m := range members {
				im.setMember(m)
			}
			if !all {
				r.people(ctx, g, im)
			}
			im.recall(view.Remains)
			return im
		}
		r.log.Debug("a guild is not stored; Discord is asked for it", "guild", g, "err", err)
	}
	if r.cfg.Whole == nil {
		return newImage()
	}
	data, err := r.cfg.Whole(ctx, g)
	if err != nil {
		r.log.Warn("what a guild looked like is not known; what is deleted now can be taken back in part only", "guild", g, "err", err)
		return newImage()
	}
	im := imageOf(data)
	r.people(ctx, g, im)
	return im
}

// people adds those of a guild's members to an image whom it does not have: what Discord
// says now may be newer than the event that showed the others.
func (r *Recorder) people(ctx context.Context, g bus.GuildID, im *image) {
	if r.cfg.People == nil {
		return
	}
	list, err := r.cfg.People(ctx, g)
	for _, raw := range list {
		if user := parseObject(parseObject(raw)["user"]).text("id"); im.members[user] == nil {
			im.setMember(raw)
		}
	}
	if err != nil {
		r.log.Warn("not all members of a guild are known; who had a role that is deleted now may not get it back", "guild", g, "err", err)
	}
}

// apply follows one event.
func (im *image) apply(event string, data json.RawMessage) {
	switch event {
	case "CHANNEL_CREATE", "CHANNEL_UPDATE":
		im.setChannel(data)
	case "CHANNEL_DELETE":
		if o := parseObject(data); o.text("id") != "" {
			im.deleted(o.text("id"), false, o)
		}
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE":
		im.setRole(parseObject(data)["role"])
	case "GUILD_ROLE_DELETE":
		if id := parseObject(data).text("role_id"); id != "" {
			im.deleted(id, true, nil)
		}
	case "GUILD_UPDATE":
		im.setGuild(parseObject(data))
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE":
		im.setMember(data)
	case "GUILD_MEMBERS_CHUNK":
		im.setMembers(data)
	case "GUILD_MEMBER_REMOVE":
		delete(im.members, parseObject(parseObject(data)["user"]).text("id"))
	}
}

// record writes an audit-log entry with what its object was.
func (r *Recorder) record(ctx context.Context, im *image, e bus.Dispatch) error {
	entry, err := audit.ParseEntry(e.Data)
	if err != nil {
		return err
	}
	raw := parseObject(e.Data)
	d := bus.Deed{V: 1, ID: entry.ID, Guild: e.Guild, Actor: entry.Actor(), Type: entry.Type, Reason: entry.Reason,
		Changes: raw["changes"], Options: raw["options"], At: audit.TimeOf(entry.ID)}
	if entry.Target != nil {
		d.Target = *entry.Target
	}
	if entry.Type == typeChannelDelete || entry.Type == typeRoleDelete {
		im.fill(&d, entry.Changes)
	}
	_, err = bus.Publish(ctx, r.b, bus.JournalSubject(e.Guild), d, bus.WithID(strconv.FormatUint(d.ID, 10)))
	return err
}

// fill notes what was deleted. The deletion itself may be told before or after the entry.
// Of what was never seen, the entry itself says the most.
func (im *image) fill(d *bus.Deed, changes []audit.Change) {
	isRole := d.Type == typeRoleDelete
	rest := im.remainsOf(d.Target, isRole)
	im.deleted(d.Target, isRole, nil)
	if rest.object == nil && len(changes) > 0 {
		rest.object = object{"id": quote(d.Target)}
		for _, c := range changes {
			if len(c.Old) > 0 {
				rest.object[c.Key] = c.Old
			}
		}
	}
	if rest.object != nil {
		d.Before, _ = json.Marshal(rest.object) // raw values that were parsed always encode
	}
	d.Members = rest.members[:min(len(rest.members), bus.MaxDeedMembers)]
	d.Overwrites, d.Children, d.Settings, d.Order = rest.overwrites, rest.children, rest.settings, rest.order
}

// RecorderEvents are the events that a recorder has to be handed.
func RecorderEvents() []string {
	return []string{"GUILD_CREATE", "GUILD_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE",
		"GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE", "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_MEMBERS_CHUNK"}
}
