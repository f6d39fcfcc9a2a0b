package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"splashtail/jobs/backup/model"
)

const seeds = 200

func rightsOf(s model.Snapshot) Rights {
	r, err := RightsOf(s, botUser, []model.ID{"600"})
	if err != nil {
		panic(err)
	}
	return r
}

func inputOf(saved, live model.Snapshot, mode Mode) Input {
	return Input{Saved: saved, Live: live, Rights: rightsOf(live), Options: Options{Mode: mode}, Complete: true,
		Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func mustMake(t *testing.T, in Input) Plan {
	t.Helper()
	p, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func lines(p Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "\n  %s %s %s", s.Op, s.Line, s.ID)
		for _, f := range s.Fields {
			fmt.Fprintf(&b, "\n      %s: %s → %s", f.Name, f.Before, f.After)
		}
	}
	return b.String()
}

// contents is a guild as a list of texts without ids of its own, so that two guilds are equal when people could not tell
// them apart. names gives what the ids of roles, channels and emojis stand for.
func contents(s model.Snapshot, names map[model.ID]model.ID) []string {
	var list []string
	put := func(k Kind, f fields) {
		text := regexp.MustCompile(`"[0-9]+"`).ReplaceAllStringFunc(string(canonical(f)), func(q string) string {
			if to, ok := names[model.ID(strings.Trim(q, `"`))]; ok {
				return `"` + string(to) + `"`
			}
			return q
		})
		list = append(list, string(k)+" "+text)
	}
	for _, b := range s.Roles {
		put(Role, roleFields(b, b.ID == s.About.GuildID))
	}
	for _, c := range s.Channels {
		for i := range c.Tags {
			c.Tags[i].ID = ""
		}
		slices.SortFunc(c.Overwrites, func(a, b model.Overwrite) int { return strings.Compare(string(names[a.ID]), string(names[b.ID])) })
		f := channelFields(c)
		f["permission_overwrites"] = append([]model.Overwrite{}, c.Overwrites...)
		put(Channel, f)
	}
	for _, e := range s.Emojis {
		f := emojiFields(e)
		f["file"] = e.File
		put(Emoji, f)
	}
	for _, e := range s.Stickers {
		put(Sticker, stickerFields(e))
	}
	for _, e := range s.Sounds {
		put(Sound, soundFields(e))
	}
	for _, r := range s.AutoMod {
		put(AutoMod, autoModFields(r))
	}
	for _, e := range s.Events {
		put(Event, eventFields(e))
	}
	for _, w := range s.Webhooks {
		put(Webhook, webhookFields(w))
	}
	put(Settings, settingsFields(s.Guild))
	put(Welcome, welcomeFields(s.Welcome))
	put(Onboarding, onboardingFields(s.Onboarding))
	for _, b := range s.Bans {
		list = append(list, "ban "+string(b.User))
	}
	slices.Sort(list)
	groups := map[group][]string{}
	for _, c := range sorted(s.Channels) {
		var parent *model.ID
		if c.Parent != nil {
			p := names[*c.Parent]
			parent = &p
		}
		g := groupOf(c.Type, parent)
		groups[g] = append(groups[g], string(names[c.ID]))
	}
	for g, ids := range groups {
		list = append(list, fmt.Sprint("order ", g, ids))
	}
	var ladder []string
	for _, r := range ranked(s.Roles) {
		ladder = append(ladder, string(names[r.ID]))
	}
	list = append(list, fmt.Sprint("ladder ", ladder))
	slices.Sort(list)
	return list
}

// namesAfter says of every id of the guild what it stands for in the backup.
func namesAfter(p Plan, f *fold) map[model.ID]model.ID {
	names := map[model.ID]model.ID{}
	for _, refs := range []map[model.ID]model.ID{p.Refs.Roles, p.Refs.Channels, p.Refs.Emojis} {
		for saved, ref := range refs {
			names[f.id(ref)] = saved
		}
	}
	return names
}

func identity(s model.Snapshot) map[model.ID]model.ID {
	names := map[model.ID]model.ID{}
	for _, r := range s.Roles {
		names[r.ID] = r.ID
	}
	for _, c := range s.Channels {
		names[c.ID] = c.ID
	}
	return names
}

// TestExactMakesTheGuildAsSaved: whatever became of a guild, in exact mode a bot on top brings it back as it was saved, no
// step names what is not there yet, and no limit is passed on the way (R2, R8, R9, R12, R20).
func TestExactMakesTheGuildAsSaved(t *testing.T) {
	for seed := range uint64(seeds) {
		g := newMaker(seed)
		saved := g.guild(true)
		live := g.wreck(saved)
		top(&live)
		p := mustMake(t, inputOf(saved, live, Exact))
		f := newFold(live)
		f.apply(p)
		want, have := contents(clone(saved), identity(saved)), contents(clone(f.s), namesAfter(p, f))
		if len(f.faults) > 0 || !slices.Equal(want, have) {
			t.Fatalf("seed %d: faults %v\nplan %s\n%s", seed, f.faults, lines(p), difference(want, have))
		}
		for _, m := range saved.Members {
			checkMember(t, seed, m, f, p)
		}
	}
}

// top puts the bot's role above all others, which a raid cannot change.
func top(s *model.Snapshot) {
	for i := range s.Roles {
		if s.Roles[i].ID == "600" {
			s.Roles[i].Position = 1000
		}
	}
}

func checkMember(t *testing.T, seed uint64, m model.Member, f *fold, p Plan) {
	t.Helper()
	var want []model.ID
	for _, r := range m.Roles {
		want = append(want, f.id(p.Refs.Roles[r]))
	}
	i := slices.IndexFunc(f.s.Members, func(x model.Member) bool { return x.User == m.User })
	slices.Sort(want)
	have := slices.Sorted(slices.Values(f.s.Members[i].Roles))
	if !slices.Equal(want, have) {
		t.Fatalf("seed %d: member %s has %v, want %v", seed, m.User, have, want)
	}
}

func difference(want, have []string) string {
	var b strings.Builder
	for _, w := range want {
		if !slices.Contains(have, w) {
			b.WriteString("\n- " + w)
		}
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			b.WriteString("\n+ " + h)
		}
	}
	return b.String()
}

