package incident

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
)

func auditOf(self bus.UserID, kind int) discord.AuditQuery {
	return discord.AuditQuery{User: self.String(), Action: discordgo.AuditLogAction(kind), Limit: 100}
}

// do carries out one step. It gives the id of what it made.
func (h *Hand) do(ctx context.Context, s Step) (made string, err error) {
	guild, why, id := h.Guild.String(), h.reason(), h.now(s.ID)
	switch s.Do {
	case CreateRole:
		role, err := h.Bot.CreateRole(ctx, guild, changes(s.Set), why)
		if err != nil {
			return "", err
		}
		return role.ID, nil
	case CreateChannel:
		c, err := h.Bot.CreateChannel(ctx, guild, h.mapped(s.Set), why)
		if err != nil {
			return "", err
		}
		return c.ID, nil
	case EditRole:
		_, err = h.Bot.EditRole(ctx, guild, id, changes(s.Set), why)
	case EditChannel:
		_, err = h.Bot.EditChannel(ctx, id, h.mapped(s.Set), why)
	case EditGuild:
		_, err = h.Bot.EditGuild(ctx, guild, h.mapped(s.Set), why)
	case EditMember:
		_, err = h.Bot.EditMember(ctx, guild, id, changes(s.Set), why)
	case SetOverwrite:
		if h.unmade(s.ID) {
			return "", nil // its role could not be made, which is noted
		}
		err = h.Bot.SetOverwrite(ctx, h.now(s.In), wireOverwrite(s.Set, id), why)
	case SortRoles:
		err = h.sortRoles(ctx, s.IDs)
	case SortChannels:
		err = h.sortChannels(ctx, s.IDs)
	case GiveRole, TakeRole:
		err = h.members(ctx, s)
	case Ban:
		err = h.Bot.Ban(ctx, guild, id, 0, why)
	default:
		err = h.remove(ctx, s)
	}
	return "", err
}

// remove does the steps after which something is gone; that it is gone already is as good.
func (h *Hand) remove(ctx context.Context, s Step) (err error) {
	guild, why, id := h.Guild.String(), h.reason(), h.now(s.ID)
	switch s.Do {
	case DeleteWebhook:
		err = h.Bot.DeleteWebhook(ctx, id, why)
	case KickBot:
		err = h.Bot.Kick(ctx, guild, id, why)
	case DeleteOverwrite:
		err = h.Bot.DeleteOverwrite(ctx, h.now(s.In), id, why)
	case Unban:
		err = h.Bot.Unban(ctx, guild, id, why)
	case DeleteChannel:
		err = h.Bot.DeleteChannel(ctx, id, why)
	case DeleteRole:
		err = h.Bot.DeleteRole(ctx, guild, id, why)
	}
	if discord.HasCode(err, discord.CodeUnknownWebhook, discord.CodeUnknownMember, discord.CodeUnknownOverwrite,
		discord.CodeUnknownBan, discord.CodeUnknownChannel, discord.CodeUnknownRole) {
		return nil
	}
	return err
}

// members gives a role to members or takes it. Who has left is passed over.
func (h *Hand) members(ctx context.Context, s Step) error {
	if h.unmade(s.ID) {
		return nil // the role could not be made, which is noted
	}
	change := h.Bot.AddRole
	if s.Do == TakeRole {
		change = h.Bot.RemoveRole
	}
	var first error
	for _, user := range s.IDs {
		err := change(ctx, h.Guild.String(), user, h.now(s.ID), h.reason())
		switch {
		case err == nil, discord.HasCode(err, discord.CodeUnknownMember, discord.CodeUnknownUser):
		case !Refused(err):
			return err
		case first == nil:
			first = err
		}
	}
	return first
}

// now gives the id that stands for one from before the incident.
func (h *Hand) now(id string) string {
	if made, ok := h.Made[id]; ok {
		return made
	}
	return id
}

