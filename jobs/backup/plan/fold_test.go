package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"splashtail/jobs/backup/model"
)

// fold is a guild in memory to which the steps of a plan are applied, by Discord's rules: what is named has to be there,
// limits hold at every moment, and what is deleted is gone from what named it.
type fold struct {
	s      model.Snapshot
	last   int
	made   map[model.ID]model.ID // "+id" → id
	limits Limits
	faults []string
	before map[model.ID]int // channels in each category
}

func newFold(s model.Snapshot) *fold {
	return &fold{s: clone(s), last: 100_000, made: map[model.ID]model.ID{}, limits: LimitsOf(3, s.Guild.Has)}
}

func (f *fold) fault(format string, args ...any) {
	f.faults = append(f.faults, fmt.Sprintf(format, args...))
}

func (f *fold) newID() model.ID {
	f.last++
	return model.ID(strconv.Itoa(f.last))
}

func (f *fold) apply(p Plan) {
	f.before = f.filled()
	for _, s := range p.Steps {
		if s.Acts() {
			f.step(s)
			f.bounds(s)
		}
	}
	for id, n := range f.filled() {
		if n > max(f.limits.PerCategory, f.before[id]) {
			f.fault("category %s has %d channels", id, n)
		}
	}
}

func (f *fold) filled() map[model.ID]int {
	in := map[model.ID]int{}
	for _, c := range f.s.Channels {
		if c.Parent != nil {
			in[*c.Parent]++
		}
	}
	return in
}

func (f *fold) bounds(s Step) {
	for _, c := range f.s.Channels {
		if needsCommunity(c.Type) && !f.s.Guild.Community() && s.Kind == Channel && s.Op != Delete && f.id(s.ID) == c.ID {
			f.fault("%q made a channel of type %d without a community", s.Line, c.Type)
		}
	}
	if len(f.s.Roles) > f.limits.Roles || len(f.s.Channels) > f.limits.Channels {
		f.fault("after %q there are %d roles and %d channels", s.Line, len(f.s.Roles), len(f.s.Channels))
	}
}

func (f *fold) id(ref model.ID) model.ID {
	if _, ok := Made(ref); ok {
		return f.made[ref]
	}
	return ref
}

// after is a field's new value with the ids that things have been made with.
func (f *fold) after(s Step, field Field) json.RawMessage {
	values, err := s.Values(func(ref model.ID) (model.ID, bool) {
		id, ok := f.made[ref]
		if !ok {
			f.fault("%q names %s before it is made", s.Line, ref)
		}
		return id, ok
	})
	if err != nil {
		f.fault("%q: %v", s.Line, err)
	}
	return canonical(values[field.Name])
}

func (f *fold) step(s Step) {
	switch {
	case s.Kind == RoleOrder:
		f.orderRoles(s)
	case s.Kind == ChannelOrder:
		f.orderChannels(s)
	case s.Kind == Settings:
		overlay(f, s, &f.s.Guild)
		f.s.Guild.Features = f.features(s)
	case s.Kind == Welcome:
		f.s.Welcome = orNew(f.s.Welcome)
		overlay(f, s, f.s.Welcome)
	case s.Kind == Onboarding:
		f.s.Onboarding = orNew(f.s.Onboarding)
		overlay(f, s, f.s.Onboarding)
	case s.Kind == Ban:
		var ids []model.ID
		s.Get("user_ids", &ids)
		for _, id := range ids {
			f.s.Bans = append(f.s.Bans, model.Ban{User: id})
		}
	case s.Kind == Role && s.Op == Delete:
		f.deleteRole(s.ID)
	case s.Kind == Channel && s.Op == Delete:
		if f.s.Guild.Community() && (isRef(f.s.Guild.RulesChannel, s.ID) || isRef(f.s.Guild.UpdatesChannel, s.ID)) {
			f.fault("%q deletes what the community needs", s.Line)
		}
		f.deleteChannel(s.ID)
	case s.Kind == Role && s.Op == Create:
		r := model.Role{}
		overlay(f, s, &r)
		r.ID = f.created(s)
		f.insertRole(r)
	default:
		f.listed(s)
	}
}

func orNew[T any](v *T) *T {
	if v == nil {
		return new(T)
	}
	return v
}

