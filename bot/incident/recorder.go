package incident

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"

	"splashtail/bot/limits"
	"splashtail/bus"
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
	// whole gives a guild as GUILD_CREATE would show it, for one whose events come
	// without having been seen whole; nil: such a guild begins empty.
	whole func(context.Context, bus.GuildID) (json.RawMessage, error)
	// people gives a guild's members, whom GUILD_CREATE does not show; nil: who had a
	// deleted role is known only of those whom an event showed.
	people func(context.Context, bus.GuildID) ([]json.RawMessage, error)

	mu     sync.Mutex
	guilds map[bus.GuildID]*image
}

// RecorderConfig says where a recorder learns what events do not tell. Both may be nil.
type RecorderConfig struct {
	// Whole gives a guild as GUILD_CREATE would show it, for one whose events come without
	// that.
	Whole func(context.Context, bus.GuildID) (json.RawMessage, error)
	// People gives a guild's members as Discord's objects; see PeopleOf.
	People func(context.Context, bus.GuildID) ([]json.RawMessage, error)
}

// NewRecorder makes a recorder.
func NewRecorder(cfg RecorderConfig, b *bus.Bus, log *slog.Logger) *Recorder {
	return &Recorder{b: b, log: log, whole: cfg.Whole, people: cfg.People, guilds: map[bus.GuildID]*image{}}
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
			r.set(e.Guild, r.peopled(ctx, e.Guild, imageOf(e.Data)))
		}
		return nil
	case "GUILD_AUDIT_LOG_ENTRY_CREATE":
		return r.record(ctx, r.image(ctx, e.Guild), e)
	}
	r.image(ctx, e.Guild).apply(e.Event, e.Data)
	return nil
}

func (r *Recorder) set(g bus.GuildID, im *image) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guilds[g] = im
}

// image gives a guild's image; a guild that is new to us is asked for once.
func (r *Recorder) image(ctx context.Context, g bus.GuildID) *image {
	r.mu.Lock()
	im := r.guilds[g]
	r.mu.Unlock()
	if im != nil {
		return im
	}
	im = newImage()
	if r.whole != nil {
		if data, err := r.whole(ctx, g); err == nil {
			im = r.peopled(ctx, g, imageOf(data))
		} else {
			r.log.Warn("what a guild looked like is not known; what is deleted now can be taken back in part only", "guild", g, "err", err)
		}
	}
	r.set(g, im)
	return im
}

// peopled adds a guild's members to an image.
func (r *Recorder) peopled(ctx context.Context, g bus.GuildID, im *image) *image {
	if r.people == nil {
		return im
	}
	list, err := r.people(ctx, g)
	for _, raw := range list {
		im.setMember(raw)
	}
	if err != nil {
		r.log.Warn("not all members of a guild are known; who had a role that is deleted now may not get it back", "guild", g, "err", err)
	}
	return im
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
	entry, err := limits.ParseEntry(e.Data)
	if err != nil {
		return err
	}
	raw := parseObject(e.Data)
	d := bus.Deed{V: 1, ID: entry.ID, Guild: e.Guild, Actor: entry.Actor(), Type: entry.Type, Reason: entry.Reason,
		Changes: raw["changes"], Options: raw["options"], At: limits.TimeOf(entry.ID)}
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
func (im *image) fill(d *bus.Deed, changes []limits.Change) {
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