// unmade says whether an id is of something that was to be made and could not be.
func (h *Hand) unmade(id string) bool {
	if _, made := h.Made[id]; made || id == "" {
		return false
	}
	for _, s := range h.Steps[:h.next] {
		if s.ID == id && makes(s.Do) != 0 {
			return true
		}
	}
	return false
}

func changes(set object) discord.Changes {
	c := discord.Changes{}
	for key, v := range set {
		c[key] = v
	}
	return c
}

// mapped gives keys with the ids that now stand for those from before.
func (h *Hand) mapped(set object) discord.Changes {
	c := changes(set)
	for key, v := range set {
		if key == "parent_id" || strings.HasSuffix(key, "_channel_id") {
			id := set.text(key)
			if c[key] = v; h.unmade(id) {
				c[key] = nil
			} else if id != "" {
				c[key] = h.now(id)
			}
		}
	}
	if set["permission_overwrites"] == nil {
		return c
	}
	list := []object{}
	var was []object
	_ = json.Unmarshal(set["permission_overwrites"], &was) // we wrote it
	for _, o := range was {
		if id := o.text("id"); !h.unmade(id) {
			o["id"] = quote(h.now(id))
			list = append(list, o)
		}
	}
	c["permission_overwrites"] = list
	return c
}

func wireOverwrite(set object, id string) *discordgo.PermissionOverwrite {
	return &discordgo.PermissionOverwrite{ID: id, Type: discordgo.PermissionOverwriteType(set.number("type")),
		Allow: bits(set["allow"]), Deny: bits(set["deny"])}
}

// sortRoles puts the roles below the bot's into the order of before; those above it
// nobody could have moved but who is above the bot. Roles can share a position, and no
// place at or above the bot's is open to it: the first request spreads them, the next one
// has room.
func (h *Hand) sortRoles(ctx context.Context, was []string) error {
	for range 3 {
		places, err := h.rolePlaces(ctx, was)
		if err != nil || len(places) == 0 {
			return err
		}
		if _, err = h.Bot.MoveRoles(ctx, h.Guild.String(), places, h.reason()); err != nil {
			return err
		}
	}
	return nil
}

// rolePlaces says which roles have to go where.
func (h *Hand) rolePlaces(ctx context.Context, was []string) ([]discord.Place, error) {
	l := loader{h.Bot, h.Guild.String()}
	all, err := l.list(ctx, "/guilds/"+l.guild+"/roles")
	if err != nil {
		return nil, err
	}
	me, err := h.Bot.Member(ctx, l.guild, h.Self.String())
	if err != nil {
		return nil, err
	}
	now, top := order(all, newerFirst), 0
	for i, id := range now {
		if slices.Contains(me.Roles, id) {
			top = i
		}
	}
	if top == 0 {
		return nil, nil // the bot has no role and can move none
	}
	highest := all[now[top]].number("position") - 1
	var places []discord.Place
	position := 0
	for _, id := range arrange(h.allNow(was), now[:top]) {
		if id == l.guild { // @everyone stays below all
			continue
		}
		position++
		if to := max(min(position, highest), 1); all[id].number("position") != to {
			places = append(places, discord.Place{ID: id, Position: to})
		}
	}
	return places, nil
}

func (h *Hand) sortChannels(ctx context.Context, was []string) error {
	l := loader{h.Bot, h.Guild.String()}
	all, err := l.list(ctx, "/guilds/"+l.guild+"/channels")
	if err != nil {
		return err
	}
	var places []discord.Place
	for i, id := range arrange(h.allNow(was), order(all, compareIDs)) {
		if all[id].number("position") != i {
			places = append(places, discord.Place{ID: id, Position: i})
		}
	}
	if len(places) == 0 {
		return nil
	}
	return h.Bot.MoveChannels(ctx, l.guild, places, h.reason())
}

func (h *Hand) allNow(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = h.now(id)
	}
	return out
}