// TestUntouchedGuildNeedsNothing: a guild that is as it was saved gets an empty plan, without complaints (R10, acceptance 42).
func TestUntouchedGuildNeedsNothing(t *testing.T) {
	for seed := range uint64(seeds) {
		g := newMaker(seed)
		saved := g.guild(seed%2 == 0)
		for _, mode := range []Mode{Exact, Merge} {
			if p := mustMake(t, inputOf(saved, clone(saved), mode)); len(p.Steps) > 0 {
				t.Fatalf("seed %d, %s: %s", seed, mode, lines(p))
			}
		}
	}
}

// weaken gives the bot fewer rights: some permissions, and a role that stands anywhere.
func weaken(g *guildMaker, s *model.Snapshot) {
	for i := range s.Roles {
		if s.Roles[i].ID == "600" {
			s.Roles[i].Position = g.IntN(len(s.Roles)) + 1
			s.Roles[i].Permissions = pickOf(g, "8", "0", formatBits(g.Uint64()&allPermissions&^administrator), formatBits(manageRoles|manageChannels|viewChannel))
		}
	}
	s.Roles = ranked(s.Roles)
	for i := range s.Roles {
		s.Roles[i].Position = i
	}
}

// TestPlanOfTheResultIsEmpty: doing what a plan says leaves nothing to do, whatever the bot may, whatever the mode, the
// boost level and the limits (idempotence), and merging deletes nothing.
func TestPlanOfTheResultIsEmpty(t *testing.T) {
	acted := 0
	for seed := range uint64(3 * seeds) {
		g := newMaker(seed)
		g.unique = true
		saved := g.guild(true)
		live := g.wreck(saved)
		weaken(g, &live)
		in := inputOf(saved, live, pickOf(g, Exact, Merge))
		if seed%3 == 0 {
			in.Limits = &Limits{Roles: 6, Channels: 7, PerCategory: 3, Emojis: 1, Stickers: 1, Sounds: 1, Bitrate: 64_000, Webhooks: 1, Events: 1, Tags: 1}
		}
		p := mustMake(t, in)
		f := newFold(live)
		if in.Limits != nil {
			f.limits = *in.Limits
			f.limits.Roles, f.limits.Channels = max(6, len(live.Roles)), max(7, len(live.Channels))
		}
		f.apply(p)
		in.Live, in.Rights = f.s, rightsOf(f.s)
		again := mustMake(t, in)
		if len(f.faults) > 0 || !again.Empty() {
			t.Fatalf("seed %d, %s: faults %v\nplan %s\nagain %s", seed, in.Options.Mode, f.faults, lines(p), lines(again))
		}
		if in.Options.Mode == Merge && p.Destructive() {
			t.Fatalf("seed %d deletes: %s", seed, lines(p))
		}
		if !p.Empty() {
			acted++
		}
	}
	if acted < seeds {
		t.Errorf("only %d plans did something", acted)
	}
}