func (f *fold) features(s Step) []string {
	var wish []string
	if !s.Get("features", &wish) {
		return f.s.Guild.Features
	}
	fixed := slices.DeleteFunc(slices.Clone(f.s.Guild.Features), func(x string) bool { return slices.Contains(switches(), x) })
	return append(fixed, wish...)
}

func (f *fold) created(s Step) model.ID {
	id := f.newID()
	f.made[made(s.ID)] = id
	return id
}

// listed applies a step to the list of its kind.
func (f *fold) listed(s Step) {
	switch s.Kind {
	case Role:
		change(f, s, &f.s.Roles, func(v *model.Role) *model.ID { return &v.ID })
	case Channel:
		change(f, s, &f.s.Channels, func(v *model.Channel) *model.ID { return &v.ID })
		for i := range f.s.Channels {
			for k := range f.s.Channels[i].Tags {
				if t := &f.s.Channels[i].Tags[k]; t.ID == "" {
					t.ID = f.newID()
				}
			}
		}
	case Emoji:
		change(f, s, &f.s.Emojis, func(v *model.Emoji) *model.ID { return &v.ID })
	case Sticker:
		change(f, s, &f.s.Stickers, func(v *model.Sticker) *model.ID { return &v.ID })
	case Sound:
		change(f, s, &f.s.Sounds, func(v *model.Sound) *model.ID { return &v.ID })
	case AutoMod:
		change(f, s, &f.s.AutoMod, func(v *model.AutoModRule) *model.ID { return &v.ID })
		n := 0
		for _, r := range f.s.AutoMod {
			if r.TriggerType == 1 {
				n++
			}
		}
		if n > rulesOf(1) {
			f.fault("%q makes %d rules", s.Line, n)
		}
	case Event:
		change(f, s, &f.s.Events, func(v *model.Event) *model.ID { return &v.ID })
	case Webhook:
		change(f, s, &f.s.Webhooks, func(v *model.Webhook) *model.ID { return &v.ID })
	case Member:
		change(f, s, &f.s.Members, func(v *model.Member) *model.ID { return &v.User })
	default:
		f.fault("no fold for %q", s.Line)
	}
}

func change[T any](f *fold, s Step, list *[]T, id func(*T) *model.ID) {
	i := slices.IndexFunc(*list, func(v T) bool { return *id(&v) == f.id(s.ID) })
	switch {
	case s.Op == Create:
		var v T
		overlay(f, s, &v)
		*id(&v) = f.created(s)
		if c, ok := any(&v).(*model.Webhook); ok {
			c.Type = 1
		}
		if c, ok := any(&v).(*model.Channel); ok {
			for _, o := range f.s.Channels {
				c.Position = max(c.Position, o.Position+1)
			}
		}
		if c, ok := any(&v).(*model.Emoji); ok {
			c.Animated = strings.HasSuffix(string(c.File), " moving")
		}
		if c, ok := any(&v).(*model.Event); ok {
			c.Status = 1
		}
		*list = append(*list, v)
	case i < 0:
		f.fault("%q: there is none", s.Line)
	case s.Op == Delete:
		*list = slices.Delete(*list, i, i+1)
	default:
		overlay(f, s, &(*list)[i])
	}
}

// overlay sets the fields of a step on a thing; the model has Discord's names.
func overlay(f *fold, s Step, v any) {
	data, _ := json.Marshal(v)
	keys := map[string]json.RawMessage{}
	_ = json.Unmarshal(data, &keys)
	for _, field := range s.Fields {
		keys[field.Name] = f.after(s, field)
	}
	if raw, ok := keys["entity_metadata"]; ok {
		var meta struct{ Location json.RawMessage }
		_ = json.Unmarshal(raw, &meta)
		keys["location"] = meta.Location
		delete(keys, "entity_metadata")
	}
	data, _ = json.Marshal(keys)
	// Into what is there: what is null becomes nothing.
	switch at := v.(type) {
	case *model.Channel:
		*at = model.Channel{}
	case *model.Guild:
		*at = model.Guild{}
	case *model.Onboarding:
		*at = model.Onboarding{}
	case *model.WelcomeScreen:
		*at = model.WelcomeScreen{}
	}
	if err := json.Unmarshal(data, v); err != nil {
		f.fault("%q: %v", s.Line, err)
	}
}

func (f *fold) insertRole(r model.Role) {
	f.s.Roles = slices.Insert(ranked(f.s.Roles), 1, r)
	f.number()
}

