package sandbox

import (
	"slices"
	"time"
)

// Types of threads, with Discord's numbers.
const (
	NewsThread    = 10
	PublicThread  = 11
	PrivateThread = 12
)

// maxActiveThreads is per guild (160006), maxAppliedTags per post.
const (
	maxActiveThreads = 1000
	maxAppliedTags   = 5
)

// Channel flags: a pinned post, and a forum whose posts need a tag.
const (
	flagPinnedPost = 1 << 1
	flagRequireTag = 1 << 4
)

// thread is what a channel has more when it is a thread. Threads archive when they are told to; the sandbox does not do it by
// itself when nobody writes.
type thread struct {
	owner     ID
	created   time.Time
	archived  bool
	locked    bool
	invitable bool
	changed   time.Time // when archived changed last
	archive   int       // minutes until it would archive by itself
	members   map[ID]time.Time
	tags      []ID
	total     int // messages that were ever sent, without the first one
	count     int // of them, those that are left
}

type wireThread struct {
	ID          ID                `json:"id"`
	Type        int               `json:"type"`
	LastMessage nullableID        `json:"last_message_id"`
	LastPin     *wireTime         `json:"last_pin_timestamp,omitempty"`
	Flags       int               `json:"flags"`
	GuildID     ID                `json:"guild_id"`
	Name        string            `json:"name"`
	ParentID    ID                `json:"parent_id"`
	Slowmode    int               `json:"rate_limit_per_user"`
	OwnerID     ID                `json:"owner_id"`
	Metadata    wireThreadState   `json:"thread_metadata"`
	Messages    int               `json:"message_count"`
	Members     int               `json:"member_count"`
	Total       int               `json:"total_message_sent"`
	Tags        *[]ID             `json:"applied_tags,omitempty"`
	Member      *wireThreadMember `json:"member,omitempty"`
	// Message is the first one of a new post, New is true in the event of a new thread.
	Message *wireMessage `json:"message,omitempty"`
	New     bool         `json:"newly_created,omitempty"`
}

type wireThreadState struct {
	Archived  bool     `json:"archived"`
	ChangedAt wireTime `json:"archive_timestamp"`
	Archive   int      `json:"auto_archive_duration"`
	Locked    bool     `json:"locked"`
	CreatedAt wireTime `json:"create_timestamp"`
	Invitable *bool    `json:"invitable,omitempty"`
}

type wireThreadMember struct {
	ID     ID          `json:"id"`
	UserID ID          `json:"user_id"`
	Joined wireTime    `json:"join_timestamp"`
	Flags  int         `json:"flags"`
	Member *wireMember `json:"member,omitempty"`
}

func newWireThread(ch *channel) wireThread {
	t := ch.thread
	w := wireThread{
		ID: ch.id, Type: ch.kind, LastMessage: nullableID(ch.last), LastPin: ch.lastPinned(), Flags: ch.flags, GuildID: ch.guild,
		Name: ch.name, ParentID: ch.parent, Slowmode: ch.slowmode, OwnerID: t.owner, Messages: t.count, Members: min(len(t.members), 50),
		Total: t.total,
		Metadata: wireThreadState{
			Archived: t.archived, ChangedAt: wireTime(t.changed), Archive: t.archive, Locked: t.locked, CreatedAt: wireTime(t.created),
		},
	}
	if len(t.tags) > 0 {
		tags := slices.Clone(t.tags)
		w.Tags = &tags
	}
	if ch.kind == PrivateThread {
		invitable := t.invitable
		w.Metadata.Invitable = &invitable
	}
	return w
}

// member is the membership of a user; nil when it has not joined.
func (ch *channel) member(id ID) *wireThreadMember {
	at, ok := ch.thread.members[id]
	if !ok {
		return nil
	}
	return &wireThreadMember{ID: ch.id, UserID: id, Joined: wireTime(at)}
}

// auditKeys of a thread are what the audit log shows of it.
func (ch *channel) threadKeys() []auditKey {
	t := ch.thread
	return []auditKey{
		{"name", ch.name}, {"type", ch.kind}, {"archived", t.archived}, {"locked", t.locked}, {"auto_archive_duration", t.archive},
		{"rate_limit_per_user", ch.slowmode}, {"flags", ch.flags}, {"applied_tags", t.tags},
	}
}

