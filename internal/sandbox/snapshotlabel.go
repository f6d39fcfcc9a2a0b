package sandbox

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// labels name the things of a guild in place of their ids. Of several with one name, all but the first have a number.
type labels struct {
	roles, channels, emojis map[ID]string
}

func newLabels(g *guild) *labels {
	l := &labels{map[ID]string{}, map[ID]string{}, map[ID]string{}}
	seen := map[string]int{}
	name := func(kind, s string) string {
		seen[kind+s]++
		if n := seen[kind+s]; n > 1 {
			return fmt.Sprintf("%s #%d", s, n)
		}
		return s
	}
	for _, r := range g.ranked() {
		l.roles[r.id] = name("role ", r.name)
	}
	for _, ch := range g.shownChannels() {
		full := ch.name
		if p := l.channels[ch.parent]; p != "" { // categories come before what is in them
			full = p + "/" + ch.name
		}
		l.channels[ch.id] = name("channel ", full)
	}
	for _, id := range sortedIDs(g.emojis) {
		l.emojis[id] = name("emoji ", g.emojis[id].name)
	}
	return l
}

// listOf names a list of ids, sorted; what is not there any more has a question mark.
func (l *labels) listOf(of map[ID]string, ids []ID) []string {
	var list []string
	for _, id := range ids {
		list = append(list, orUnknown(of[id]))
	}
	slices.Sort(list)
	return list
}

func orUnknown(s string) string {
	if s == "" {
		return "?"
	}
	return s
}

// emoji names an emoji of the guild or gives the character.
func (l *labels) emoji(id nullableID, name *string) string {
	switch {
	case id != 0:
		return ":" + orUnknown(l.emojis[ID(id)]) + ":"
	case name != nil:
		return *name
	}
	return ""
}

var reference = regexp.MustCompile(`<(#|@&|a?:\w+:)([0-9]{1,20})>`)

// text puts names into a text in place of the ids of channels, roles and emojis.
func (l *labels) text(s string) string {
	return reference.ReplaceAllStringFunc(s, func(found string) string {
		part := reference.FindStringSubmatch(found)
		id, err := ParseID(part[2])
		of := l.emojis
		switch part[1] {
		case "#":
			of = l.channels
		case "@&":
			of = l.roles
		}
		if err != nil || of[id] == "" {
			return found
		}
		return "<" + part[1] + of[id] + ">"
	})
}

// embeds puts names into the texts of embeds.
func (l *labels) embeds(list []wireEmbed) []wireEmbed {
	out := slices.Clone(list)
	for i := range out {
		e := &out[i]
		e.Title, e.Description = l.text(e.Title), l.text(e.Description)
		e.Fields = slices.Clone(e.Fields)
		for j := range e.Fields {
			e.Fields[j].Name, e.Fields[j].Value = l.text(e.Fields[j].Name), l.text(e.Fields[j].Value)
		}
	}
	return out
}

// snapshotCommunity adds what mostly communities have.
func snapshotCommunity(g *guild, s *Snapshot, names *labels) {
	for _, r := range g.automod {
		s.Automod = append(s.Automod, snapshotRule(r, names))
	}
	for _, e := range g.scheduledAhead() {
		s.Events = append(s.Events, rawJSON(map[string]any{
			"name": e.name, "description": e.description, "place": e.place, "channel": names.channels[e.channel], "location": e.location,
			"start": wireTime(e.start), "end": nullableTime{e.end}, "status": e.status, "image": e.image.digest(), "repeat": e.repeat,
		}))
	}
	for _, list := range [][]json.RawMessage{s.Automod, s.Events} {
		slices.SortFunc(list, slices.Compare)
	}
	s.Welcome = snapshotWelcome(g, names)
	s.Onboarding = snapshotOnboarding(g, names)
}

func snapshotRule(r *automodRule, names *labels) json.RawMessage {
	var actions []map[string]any
	for _, a := range r.actions {
		actions = append(actions, map[string]any{"type": a.kind, "channel": names.channels[a.channel], "seconds": a.seconds, "text": a.text})
	}
	return rawJSON(map[string]any{
		"name": r.name, "event": r.event, "trigger": r.trigger, "meta": r.wireMeta(), "actions": actions, "enabled": r.enabled,
		"exempt_roles": names.listOf(names.roles, r.exemptRoles), "exempt_channels": names.listOf(names.channels, r.exemptChannels),
	})
}

func snapshotWelcome(g *guild, names *labels) json.RawMessage {
	if g.welcome.description == nil && len(g.welcome.channels) == 0 {
		return nil
	}
	var channels []map[string]any
	for _, w := range g.welcome.channels {
		channels = append(channels, map[string]any{
			"channel": names.channels[w.ChannelID], "description": w.Description, "emoji": names.emoji(w.EmojiID, w.EmojiName),
		})
	}
	return rawJSON(map[string]any{"description": g.welcome.description, "channels": channels})
}

func snapshotOnboarding(g *guild, names *labels) json.RawMessage {
	o := &g.onboarding
	if !o.enabled && len(o.channels) == 0 && len(o.prompts) == 0 {
		return nil
	}
	var prompts []map[string]any
	for _, p := range o.prompts {
		var options []map[string]any
		for _, x := range p.Options {
			options = append(options, map[string]any{
				"title": x.Title, "description": x.Description, "emoji": names.emoji(x.Emoji.ID, x.Emoji.Name),
				"roles": names.listOf(names.roles, x.Roles), "channels": names.listOf(names.channels, x.Channels),
			})
		}
		prompts = append(prompts, map[string]any{
			"title": p.Title, "type": p.Type, "single": p.Single, "required": p.Required, "shown": p.Shown, "options": options,
		})
	}
	return rawJSON(map[string]any{
		"enabled": o.enabled, "mode": o.mode, "channels": names.listOf(names.channels, o.channels), "prompts": prompts,
	})
}
