package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// Changes is what a sync did, or would do, by the names of commands.
type Changes struct {
	Created, Edited, Deleted []string
	Unchanged                int
	Foreign                  []string // commands that others made and that we have none of; they stay as they are
	// Taken are commands of ours that do not work, since others made one of that name. After the bus was lost they are those
	// of the time before.
	Taken []string
}

// String is one line for people.
func (c Changes) String() string {
	part := func(what string, names []string) string {
		if len(names) == 0 {
			return ""
		}
		return fmt.Sprintf("%s %s; ", what, strings.Join(names, ", "))
	}
	text := part("create", c.Created) + part("edit", c.Edited) + part("delete", c.Deleted) + part("leave alone", c.Foreign) + fmt.Sprintf("unchanged: %d", c.Unchanged)
	if len(c.Taken) > 0 {
		text += "; not ours as far as the bus knows, so not answered: " + strings.Join(c.Taken, ", ") +
			" (of the time before the data directory was another? --adopt takes them over)"
	}
	return text
}

// title is a command as people know it: those of menus have no slash.
func title(c *discordgo.ApplicationCommand) string {
	if setName(c.Type, c.Name) != c.Name {
		return c.Name
	}
	return "/" + c.Name
}

// Syncer tells Discord of commands, by difference: what is as we want it is not touched,
// and what we did not create is neither changed nor removed: the token may be that of
// another program as well, which has commands of its own.
type Syncer struct {
	Bot *discord.Bot
	Bus *bus.Bus
	App bus.UserID
	Dry bool // only say what would be done
	// Skip leaves Discord alone when the commands are those of the last time.
	Skip bool
	// Add removes nothing, also not what we created: want is only a part.
	Add bool
	// Adopt takes over commands of others that have the names of ours.
	Adopt bool
}

// Sync makes the commands of a guild, or with 0 those of all guilds, what want says.
// Errors: Discord refused, or the bus cannot be used; what was done until then stands and
// the next sync goes on from it.
func (s Syncer) Sync(ctx context.Context, guild bus.GuildID, want []*discordgo.ApplicationCommand) (Changes, error) {
	var done Changes
	if len(want) > maxCommands {
		return done, fmt.Errorf("%d commands, and Discord takes %d; nothing was changed", len(want), maxCommands)
	}
	records, err := bus.OpenRecords(ctx, s.Bus, bus.CommandSets())
	if err != nil {
		return done, err
	}
	key := bus.CommandSetKey(s.App, guild)
	kept, err := records.Get(ctx, key)
	if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
		return done, err
	}
	set, hash := kept.Value, hashOf(want)
	if s.Skip && set.Hash == hash {
		done.Unchanged = len(want)
		return done, nil
	}
	if set.Names == nil {
		set.Names = map[string]string{}
	}
	place := ""
	if guild != 0 {
		place = guild.String()
	}
	err = s.apply(ctx, place, want, set.Names, &done)
	if s.Dry {
		return done, err
	}
	set.V, set.At = 1, time.Now().UTC()
	if err == nil {
		set.Hash = hash
	}
	if _, err2 := records.Put(ctx, key, set); err == nil {
		err = err2
	}
	return done, err
}

// apply makes the difference good. ours gains what is created and loses what is deleted. Where nothing of others stands,
// one call sets everything: one by one, Discord takes five in 20 seconds.
func (s Syncer) apply(ctx context.Context, guild string, want []*discordgo.ApplicationCommand, ours map[string]string, done *Changes) error {
	have, err := s.Bot.Commands(ctx, s.App.String(), guild)
	if err != nil {
		return err
	}
	wrong, drop := s.compare(have, want, ours, done)
	switch {
	case s.Dry:
		return nil
	case len(done.Foreign)+len(done.Taken) == 0 && !s.Add && len(wrong)+len(drop) > 1:
		return s.setAll(ctx, guild, want, ours)
	}
	for _, w := range wrong {
		// Not by an edit: that would leave what we no longer say, such as permissions.
		made, err := s.Bot.CreateCommand(ctx, s.App.String(), guild, w)
		if err != nil {
			return fmt.Errorf("/%s could not be registered; the commands before it were: %w", w.Name, err)
		}
		ours[setName(w.Type, w.Name)] = made.ID
	}
	for _, h := range drop {
		if err := s.Bot.DeleteCommand(ctx, s.App.String(), guild, h.ID); err != nil {
			return fmt.Errorf("/%s could not be removed: %w", h.Name, err)
		}
		delete(ours, setName(h.Type, h.Name))
	}
	return nil
}

// compare says what has to be made, over what is there or not, and what of ours has to go.
func (s Syncer) compare(have, want []*discordgo.ApplicationCommand, ours map[string]string, done *Changes) (wrong, drop []*discordgo.ApplicationCommand) {
	for _, w := range want {
		at := slices.IndexFunc(have, func(h *discordgo.ApplicationCommand) bool { return h.Name == w.Name && h.Type == w.Type })
		switch {
		case at < 0:
			done.Created, wrong = append(done.Created, title(w)), append(wrong, w)
		case ours[setName(w.Type, w.Name)] != have[at].ID && !s.Adopt: // it is told below
		case same(have[at], w):
			done.Unchanged++
			ours[setName(w.Type, w.Name)] = have[at].ID
		default:
			done.Edited, wrong = append(done.Edited, title(w)), append(wrong, w)
		}
	}
	for _, h := range have {
		wanted := slices.ContainsFunc(want, func(w *discordgo.ApplicationCommand) bool { return h.Name == w.Name && h.Type == w.Type })
		switch {
		case ours[setName(h.Type, h.Name)] == h.ID && (wanted || s.Add), wanted && s.Adopt:
		case ours[setName(h.Type, h.Name)] != h.ID:
			if wanted {
				done.Taken = append(done.Taken, title(h))
			} else {
				done.Foreign = append(done.Foreign, title(h))
			}
		default:
			done.Deleted, drop = append(done.Deleted, title(h)), append(drop, h)
		}
	}
	return wrong, drop
}

// setAll puts our commands in the place of all that there are.
func (s Syncer) setAll(ctx context.Context, guild string, want []*discordgo.ApplicationCommand, ours map[string]string) error {
	made, err := s.Bot.SetCommands(ctx, s.App.String(), guild, want)
	if err != nil {
		return fmt.Errorf("the commands could not be registered; those that were there are there still: %w", err)
	}
	clear(ours)
	for _, c := range made {
		ours[setName(c.Type, c.Name)] = c.ID
	}
	return nil
}

func hashOf(want []*discordgo.ApplicationCommand) string {
	data, _ := json.Marshal(want)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// same says whether Discord has a command as we want it. It fills in what nobody gave, so
// both are brought into one form first.
func same(have, want *discordgo.ApplicationCommand) bool {
	return reflect.DeepEqual(plain(have), plain(want))
}

// plain is what we say about a command, as plain values without what is empty.
func plain(c *discordgo.ApplicationCommand) any {
	data, err := json.Marshal(map[string]any{
		"description": c.Description, "locals": c.DescriptionLocalizations, "permissions": c.DefaultMemberPermissions,
		"contexts": c.Contexts, "options": c.Options, "names": c.NameLocalizations,
	})
	var v any
	if err != nil || json.Unmarshal(data, &v) != nil {
		return nil
	}
	return prune(v)
}

// prune drops nulls, false and what is empty.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, one := range v {
			if p := prune(one); p != nil {
				out[k] = p
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case []any:
		var out []any
		for _, one := range v {
			out = append(out, prune(one))
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case bool:
		if !v {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	}
	return v
}
