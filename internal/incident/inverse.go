package incident

import (
	"encoding/json"
	"maps"
	"slices"

	"splashtail/bus"
	"splashtail/internal/audit"
)

// State is what a guild is now, as far as a plan needs it.
type State struct {
	guild                   object
	roles, channels         map[string]object
	roleOrder, channelOrder []string          // from the lowest
	members                 map[string]member // of those that deeds name; who is missing is no member
	bans, webhooks          map[string]bool
	remade                  map[string]bool // what an undo made again, by its id before
}

type member struct {
	roles []string
	keys  object
}

// wish is what a guild shall be. It begins as what it is.
type wish struct {
	State
	overwrites map[string]map[string]overwrite // channel -> role or member
	given      map[string][]string             // role that is made again -> who had it
	others     map[string]uint64               // the last deed of others on a ban or a member's role
	cannot     []Loss
}

func newWish(now State, actor bus.UserID, deeds []bus.Deed) *wish {
	w := &wish{State: State{
		guild: maps.Clone(now.guild), roles: cloneAll(now.roles), channels: cloneAll(now.channels),
		roleOrder: slices.Clone(now.roleOrder), channelOrder: slices.Clone(now.channelOrder),
		members: map[string]member{}, bans: maps.Clone(now.bans), webhooks: maps.Clone(now.webhooks), remade: now.remade,
	}, overwrites: map[string]map[string]overwrite{}, given: map[string][]string{}, others: map[string]uint64{}}
	for id, m := range now.members {
		w.members[id] = member{slices.Clone(m.roles), maps.Clone(m.keys)}
	}
	for id, c := range now.channels {
		w.overwrites[id] = overwritesOf(c)
	}
	for _, d := range deeds {
		for _, key := range touched(d) {
			if d.Actor != actor {
				w.others[key] = max(w.others[key], d.ID)
			}
		}
	}
	return w
}

func cloneAll(all map[string]object) map[string]object {
	out := make(map[string]object, len(all))
	for id, o := range all {
		out[id] = maps.Clone(o)
	}
	return out
}

// touched names what a deed decided that is only yes or no.
func touched(d bus.Deed) []string {
	switch d.Type {
	case typeBan, typeUnban:
		return []string{banKey(d.Target)}
	case typeMemberRoles:
		var keys []string
		e := audit.Entry{Changes: changesOf(d)}
		for _, role := range append(e.Roles("$add"), e.Roles("$remove")...) {
			keys = append(keys, memberRoleKey(d.Target, role))
		}
		return keys
	}
	return nil
}

func banKey(user string) string              { return "ban " + user }
func memberRoleKey(user, role string) string { return "role " + user + " " + role }

func changesOf(d bus.Deed) []audit.Change {
	var list []audit.Change
	_ = json.Unmarshal(d.Changes, &list) // what cannot be read changes nothing
	return list
}

// takeBack undoes one deed, newest first.
func (w *wish) takeBack(d bus.Deed) {
	switch d.Type {
	case typeGuildUpdate:
		w.guildBack(d)
	case typeChannelCreate:
		delete(w.channels, d.Target)
		w.channelOrder = without(w.channelOrder, d.Target)
	case typeChannelUpdate:
		w.channelOrder = w.keysBack(d, w.channels, channelKeys, w.channelOrder)
	case typeChannelDelete:
		w.channelBack(d)
	case typeOverwriteCreate, typeOverwriteUpdate, typeOverwriteDelete:
		w.overwriteBack(d)
	case typeBan, typeUnban:
		if d.ID > w.others[banKey(d.Target)] {
			w.bans[d.Target] = d.Type == typeUnban
		}
		if d.Type == typeBan {
			w.lose(LostBanned)
		}
	case typeMemberUpdate:
		w.memberBack(d)
	case typeMemberRoles:
		w.memberRolesBack(d)
	case typeBotAdd:
		delete(w.members, d.Target)
	case typeRoleCreate:
		delete(w.roles, d.Target)
		w.roleOrder = without(w.roleOrder, d.Target)
	case typeRoleUpdate:
		w.roleOrder = w.keysBack(d, w.roles, roleKeys, w.roleOrder)
	case typeRoleDelete:
		w.roleBack(d)
	case typeWebhookCreate:
		delete(w.webhooks, d.Target)
	default:
		w.lost(d.Type)
	}
}

