package restore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// fileError says why a file of the backup cannot be used.
type fileError struct{ why string }

func (e *fileError) Error() string { return e.why }

// maxPicture bounds a file that is sent as a text.
const maxPicture = 12 << 20

// file reads a file of the backup into memory.
func (x *run) file(key model.FileKey) ([]byte, error) {
	r, size, err := x.backup.File(key)
	if err != nil {
		return nil, &fileError{"its file is not in the backup: " + err.Error()}
	}
	defer r.Close()
	if size > maxPicture {
		return nil, &fileError{fmt.Sprintf("its file has %d bytes, more than Discord takes", size)}
	}
	data, err := io.ReadAll(io.LimitReader(r, maxPicture+1))
	if err != nil {
		return nil, &fileError{"its file cannot be read from the backup: " + err.Error()}
	}
	return data, nil
}

// withFiles puts the bytes of pictures where their keys stand. One that the backup has not got is left out and
// named among what the step lacks.
func (x *run) withFiles(c discord.Changes, lacks *[]string) discord.Changes {
	for _, key := range []string{"icon", "splash", "banner", "discovery_splash", "avatar", "image"} {
		name, ok := c[key].(string)
		if !ok || name == "" {
			continue
		}
		data, err := x.file(model.FileKey(name))
		if err != nil {
			delete(c, key)
			*lacks = append(*lacks, fmt.Sprintf("without its %s: %v", strings.ReplaceAll(key, "_", " "), err))
			continue
		}
		c[key] = discord.Picture(data)
	}
	return c
}

// settings changes the guild. The widget has a call of its own, and the list of features is sent as a whole.
func (x *run) settings(ctx context.Context, s plan.Step, c discord.Changes) (result, error) {
	widget := discord.Changes{}
	for ours, theirs := range map[string]string{"widget_enabled": "enabled", "widget_channel_id": "channel_id"} {
		if v, ok := c[ours]; ok {
			widget[theirs] = v
			delete(c, ours)
		}
	}
	if wish, ok := c["features"].([]any); ok {
		g, err := x.Bot.Guild(ctx, x.guild)
		if err != nil {
			return result{}, err
		}
		c["features"] = features(g.Features, wish)
	}
	if len(c) > 0 {
		if err := x.call(ctx, func(ctx context.Context) error {
			_, err := x.Bot.EditGuild(ctx, x.guild, c, x.reason(s))
			return err
		}); err != nil {
			return result{}, err
		}
	}
	if len(widget) == 0 {
		return result{}, nil
	}
	return result{}, x.call(ctx, func(ctx context.Context) error { return x.Bot.EditWidget(ctx, x.guild, widget, x.reason(s)) })
}

// features puts the wished ones of those that can be set among those that cannot.
func features(have []discordgo.GuildFeature, wish []any) []string {
	list := []string{}
	for _, f := range have {
		if f := string(f); f != "COMMUNITY" && f != "INVITES_DISABLED" && f != "RAID_ALERTS_DISABLED" {
			list = append(list, f)
		}
	}
	for _, f := range wish {
		list = append(list, fmt.Sprint(f))
	}
	return list
}

// onboarding replaces the questions. Where the guild has not got the channels that Discord wants for it, it stays off.
func (x *run) onboarding(ctx context.Context, s plan.Step, c discord.Changes) (result, error) {
	n := 0
	number := func(v any) {
		if m, ok := v.(map[string]any); ok {
			n++
			m["id"] = fmt.Sprint(n) // one that Discord does not know: it is a new one
		}
	}
	prompts, _ := c["prompts"].([]any)
	for _, p := range prompts {
		number(p)
		m, _ := p.(map[string]any)
		options, _ := m["options"].([]any)
		for _, o := range options {
			number(o)
		}
	}
	put := func(ctx context.Context) error { return x.Bot.SetOnboarding(ctx, x.guild, c, x.reason(s)) }
	err := x.call(ctx, put)
	if why, refused := refusal(err); refused && c["enabled"] == true {
		delete(c, "enabled")
		return result{Left: []string{"the onboarding is there but not turned on: " + why}}, x.call(ctx, put)
	}
	return result{}, err
}

