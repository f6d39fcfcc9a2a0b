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
func (r *run) do(ctx context.Context, s Step) (made string, err error) {
	guild, why, id := r.guild.String(), r.reason(), r.now(s.ID)
	switch s.Do {
	case CreateRole:
		role, err := r.bot.CreateRole(ctx, guild, changes(s.Set), why)
		if err != nil {
			return "", err
		}
		return role.ID, nil
	case CreateChannel:
		c, err := r.bot.CreateChannel(ctx, guild, r.mapped(s.Set), why)
		if err != nil {
			return "", err
		}
		return c.ID, nil
	case EditRole:
		_, err = r.bot.EditRole(ctx, guild, id, changes(s.Set), why)
	case EditChannel:
		_, err = r.bot.EditChannel(ctx, id, r.mapped(s.Set), why)
	case EditGuild:
		_, err = r.bot.EditGuild(ctx, guild, r.mapped(s.Set), why)
	case EditMember:
		_, err = r.bot.EditMember(ctx, guild, id, changes(s.Set), why)
	case SetOverwrite:
		if r.unmade(s.ID) {
			return "", nil // its role could not be made, which is noted
		}
		err = r.bot.SetOverwrite(ctx, r.now(s.In), wireOverwrite(s.Set, id), why)
	case SortRoles:
		err = r.sortRoles(ctx, s.IDs)
	case SortChannels:
		err = r.sortChannels(ctx, s.IDs)
	case GiveRole, TakeRole:
		err = r.members(ctx, s)
	case Ban:
		err = r.bot.Ban(ctx, guild, id, 0, why)
	default:
		err = r.remove(ctx, s)
	}
	return "", err
}

// remove does the steps after which something is gone; that it is gone already is as good.
func (r *run) remove(ctx context.Context, s Step) (err error) {
	guild, why, id := r.guild.String(), r.reason(), r.now(s.ID)
	switch s.Do {
	case DeleteWebhook:
		err = r.bot.DeleteWebhook(ctx, id, why)
	case KickBot:
		err = r.bot.Kick(ctx, guild, id, why)
	case DeleteOverwrite:
		err = r.bot.DeleteOverwrite(ctx, r.now(s.In), id, why)
	case Unban:
		err = r.bot.Unban(ctx, guild, id, why)
	case DeleteChannel:
		err = r.bot.DeleteChannel(ctx, id, why)
	case DeleteRole:
		err = r.bot.DeleteRole(ctx, guild, id, why)
	}
	if discord.HasCode(err, discord.CodeUnknownWebhook, discord.CodeUnknownMember, discord.CodeUnknownOverwrite,
		discord.CodeUnknownBan, discord.CodeUnknownChannel, discord.CodeUnknownRole) {
		return nil
	}
	return err
}

// members gives a role to members or takes it. Who has left is passed over.
func (r *run) members(ctx context.Context, s Step) error {
	if r.unmade(s.ID) {
		return nil // the role could not be made, which is noted
	}
	change := r.bot.AddRole
	if s.Do == TakeRole {
		change = r.bot.RemoveRole
	}
	var first error
	for _, user := range s.IDs {
		err := change(ctx, r.guild.String(), user, r.now(s.ID), r.reason())
		switch {
		case err == nil, discord.HasCode(err, discord.CodeUnknownMember, discord.CodeUnknownUser):
		case !refused(err):
			return err
		case first == nil:
			first = err
		}
	}
	return first
}

// now gives the id that stands for one from before the incident.
func (r *run) now(id string) string {
	if made, ok := r.i.Undo.Made[id]; ok {
		return made
	}
	return id
}

// unmade says whether an id is of something that was to be made and could not be.
func (r *run) unmade(id string) bool {
	if _, made := r.i.Undo.Made[id]; made || id == "" {
		return false
	}
	for _, s := range r.steps[:min(r.i.Undo.Next, len(r.steps))] {
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
func (r *run) mapped(set object) discord.Changes {
	c := changes(set)
	for key, v := range set {
		if key == "parent_id" || strings.HasSuffix(key, "_channel_id") {
			id := set.text(key)
			if c[key] = v; r.unmade(id) {
				c[key] = nil
			} else if id != "" {
				c[key] = r.now(id)
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
		if id := o.text("id"); !r.unmade(id) {
			o["id"] = quote(r.now(id))
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
func (r *run) sortRoles(ctx context.Context, was []string) error {
	for range 3 {
		places, err := r.rolePlaces(ctx, was)
		if err != nil || len(places) == 0 {
			return err
		}
		if _, err = r.bot.MoveRoles(ctx, r.guild.String(), places, r.reason()); err != nil {
			return err
		}
	}
	return nil
}

// rolePlaces says which roles have to go where.
func (r *run) rolePlaces(ctx context.Context, was []string) ([]discord.Place, error) {
	l := loader{r.bot, r.guild.String()}
	all, err := l.list(ctx, "/guilds/"+l.guild+"/roles")
	if err != nil {
		return nil, err
	}
	me, err := r.bot.Member(ctx, l.guild, r.self().String())
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
	for _, id := range arrange(r.allNow(was), now[:top]) {
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

func (r *run) sortChannels(ctx context.Context, was []string) error {
	l := loader{r.bot, r.guild.String()}
	all, err := l.list(ctx, "/guilds/"+l.guild+"/channels")
	if err != nil {
		return err
	}
	var places []discord.Place
	for i, id := range arrange(r.allNow(was), order(all, compareIDs)) {
		if all[id].number("position") != i {
			places = append(places, discord.Place{ID: id, Position: i})
		}
	}
	if len(places) == 0 {
		return nil
	}
	return r.bot.MoveChannels(ctx, l.guild, places, r.reason())
}

func (r *run) allNow(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = r.now(id)
	}
	return out
}