// TestProtectedIsNotTouched: what is protected is in no step, nor in an order, by its id in the guild or in the backup.
func TestProtectedIsNotTouched(t *testing.T) {
	for seed := range uint64(seeds) {
		g := newMaker(seed)
		g.unique = true
		saved := g.guild(true)
		live := g.wreck(saved)
		top(&live)
		in := inputOf(saved, live, Exact)
		ids := slices.Collect(maps.Keys(identity(live)))
		ids = append(ids, slices.Collect(maps.Keys(identity(saved)))...)
		slices.Sort(ids)
		for range 4 {
			in.Options.Protect = append(in.Options.Protect, ids[g.IntN(len(ids))])
		}
		p := mustMake(t, in)
		for _, s := range p.Steps {
			saved, _ := Made(s.ID)
			for _, id := range in.Options.Protect {
				var order []model.ID
				if s.Kind == RoleOrder || s.Kind == ChannelOrder {
					s.Get("order", &order)
				}
				if s.Acts() && !slices.Contains([]Kind{Settings, Welcome, Onboarding}, s.Kind) && (s.ID == id || saved == id) || slices.Contains(order, id) || slices.Contains(order, made(id)) {
					t.Fatalf("seed %d: %s is protected: %s", seed, id, s.Line)
				}
			}
		}
		f := newFold(live)
		f.apply(p)
		in.Live, in.Rights = f.s, rightsOf(f.s)
		if again := mustMake(t, in); len(f.faults) > 0 || !again.Empty() {
			t.Fatalf("seed %d: faults %v\nplan %s\nagain %s", seed, f.faults, lines(p), lines(again))
		}
	}
}

// TestSamePlanSameHash: the plan depends on nothing but its input, not even on the order of lists in it.
func TestSamePlanSameHash(t *testing.T) {
	hashes := map[string]bool{}
	for seed := range uint64(50) {
		g := newMaker(seed)
		saved := g.guild(true)
		live := g.wreck(saved)
		p := mustMake(t, inputOf(saved, live, Exact))
		shuffled := clone(live)
		rand.Shuffle(len(shuffled.Channels), func(i, j int) {
			shuffled.Channels[i], shuffled.Channels[j] = shuffled.Channels[j], shuffled.Channels[i]
		})
		rand.Shuffle(len(shuffled.Roles), func(i, j int) { shuffled.Roles[i], shuffled.Roles[j] = shuffled.Roles[j], shuffled.Roles[i] })
		q := mustMake(t, inputOf(clone(saved), shuffled, Exact))
		if p.Hash() != q.Hash() || len(p.Hash()) != 64 {
			t.Fatalf("seed %d: %s and %s\n%s\n%s", seed, p.Hash(), q.Hash(), lines(p), lines(q))
		}
		var b strings.Builder
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		if read, err := Read(strings.NewReader(b.String())); err != nil || read.Hash() != p.Hash() {
			t.Fatalf("seed %d: what was written has the hash %s (%v)", seed, read.Hash(), err)
		}
		hashes[p.Hash()] = true
	}
	if len(hashes) < 40 {
		t.Errorf("50 guilds gave %d hashes", len(hashes))
	}
}