func (f *fold) number() {
	for i := range f.s.Roles {
		f.s.Roles[i].Position = i
	}
}

func (f *fold) orderRoles(s Step) {
	var want []model.ID
	_ = json.Unmarshal(f.after(s, s.Fields[0]), &want)
	all := ranked(f.s.Roles)
	byID := map[model.ID]model.Role{}
	for _, r := range all {
		byID[r.ID] = r
	}
	at := 0
	for i := range all {
		if slices.Contains(want, all[i].ID) {
			all[i] = byID[want[at]]
			at++
		}
	}
	if at != len(want) {
		f.fault("%q names %d roles, %d are there", s.Line, len(want), at)
	}
	f.s.Roles = all
	f.number()
}

func (f *fold) orderChannels(s Step) {
	var want []model.ID
	_ = json.Unmarshal(f.after(s, s.Fields[0]), &want)
	for i := range f.s.Channels {
		if at := slices.Index(want, f.s.Channels[i].ID); at >= 0 {
			f.s.Channels[i].Position = at
		}
	}
}

func without(ids []model.ID, id model.ID) []model.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(x model.ID) bool { return x == id })
}

func (f *fold) deleteRole(id model.ID) {
	n := len(f.s.Roles)
	f.s.Roles = slices.DeleteFunc(ranked(f.s.Roles), func(r model.Role) bool { return r.ID == id })
	if len(f.s.Roles) == n {
		f.fault("there is no role %s to delete", id)
	}
	f.number()
	for i := range f.s.Channels {
		c := &f.s.Channels[i]
		c.Overwrites = slices.DeleteFunc(slices.Clone(c.Overwrites), func(o model.Overwrite) bool { return o.ID == id })
	}
	for i := range f.s.Members {
		f.s.Members[i].Roles = without(f.s.Members[i].Roles, id)
	}
	for i := range f.s.Emojis {
		f.s.Emojis[i].Roles = without(f.s.Emojis[i].Roles, id)
	}
	for i := range f.s.AutoMod {
		f.s.AutoMod[i].ExemptRoles = without(f.s.AutoMod[i].ExemptRoles, id)
	}
	f.forget(func(a *model.PromptOption) { a.Roles = without(a.Roles, id) })
}

func (f *fold) forget(from func(*model.PromptOption)) {
	if f.s.Onboarding == nil {
		return
	}
	for i := range f.s.Onboarding.Prompts {
		for k := range f.s.Onboarding.Prompts[i].Options {
			from(&f.s.Onboarding.Prompts[i].Options[k])
		}
	}
}

func (f *fold) deleteChannel(id model.ID) {
	n := len(f.s.Channels)
	f.s.Channels = slices.DeleteFunc(slices.Clone(f.s.Channels), func(c model.Channel) bool { return c.ID == id })
	if len(f.s.Channels) == n {
		f.fault("there is no channel %s to delete", id)
	}
	for i := range f.s.Channels {
		if isRef(f.s.Channels[i].Parent, id) {
			f.s.Channels[i].Parent = nil
		}
	}
	g := &f.s.Guild
	for _, at := range []**model.ID{&g.AFKChannel, &g.SystemChannel, &g.RulesChannel, &g.UpdatesChannel, &g.SafetyAlertsChannel, &g.WidgetChannel} {
		if isRef(*at, id) {
			*at = nil
		}
	}
	f.s.Webhooks = slices.DeleteFunc(slices.Clone(f.s.Webhooks), func(w model.Webhook) bool { return w.Channel == id })
	for i := range f.s.AutoMod {
		f.s.AutoMod[i].ExemptChannels = without(f.s.AutoMod[i].ExemptChannels, id)
	}
	f.forget(func(a *model.PromptOption) { a.Channels = without(a.Channels, id) })
}

// uncommunity takes a community away, with all that hangs on it.
func (f *fold) uncommunity() {
	f.s.Guild.Features = slices.DeleteFunc(f.s.Guild.Features, func(x string) bool { return x == "COMMUNITY" })
	f.s.Guild.RulesChannel, f.s.Guild.UpdatesChannel = nil, nil
	for _, c := range slices.Clone(f.s.Channels) {
		if needsCommunity(c.Type) {
			f.deleteChannel(c.ID)
		}
	}
	f.s.Welcome, f.s.Onboarding = nil, nil
}