// orderRoles sends the place of every role that moves, in one call: the listed ones go to the places that they have among
// them, in the wanted order, and the others stay. New roles can share a place, so that the bot's own number is lower than
// its rank; as no role may be sent to that number or above, one role is moved first, upon which Discord counts through again.
func (x *run) orderRoles(ctx context.Context, s plan.Step, v map[string]any) error {
	want := idsIn(v["order"])
	for counted := false; ; counted = true {
		now, mine, err := x.ladder(ctx)
		if err != nil {
			return err
		}
		places, most := placesOf(now, want)
		if len(places) == 0 {
			return nil
		}
		if i := slices.IndexFunc(now, func(r *discordgo.Role) bool { return r.Position > 1 && slices.Contains(want, r.ID) }); most >= mine && !counted && i >= 0 {
			places = []discord.Place{{ID: now[i].ID, Position: 1}}
		} else {
			counted = true
		}
		err = x.call(ctx, func(ctx context.Context) error {
			_, err := x.Bot.MoveRoles(ctx, x.guild, places, x.reason(s))
			return err
		})
		if err != nil || counted {
			return err
		}
	}
}

// placesOf gives the places of all listed roles when one of them has to move, and the highest of those.
func placesOf(now []*discordgo.Role, want []string) (places []discord.Place, most int) {
	there := map[string]bool{}
	for _, r := range now {
		there[r.ID] = true
	}
	want = slices.DeleteFunc(slices.Clone(want), func(id string) bool { return !there[id] })
	moves, next := false, 0
	for i, r := range now {
		if slices.Contains(want, r.ID) {
			moves = moves || want[next] != r.ID
			places = append(places, discord.Place{ID: want[next], Position: i})
			next, most = next+1, i
		}
	}
	if !moves {
		return nil, 0
	}
	return places, most
}

// ladder reads the roles from @everyone up, and the number of the bot's highest one.
func (x *run) ladder(ctx context.Context) (roles []*discordgo.Role, mine int, err error) {
	err = x.call(ctx, func(ctx context.Context) error {
		if roles, err = x.Bot.Roles(ctx, x.guild); err != nil {
			return err
		}
		self, err := x.Bot.Self(ctx)
		if err != nil {
			return err
		}
		me, err := x.Bot.Member(ctx, x.guild, self.ID)
		if err != nil {
			return err
		}
		for _, r := range roles {
			if slices.Contains(me.Roles, r.ID) {
				mine = max(mine, r.Position)
			}
		}
		return nil
	})
	slices.SortFunc(roles, func(a, b *discordgo.Role) int {
		if discord.RoleAbove(a, b) {
			return 1
		}
		return -1
	})
	return roles, mine, err
}

// orderChannels sends all places in one call. Only positions: no category changes here.
func (x *run) orderChannels(ctx context.Context, s plan.Step, v map[string]any) error {
	var now []*discordgo.Channel
	if err := x.call(ctx, func(ctx context.Context) (err error) {
		now, err = x.Bot.Channels(ctx, x.guild)
		return err
	}); err != nil {
		return err
	}
	var places []discord.Place
	for i, id := range idsIn(v["order"]) {
		if slices.ContainsFunc(now, func(c *discordgo.Channel) bool { return c.ID == id }) {
			places = append(places, discord.Place{ID: id, Position: i})
		}
	}
	if len(places) == 0 {
		return nil
	}
	return x.call(ctx, func(ctx context.Context) error { return x.Bot.MoveChannels(ctx, x.guild, places, x.reason(s)) })
}

// idsIn reads a list of ids out of a step's values.
func idsIn(v any) []string {
	list, _ := v.([]any)
	var ids []string
	for _, e := range list {
		if id, ok := e.(string); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// textIn reads a text, empty when there is none.
func textIn(v any) string {
	s, _ := v.(string)
	return s
}

// numberIn reads a whole number.
func numberIn(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}

func orText(s, fallback string) string { return cmp.Or(s, fallback) }