// lost notes deeds that nothing takes back.
func (w *wish) lost(kind int) {
	switch kind {
	case typeKick:
		w.lose(LostKicked)
	case typePrune:
		w.lose(LostPruned)
	case typeWebhookDelete:
		w.lose(LostWebhook)
	case typeWebhookUpdate:
		w.lose(LostWebhookEdit)
	case typeEmojiDelete:
		w.lose(LostEmoji)
	case typeMessageDelete, typeMessageBulkDelete:
		w.lose(LostMessages)
	case typeMove, typeDisconnect:
	default:
		w.lose(LostOther)
	}
}

func (w *wish) lose(kind Kind) {
	for i := range w.cannot {
		if w.cannot[i].Kind == kind {
			w.cannot[i].Count++
			return
		}
	}
	w.cannot = append(w.cannot, Loss{kind, 1})
}

// keysBack sets the keys of an object back and gives the order with its place.
func (w *wish) keysBack(d bus.Deed, all map[string]object, keys map[string]string, order []string) []string {
	o := all[d.Target]
	if o == nil {
		return order // somebody else has deleted it since
	}
	for _, c := range changesOf(d) {
		if c.Key == "position" {
			if same(o["position"], c.New) {
				order = moveTo(order, all, d.Target, o.number("position"), object{"p": c.Old}.number("p"))
				o["position"] = c.Old
			}
			continue
		}
		if none, known := keys[c.Key]; known && same(o[c.Key], c.New) {
			o[c.Key] = orNone(c.Old, none)
		}
	}
	return order
}

func orNone(v json.RawMessage, none string) json.RawMessage {
	if len(v) == 0 || string(v) == "null" {
		return json.RawMessage(none)
	}
	return v
}

func (w *wish) guildBack(d bus.Deed) {
	for _, c := range changesOf(d) {
		switch none, known := guildKeys[c.Key]; {
		case known && same(w.guild[c.Key], c.New):
			w.guild[c.Key] = orNone(c.Old, none)
		case c.Key == "icon_hash", c.Key == "splash_hash", c.Key == "banner_hash":
			w.lose(LostImage)
		case !known:
			w.lose(LostSetting)
		}
	}
}

func (w *wish) roleBack(d bus.Deed) {
	o := parseObject(d.Before)
	switch {
	case w.roles[d.Target] != nil || w.remade[d.Target]:
		return
	case o == nil:
		w.lose(LostUnknownRole)
		return
	case string(o["managed"]) == "true":
		w.lose(LostManagedRole)
		return
	}
	w.roles[d.Target], w.given[d.Target] = o, d.Members
	w.roleOrder = insertAs(w.roleOrder, d.Order, d.Target)
	for channel, raw := range d.Overwrites {
		if w.channels[channel] != nil {
			w.overwrites[channel][d.Target] = parseOverwrite(raw)
		}
	}
}

func (w *wish) channelBack(d bus.Deed) {
	o := parseObject(d.Before)
	switch {
	case w.channels[d.Target] != nil || w.remade[d.Target]:
		return
	case o == nil:
		w.lose(LostUnknownChannel)
		return
	}
	w.channels[d.Target], w.overwrites[d.Target] = o, overwritesOf(o)
	w.channelOrder = insertAs(w.channelOrder, d.Order, d.Target)
	for _, child := range d.Children {
		if c := w.channels[child]; c != nil && empty(c["parent_id"]) {
			c["parent_id"] = quote(d.Target)
		}
	}
	for _, key := range d.Settings {
		if guildKeys[key] != "" && empty(w.guild[key]) {
			w.guild[key] = quote(d.Target)
		}
	}
	if o.number("type") != typeCategory {
		w.lose(LostHistory)
	}
}