// place finds a channel or a thread.
func (g *guild) place(id ID) *channel {
	if ch := g.channels[id]; ch != nil {
		return ch
	}
	return g.threads[id]
}

// overwritten is the channel whose overwrites count: of a thread its parent.
func (g *guild) overwritten(ch *channel) *channel {
	if ch.thread != nil {
		return g.channels[ch.parent]
	}
	return ch
}

// sees says whether somebody finds a place: a private thread is for those who joined it and for moderators of threads.
func (g *guild) sees(m *member, ch *channel, now time.Time) bool {
	p := g.channelPermissions(m, ch, now)
	if !p.Has(ViewChannel) {
		return false
	}
	if ch.kind != PrivateThread || p.Has(ManageThreads) {
		return true
	}
	_, joined := ch.thread.members[m.user.id]
	return joined
}

// writing is the permission to write there.
func (ch *channel) writing() Permissions {
	if ch.thread != nil {
		return SendMessagesInThreads
	}
	return SendMessages
}

// postable says whether messages there are posts, each with a thread of its own.
func (ch *channel) postable() bool { return ch.kind == ForumChannel || ch.kind == MediaChannel }

// threadsOf lists threads that a test keeps, ascending by id.
func (g *guild) threadsOf(keep func(*channel) bool) []*channel {
	var list []*channel
	for _, id := range sortedIDs(g.threads) {
		if ch := g.threads[id]; keep(ch) {
			list = append(list, ch)
		}
	}
	return list
}

// threadsFor lists the active threads that a member sees, as GUILD_CREATE does.
func (g *guild) threadsFor(m *member) []wireThread {
	now := time.Now()
	list := []wireThread{}
	for _, ch := range g.threadsOf(func(ch *channel) bool { return !ch.thread.archived && g.sees(m, ch, now) }) {
		w := newWireThread(ch)
		w.Member = ch.member(m.user.id)
		list = append(list, w)
	}
	return list
}

func (g *guild) activeThreads() int {
	n := 0
	for _, ch := range g.threads {
		if !ch.thread.archived {
			n++
		}
	}
	return n
}

type threadGoneEvent struct {
	ID       ID  `json:"id"`
	GuildID  ID  `json:"guild_id"`
	ParentID ID  `json:"parent_id"`
	Type     int `json:"type"`
}

type threadMembersEvent struct {
	ID      ID                 `json:"id"`
	GuildID ID                 `json:"guild_id"`
	Count   int                `json:"member_count"`
	Added   []wireThreadMember `json:"added_members,omitempty"`
	Removed []ID               `json:"removed_member_ids,omitempty"`
}

// joinThread puts a user into a thread; twice is no change.
func (d *Discord) joinThread(g *guild, ch *channel, u *user, now time.Time) {
	if _, joined := ch.thread.members[u.id]; joined || g.members[u.id] == nil {
		return
	}
	ch.thread.members[u.id] = now
	d.emit(g.id, "THREAD_MEMBERS_UPDATE", threadMembersEvent{
		ID: ch.id, GuildID: g.id, Count: min(len(ch.thread.members), 50), Added: []wireThreadMember{*ch.member(u.id)},
	})
}

func (d *Discord) leaveThread(g *guild, ch *channel, id ID) {
	if _, joined := ch.thread.members[id]; !joined {
		return
	}
	delete(ch.thread.members, id)
	d.emit(g.id, "THREAD_MEMBERS_UPDATE", threadMembersEvent{
		ID: ch.id, GuildID: g.id, Count: min(len(ch.thread.members), 50), Removed: []ID{id},
	})
}

// dropThread takes a thread out of its guild.
func (d *Discord) dropThread(g *guild, ch *channel) {
	delete(g.threads, ch.id)
	delete(d.places, ch.id)
	d.emit(g.id, "THREAD_DELETE", threadGoneEvent{ch.id, g.id, ch.parent, ch.kind})
}