// TestDrift: every change of the guild's structure after a plan was made is told, and no other.
func TestDrift(t *testing.T) {
	changes := 0
	for seed := range uint64(seeds) {
		g := newMaker(seed)
		saved := g.guild(true)
		live := g.wreck(saved)
		p := mustMake(t, inputOf(saved, live, Exact))
		if d := Drift(p, clone(live)); len(d) > 0 {
			t.Fatalf("seed %d: nothing changed, told %v", seed, d)
		}
		f := newFold(live)
		f.last = 50_000
		g.wreckOnce(f)
		same := slices.Equal(contents(clone(f.s), identity(f.s)), contents(clone(live), identity(live)))
		members := len(f.s.Bans) != len(live.Bans)
		if d := Drift(p, f.s); same && len(d) > 0 && d[0].What != "moved" || !same && !members && len(d) == 0 {
			t.Fatalf("seed %d: same %v, told %v", seed, same, d)
		} else if len(d) > 0 {
			changes++
			if (&Drifted{d}).Error() == "" {
				t.Fatal("no words")
			}
		}
	}
	if changes < seeds/4 {
		t.Errorf("only %d guilds changed", changes)
	}
}

// FuzzMake: no snapshots, however broken, and no rights make the planner panic; every plan is written and read as it is, is
// no drift of itself, and deletes nothing where nothing may be deleted.
func FuzzMake(f *testing.F) {
	for seed := range uint64(24) {
		g := newMaker(seed)
		saved := g.guild(true)
		live := g.wreck(saved)
		if len(saved.Channels) > 0 {
			c := saved.Channels[len(saved.Channels)-1]
			saved.Threads = []model.Thread{{ID: "4000", Type: model.TypePrivateThread, Parent: c.ID, Name: "a"}, {ID: "4001", Parent: "4002", Name: "b"}}
			for _, tag := range c.Tags {
				saved.Threads[0].Tags = append(saved.Threads[0].Tags, tag.ID)
			}
		}
		if seed%4 == 3 {
			weaken(g, &live)
		}
		few := uint8(0)
		if seed%4 == 2 {
			few = 1 + uint8(g.IntN(4))
		}
		f.Add(string(canonical(saved)), string(canonical(live)), seed%2 == 0, few, uint64(allPermissions))
		if seed%6 == 5 {
			f.Add(string(canonical(saved)), string(canonical(live)), seed%2 == 0, few, g.Uint64()&allPermissions&^administrator)
		}
	}
	f.Fuzz(func(t *testing.T, saved, live string, exact bool, few uint8, rights uint64) {
		in := Input{Options: Options{Mode: Merge}, Complete: few%2 == 0, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		if exact {
			in.Options.Mode = Exact
		}
		if json.Unmarshal([]byte(saved), &in.Saved) != nil || json.Unmarshal([]byte(live), &in.Live) != nil {
			return
		}
		if few > 0 {
			n := int(few)
			in.Limits = &Limits{Roles: n, Channels: n, PerCategory: n, Emojis: n, Stickers: n, Sounds: n, Bitrate: 64_000, Webhooks: n, Events: n, Tags: n}
		}
		in.Rights = Rights{User: botUser, Permissions: rights, Top: in.Live.About.GuildID}
		if all, err := RightsOf(in.Live, botUser, []model.ID{"600"}); err == nil && rights == allPermissions {
			in.Rights = all
		}
		in.Messages = map[model.ID]int{}
		for _, c := range in.Saved.Channels {
			in.Messages[c.ID] = 1
		}
		for _, c := range in.Saved.Threads {
			in.Messages[c.ID] = 2
		}
		checkPlan(t, in)
	})
}

func checkPlan(t *testing.T, in Input) {
	t.Helper()
	p, err := Make(in)
	if err != nil {
		return
	}
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Read(strings.NewReader(b.String()))
	if err != nil || again.Hash() != p.Hash() || p.Hash() == "" {
		t.Fatalf("what was written has the hash %q, not %q (%v)", again.Hash(), p.Hash(), err)
	}
	if d := Drift(again, in.Live); len(d) > 0 {
		t.Errorf("nothing changed, told %v", d)
	}
	if in.Options.Mode == Merge && p.Destructive() {
		t.Errorf("merging deletes: %s", lines(p))
	}
	for _, s := range p.Steps {
		if _, err := s.Values(func(ref model.ID) (model.ID, bool) { return ref[1:], len(ref)%2 == 0 }); err != nil || s.Line == "" || s.Key() == "" {
			t.Errorf("step %+v: %v", s, err)
		}
	}
}
