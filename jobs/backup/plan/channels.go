package plan

import (
	"fmt"
	"slices"

	"splashtail/jobs/backup/model"
)

// planChannels decides about categories and channels, and knows afterwards which there will be.
func (m *maker) planChannels() {
	m.decideCommunity()
	saved, live := sorted(m.Saved.Channels), sorted(m.Live.Channels)
	category := func(c model.Channel) bool { return c.Type == model.TypeCategory }
	channel := func(c model.Channel) bool { return c.Type != model.TypeCategory }
	tops, under := pick(saved, category), pick(saved, channel)
	liveTops, liveUnder := pick(live, category), pick(live, channel)
	room := m.limits.Channels - m.kept(liveTops, m.pairChannels(tops, liveTops)) - m.kept(liveUnder, m.pairUnder(tops, under, liveTops, liveUnder))
	room = m.planChannelsOf(tops, liveTops, room)
	m.planChannelsOf(under, liveUnder, room)
	m.decideRules()
	m.dropChannels(live)
	m.orderChannels(saved, live)
}

func pick[T any](list []T, want func(T) bool) []T {
	return slices.Collect(func(yield func(T) bool) {
		for _, v := range list {
			if want(v) && !yield(v) {
				return
			}
		}
	})
}

// pairChannels finds counterparts, after it has put the backup's channels into the guild's categories.
func (m *maker) pairChannels(saved, live []model.Channel) []int {
	byID := map[model.ID]model.Channel{}
	for _, l := range live {
		byID[l.ID] = l
	}
	for i := range saved {
		m.typeOf[saved[i].ID] = m.typeFor(saved[i], byID)
		m.moveIn(&saved[i])
	}
	known := func(c model.Channel, kind int, parent model.ID) string {
		if kind == model.TypeAnnouncement {
			kind = model.TypeText
		}
		return fmt.Sprint(kind, " ", parent, " ", c.Name)
	}
	ofLive := func(j int) string { return known(live[j], live[j].Type, deref(live[j].Parent)) }
	return pair(len(saved), len(live),
		pass{
			func(i int) string {
				if l, ok := byID[saved[i].ID]; ok && sameType(l.Type, m.typeOf[l.ID]) {
					return string(l.ID)
				}
				return ""
			},
			func(j int) string { return string(live[j].ID) },
		},
		pass{func(i int) string { return known(saved[i], m.typeOf[saved[i].ID], deref(saved[i].Parent)) }, ofLive},
		// It could not be put into its category before, or lost it.
		pass{func(i int) string { return known(saved[i], m.typeOf[saved[i].ID], "") }, ofLive})
}

// pairUnder finds the counterparts of channels as they will be once the categories are there.
func (m *maker) pairUnder(tops, under, liveTops, liveUnder []model.Channel) []int {
	for i, j := range m.pairChannels(tops, liveTops) {
		if j >= 0 {
			m.channelOf[tops[i].ID] = liveTops[j].ID
		}
	}
	return m.pairChannels(slices.Clone(under), liveUnder)
}

// planChannelsOf decides about the categories or the channels. room is how many can be made; what is left of it comes back.
func (m *maker) planChannelsOf(saved, live []model.Channel, room int) int {
	to := m.pairChannels(saved, live)
	in := m.filled(saved, live, to)
	for i, c := range saved {
		t := thing{kind: Channel, phase: channels, saved: c.ID, name: c.Name}
		if to[i] >= 0 {
			l := live[to[i]]
			m.channelOf[c.ID] = l.ID
			m.fit(&t, &c, &l, in)
			m.compareChannel(t, c, &l)
			continue
		}
		m.fit(&t, &c, nil, in)
		if room <= 0 {
			t.no = fmt.Sprintf("a server has at most %d channels", m.limits.Channels)
		}
		if m.compareChannel(t, c, nil) {
			room--
			m.channelOf[c.ID] = made(c.ID)
		}
	}
	return room
}

// typeFor is the type that a channel of the backup gets: its own, or one that a guild without community can have.
func (m *maker) typeFor(c model.Channel, live map[model.ID]model.Channel) int {
	if l, ok := live[c.ID]; m.community || !needsCommunity(c.Type) || ok && l.Type == c.Type && c.Type != model.TypeAnnouncement {
		return c.Type
	}
	if c.Type == model.TypeStage {
		return model.TypeVoice
	}
	return model.TypeText
}

