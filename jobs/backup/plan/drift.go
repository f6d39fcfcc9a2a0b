package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"splashtail/jobs/backup/model"
)

// Base is one thing of the guild that a plan was made for.
type Base struct {
	Kind   Kind     `json:"kind"`
	ID     model.ID `json:"id"`
	Name   string   `json:"name,omitempty"`
	Digest string   `json:"digest"` // of all that can be set on it, its place among others aside
}

// base lists the guild's structure: things of a kind in the order in which they stand. Members, bans, threads and messages
// change all the time and do no harm by it: they are not in it.
func base(s model.Snapshot) []Base {
	list := []Base{baseOf(Settings, s.About.GuildID, s.Guild.Name, settingsFields(s.Guild))}
	for _, r := range ranked(s.Roles) {
		list = append(list, baseOf(Role, r.ID, r.Name, roleFields(r, r.ID == s.About.GuildID)))
	}
	for _, c := range sorted(s.Channels) {
		list = append(list, baseOf(Channel, c.ID, c.Name, channelFields(c)))
	}
	for _, e := range s.Emojis {
		list = append(list, baseOf(Emoji, e.ID, e.Name, emojiFields(e)))
	}
	for _, e := range s.Stickers {
		list = append(list, baseOf(Sticker, e.ID, e.Name, stickerFields(e)))
	}
	for _, e := range s.Sounds {
		list = append(list, baseOf(Sound, e.ID, e.Name, soundFields(e)))
	}
	for _, r := range s.AutoMod {
		list = append(list, baseOf(AutoMod, r.ID, r.Name, autoModFields(r)))
	}
	list = append(list, baseOf(Welcome, "", "", welcomeFields(s.Welcome)), baseOf(Onboarding, "", "", onboardingFields(s.Onboarding)))
	for _, e := range s.Events {
		list = append(list, baseOf(Event, e.ID, e.Name, eventFields(e)))
	}
	for _, w := range s.Webhooks {
		list = append(list, baseOf(Webhook, w.ID, nameOf(w.Name), webhookFields(w)))
	}
	return list
}

func baseOf(k Kind, id model.ID, name string, f fields) Base {
	sum := sha256.Sum256(canonical(f))
	return Base{k, id, name, hex.EncodeToString(sum[:8])}
}

// Change is something that is not any more as it was when a plan was made.
type Change struct {
	Kind Kind     `json:"kind"`
	ID   model.ID `json:"id,omitempty"`
	Name string   `json:"name,omitempty"`
	What string   `json:"what"` // changed, is new, is gone, moved
}

func (c Change) String() string {
	if c.Kind == "" {
		return c.Name + " " + c.What
	}
	return label(c.Kind, c.Name) + " " + c.What
}

// Changed lists why a plan may not be executed any more: what the bot may not do any more of what the plan needs, else what has
// changed in the guild (see Drift). What the bot does not see any more is not said to be gone.
func Changed(p Plan, live model.Snapshot, now Rights) []Change {
	if list := lost(p, live, now); len(list) > 0 {
		return list
	}
	list := Drift(p, live)
	for i, c := range list {
		if reads := map[Kind]uint64{AutoMod: manageGuild, Webhook: manageWebhooks}[c.Kind]; c.What == isGone && !now.has(reads) {
			list[i].What = "does not show any more: the bot has lost the permission " + names(reads)
		}
	}
	return list
}

// lost lists what the bot could do when a plan was made and cannot now: permissions that its steps need, and roles that it may
// not touch any more. All of it would be refused half of the way.
func lost(p Plan, live model.Snapshot, now Rights) (list []Change) {
	var need uint64
	var touched []model.ID
	for _, s := range p.Steps {
		if !s.Acts() {
			continue
		}
		need |= needs(s.Kind, s.Op)
		switch {
		case s.Kind == Role && s.Op != Create:
			touched = append(touched, s.ID)
		case s.Kind == RoleOrder:
			var order []model.ID
			s.Get("order", &order)
			touched = append(touched, order...)
		}
	}
	if missing := need &^ now.Permissions; missing != 0 {
		list = append(list, Change{Name: "the bot", What: "has lost the permission " + names(missing)})
	}
	top, all := 0, ranked(live.Roles)
	for i, r := range all {
		if r.ID == now.Top {
			top = i
		}
	}
	for _, r := range all[top:] {
		if !now.Owner && r.ID != live.About.GuildID && slices.Contains(touched, r.ID) {
			list = append(list, Change{Role, r.ID, r.Name, "is not below the bot's own role any more"})
		}
	}
	return list
}

const isGone = "is gone"

// Drift lists what has changed in the guild since a plan was made, in the kinds that the plan is about. A plan is executed
// only while there is nothing: what people approved would not be what happens.
func Drift(p Plan, live model.Snapshot) []Change {
	type key struct {
		kind Kind
		id   model.ID
	}
	was, now := map[key]Base{}, map[key]Base{}
	current := base(live)
	for _, b := range current {
		now[key{b.Kind, b.ID}] = b
	}
	var list []Change
	places := map[Kind][]model.ID{}
	for _, b := range p.Base {
		k := key{b.Kind, b.ID}
		was[k] = b
		n, ok := now[k]
		switch {
		case !p.Options.Has(b.Kind):
		case !ok:
			list = append(list, Change{b.Kind, b.ID, b.Name, isGone})
		case n.Digest != b.Digest:
			list = append(list, Change{b.Kind, b.ID, b.Name, "changed"})
		}
		if ok {
			places[b.Kind] = append(places[b.Kind], b.ID)
		}
	}
	after := map[Kind][]model.ID{}
	for _, b := range current {
		k := key{b.Kind, b.ID}
		if _, ok := was[k]; ok {
			after[b.Kind] = append(after[b.Kind], b.ID)
		} else if p.Options.Has(b.Kind) {
			list = append(list, Change{b.Kind, b.ID, b.Name, "is new"})
		}
	}
	for _, k := range []Kind{RoleOrder, ChannelOrder} {
		of := map[Kind]Kind{RoleOrder: Role, ChannelOrder: Channel}[k]
		if p.Options.Has(k) && !slices.Equal(places[of], after[of]) {
			list = append(list, Change{Kind: k, What: "moved"})
		}
	}
	slices.SortStableFunc(list, func(a, b Change) int { return slices.Index(Kinds(), a.Kind) - slices.Index(Kinds(), b.Kind) })
	return list
}

// Drifted is the error that lists changes.
type Drifted struct{ Changes []Change }

func (d *Drifted) Error() string {
	const most = 20
	text := fmt.Sprintf("%d things have changed in the server since the plan was made; nothing was restored, look at a new plan:", len(d.Changes))
	for i, c := range d.Changes {
		if i == most {
			return text + fmt.Sprintf(" and %d more", len(d.Changes)-most)
		}
		text += " " + c.String() + ";"
	}
	return text[:len(text)-1]
}
