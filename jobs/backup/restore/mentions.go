package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// What people wrote names channels, roles and emojis by ids, which are others once those are made anew.

// names finds mentions of channels and roles, and emojis.
var names = regexp.MustCompile(`<(#|@&|a?:\w{2,32}:)([0-9]{1,20})>`)

// target is what stands here for what a mention names, empty when nothing does, and where its id begins.
func (x *run) target(mention string) (ref model.ID, at int) {
	at = strings.LastIndexAny(mention, "#&:") + 1
	old := model.ID(strings.TrimSuffix(mention[at:], ">"))
	refs := x.plan.Refs.Emojis
	switch {
	case strings.HasPrefix(mention, "<#"):
		refs = x.plan.Refs.Channels
	case strings.HasPrefix(mention, "<@&"):
		refs = x.plan.Refs.Roles
	}
	return refs[old], at
}

// awaitNames waits until everything that some messages name is there or cannot be made: what is compared after a crash must
// read as it was sent. Threads of other channels do not count, and keep their old ids; they may wait for this one.
func (x *run) awaitNames(ctx context.Context, chunk []post) error {
	for _, p := range chunk {
		all := names.FindAllString(p.content, -1)
		inTexts(decoded(p.embeds), func(text string) string {
			all = append(all, names.FindAllString(text, -1)...)
			return text
		})
		for _, mention := range all {
			ref, _ := x.target(mention)
			if i, ok := x.makers[ref]; ok && x.plan.Steps[i].Kind != plan.Thread {
				if err := x.await(ctx, i); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// renameIn gives the mentions in embeds the ids that their targets have here.
func (x *run) renameIn(w *writing, embeds json.RawMessage) json.RawMessage {
	if len(embeds) == 0 {
		return embeds
	}
	out, err := json.Marshal(inTexts(decoded(embeds), func(text string) string {
		return names.ReplaceAllStringFunc(text, func(m string) string { return x.rename(w, m) })
	}))
	if err != nil {
		return embeds
	}
	return out
}

// decoded reads JSON of the backup, which was checked before.
func decoded(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// inTexts puts f of every text of a JSON value, but for keys, in its place.
func inTexts(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		for i := range v {
			v[i] = inTexts(v[i], f)
		}
	case map[string]any:
		for key := range v {
			v[key] = inTexts(v[key], f)
		}
	}
	return v
}

// rename gives one mention the id that its target has here.
func (x *run) rename(w *writing, mention string) string {
	ref, at := x.target(mention)
	if i, ok := x.makers[ref]; ok && x.plan.Steps[i].Kind == plan.Thread {
		if channel, _ := x.placeOf(x.plan.Steps[i].ID); channel != w.channel {
			return mention
		}
	}
	if id, made := x.made(ref); made {
		ref = id
	}
	if _, unmade := plan.Made(ref); ref == "" || unmade {
		return mention
	}
	return mention[:at] + string(ref) + ">"
}