// moveIn puts a channel of the backup into its category as the guild will have it.
func (m *maker) moveIn(c *model.Channel) {
	if c.Parent == nil || m.outside[c.ID] {
		c.Parent = nil
		return
	}
	if ref := m.channelOf[*c.Parent]; ref != "" && c.Type != model.TypeCategory {
		c.Parent = &ref
	} else {
		c.Parent = nil
	}
}

// kept counts those of the guild that stay for certain: counterparts, and what may not be deleted.
func (m *maker) kept(live []model.Channel, to []int) int {
	n := 0
	for j, l := range live {
		if m.Options.Mode != Exact || slices.Contains(to, j) || m.keep(l) != "" || m.protect[l.ID] {
			n++
		}
	}
	return n
}

// filled counts what is and stays in each category.
func (m *maker) filled(saved, live []model.Channel, to []int) map[model.ID]int {
	in := map[model.ID]int{}
	for j, l := range live {
		if l.Parent == nil {
			continue
		}
		i := slices.Index(to, j)
		stays := i >= 0 && (isRef(saved[i].Parent, *l.Parent) || m.protect[l.ID])
		if stays || i < 0 && (m.Options.Mode != Exact || m.keep(l) != "" || m.protect[l.ID]) {
			in[*l.Parent]++
		}
	}
	return in
}

// fit leaves a channel outside of a category that is full.
func (m *maker) fit(t *thing, c, live *model.Channel, in map[model.ID]int) {
	if c.Parent == nil || live != nil && isRef(live.Parent, *c.Parent) {
		return
	}
	if in[*c.Parent] < m.limits.PerCategory {
		in[*c.Parent]++
		return
	}
	c.Parent = nil
	t.less = append(t.less, fmt.Sprintf("outside of its category, which takes %d channels", m.limits.PerCategory))
	m.outside[c.ID] = true
}

// compareChannel settles one channel of the backup; live is nil when there is none.
func (m *maker) compareChannel(t thing, c model.Channel, live *model.Channel) bool {
	want := c
	want.Type = m.typeOf[c.ID]
	if want.Type != c.Type {
		t.less = append(t.less, "as "+typeName(want.Type)+": only a community has "+typeName(c.Type))
	}
	if !canMake(want.Type) && live == nil {
		t.no = "bots cannot make channels of its type"
	}
	had := model.Channel{Type: want.Type}
	if live != nil {
		had = *live
		t.live, t.have = live.ID, channelFields(had)
	}
	if isVoice(want.Type) && want.Bitrate > m.limits.Bitrate {
		want.Bitrate = m.limits.Bitrate
		t.less = append(t.less, fmt.Sprintf("with %d kbit/s, the most at this boost level", want.Bitrate/1000))
	}
	m.limitOverwrites(&t, &want, had)
	want.Tags = m.tags(want.Tags, had.Tags)
	want.Reaction = m.reaction(want.Reaction)
	if m.turnsOn && needsCommunity(want.Type) && !(live != nil && live.Type == want.Type) {
		return m.settleLate(t, want, live)
	}
	t.want = channelFields(want)
	return m.settle(t)
}

// settleLate is for what needs the community that this plan turns on. An announcement channel is made as text, since it may
// be one of the two channels that a community begins with, and turned into its type afterwards.
func (m *maker) settleLate(t thing, want model.Channel, live *model.Channel) bool {
	if want.Type != model.TypeAnnouncement {
		t.phase = community
		m.late[made(t.saved)] = true
		t.want = channelFields(want)
		return m.settle(t)
	}
	first := want
	first.Type = model.TypeText
	t.want = channelFields(first)
	if !m.settle(t) {
		return false
	}
	later := thing{kind: Channel, phase: community, saved: t.saved, live: t.live, name: t.name}
	if live == nil {
		later.live = made(t.saved)
	}
	if m.protect[t.saved] || m.protect[t.live] {
		return true
	}
	later.have, later.want = fields{"type": model.TypeText}, fields{"type": model.TypeAnnouncement}
	return m.settle(later)
}

func typeName(kind int) string {
	switch kind {
	case model.TypeText:
		return "a text channel"
	case model.TypeVoice:
		return "a voice channel"
	case model.TypeAnnouncement:
		return "announcement channels"
	case model.TypeStage:
		return "stages"
	case model.TypeForum:
		return "forums"
	case model.TypeMedia:
		return "media channels"
	}
	return fmt.Sprintf("channels of type %d", kind)
}
