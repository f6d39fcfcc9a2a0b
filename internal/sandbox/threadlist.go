package sandbox

import (
	"slices"
	"time"
)

// threadRoutes are the routes of threads; that a thread is a channel, too, is in channelpatch.go and threadpatch.go.
func threadRoutes() []route {
	const channel = "/channels/{channel_id}"
	const members = channel + "/thread-members"
	return []route{
		{method: "POST", pattern: channel + "/messages/{message_id}/threads", bucket: "thread-create", limit: per(10, 10*time.Second), handle: createMessageThread},
		{method: "POST", pattern: channel + "/threads", bucket: "thread-create", limit: per(10, 10*time.Second), handle: createThread},
		{method: "GET", pattern: "/guilds/{guild_id}/threads/active", bucket: "threads-active", limit: per(5, 5*time.Second), handle: listActiveThreads},
		{method: "GET", pattern: channel + "/threads/archived/public", bucket: "threads-archived", limit: per(5, 5*time.Second), handle: listPublicThreads},
		{method: "GET", pattern: channel + "/threads/archived/private", bucket: "threads-archived", limit: per(5, 5*time.Second), handle: listPrivateThreads},
		{method: "GET", pattern: channel + "/users/@me/threads/archived/private", bucket: "threads-archived", limit: per(5, 5*time.Second), handle: listJoinedThreads},
		{method: "GET", pattern: members, bucket: "thread-members", limit: per(5, 5*time.Second), handle: listThreadMembers},
		{method: "PUT", pattern: members + "/@me", bucket: "thread-member", limit: per(10, 10*time.Second), handle: joinThread},
		{method: "DELETE", pattern: members + "/@me", bucket: "thread-member", limit: per(10, 10*time.Second), handle: quitThread},
		{method: "GET", pattern: members + "/{user_id}", bucket: "thread-member-get", limit: per(10, 10*time.Second), handle: getThreadMember},
		{method: "PUT", pattern: members + "/{user_id}", bucket: "thread-member", limit: per(10, 10*time.Second), handle: putThreadMember},
		{method: "DELETE", pattern: members + "/{user_id}", bucket: "thread-member", limit: per(10, 10*time.Second), handle: deleteThreadMember},
	}
}

// wireThreads is a page of threads with the caller's own memberships in them.
type wireThreads struct {
	Threads []wireThread       `json:"threads"`
	Members []wireThreadMember `json:"members"`
	More    bool               `json:"has_more"`
}

func (c *call) threadPage(list []*channel, most int) wireThreads {
	w := wireThreads{Threads: []wireThread{}, Members: []wireThreadMember{}}
	if len(list) > most {
		list, w.More = list[:most], true
	}
	for _, ch := range list {
		w.Threads = append(w.Threads, newWireThread(ch))
		if m := ch.member(c.me.id); m != nil {
			w.Members = append(w.Members, *m)
		}
	}
	return w
}

// listActiveThreads gives all threads that are not archived and that the caller sees, newest first.
func listActiveThreads(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	list := g.threadsOf(func(ch *channel) bool { return !ch.thread.archived && g.sees(me, ch, c.now) })
	slices.Reverse(list)
	return c.threadPage(list, len(list)), nil
}

func listPublicThreads(c *call) (any, *apiError) {
	return c.archivedThreads(ReadMessageHistory, func(ch *channel) bool { return ch.kind != PrivateThread })
}

func listPrivateThreads(c *call) (any, *apiError) {
	return c.archivedThreads(ReadMessageHistory|ManageThreads, func(ch *channel) bool { return ch.kind == PrivateThread })
}

// archivedThreads gives archived threads of a channel, those that were archived last first, from before a time on.
func (c *call) archivedThreads(need Permissions, keep func(*channel) bool) (any, *apiError) {
	parent, g, _, err := c.guildChannelWith(need)
	if err != nil {
		return nil, err
	}
	limit, err := c.intQuery("limit", 50, 2, 100)
	if err != nil {
		return nil, err
	}
	var before field[time.Time]
	if raw := c.query.Get("before"); raw != "" {
		var bad formErrors
		before.set, before.value = true, asTime(&bad, "before", rawJSON(raw))
		if err := bad.err(); err != nil {
			return nil, err
		}
	}
	list := g.threadsOf(func(ch *channel) bool {
		// Clients get times in microseconds and send them back.
		at := ch.thread.changed.Truncate(time.Microsecond)
		return ch.parent == parent.id && ch.thread.archived && keep(ch) && (!before.set || at.Before(before.value))
	})
	slices.SortStableFunc(list, func(a, b *channel) int { return b.thread.changed.Compare(a.thread.changed) })
	return c.threadPage(list, limit), nil
}

// listJoinedThreads gives the archived private threads that the caller is in, newest first.
func listJoinedThreads(c *call) (any, *apiError) {
	parent, g, _, err := c.guildChannelWith(ReadMessageHistory)
	if err != nil {
		return nil, err
	}
	limit, err := c.intQuery("limit", 50, 2, 100)
	if err != nil {
		return nil, err
	}
	before, err := c.snowflakeQuery("before")
	if err != nil {
		return nil, err
	}
	list := g.threadsOf(func(ch *channel) bool {
		mine := ch.member(c.me.id) != nil
		return ch.parent == parent.id && ch.thread.archived && ch.kind == PrivateThread && mine && (before == 0 || ch.id < before)
	})
	slices.Reverse(list)
	return c.threadPage(list, limit), nil
}

// threadFor is the thread that a path names.
func (c *call) threadFor() (*channel, *guild, *member, *apiError) {
	ch, g, me, err := c.channelFor()
	if err == nil && (g == nil || ch.thread == nil) {
		return nil, nil, nil, wrongChannelType()
	}
	return ch, g, me, err
}

// openThreadFor is threadFor for changes, which an archived thread does not take.
func (c *call) openThreadFor() (*channel, *guild, *member, *apiError) {
	ch, g, me, err := c.threadFor()
	if err == nil && ch.thread.archived {
		return nil, nil, nil, threadArchived()
	}
	return ch, g, me, err
}

// listThreadMembers needs the members intent, as the members of the guild do.
func listThreadMembers(c *call) (any, *apiError) {
	ch, g, _, err := c.threadFor()
	if err != nil {
		return nil, err
	}
	if c.app != nil && !c.app.membersIntent {
		return nil, missingAccess()
	}
	limit, err := c.intQuery("limit", 100, 1, 100)
	if err != nil {
		return nil, err
	}
	after, err := c.snowflakeQuery("after")
	if err != nil {
		return nil, err
	}
	full, err := c.boolQuery("with_member")
	if err != nil {
		return nil, err
	}
	page := []wireThreadMember{}
	for _, id := range sortedIDs(ch.thread.members) {
		if full && (id <= after || len(page) >= limit) {
			continue // without with_member there are no pages
		}
		page = append(page, c.threadMember(g, ch, id, full))
	}
	return page, nil
}

func (c *call) threadMember(g *guild, ch *channel, id ID, full bool) wireThreadMember {
	w := *ch.member(id)
	if m := g.members[id]; full && m != nil {
		inner := newWireMember(m)
		w.Member = &inner
	}
	return w
}

func getThreadMember(c *call) (any, *apiError) {
	ch, g, _, err := c.threadFor()
	if err != nil {
		return nil, err
	}
	full, err := c.boolQuery("with_member")
	if err != nil {
		return nil, err
	}
	if ch.member(c.target) == nil {
		return nil, unknownMember()
	}
	return c.threadMember(g, ch, c.target, full), nil
}

func joinThread(c *call) (any, *apiError) {
	ch, g, _, err := c.openThreadFor()
	if err != nil {
		return nil, err
	}
	c.d.joinThread(g, ch, c.me, c.now)
	return noContent(), nil
}

func quitThread(c *call) (any, *apiError) {
	ch, g, _, err := c.openThreadFor()
	if err != nil {
		return nil, err
	}
	c.d.leaveThread(g, ch, c.me.id)
	return noContent(), nil
}

// putThreadMember adds a member of the guild; to a private thread that is not open to that only moderators do.
func putThreadMember(c *call) (any, *apiError) {
	ch, g, me, err := c.openThreadFor()
	if err != nil {
		return nil, err
	}
	p := g.channelPermissions(me, ch, c.now)
	if !p.Has(SendMessagesInThreads) || ch.kind == PrivateThread && !ch.thread.invitable && !p.Has(ManageThreads) {
		return nil, missingPermissions()
	}
	m, err := c.memberFor(g)
	if err != nil {
		return nil, err
	}
	c.d.joinThread(g, ch, m.user, c.now)
	return noContent(), nil
}

func deleteThreadMember(c *call) (any, *apiError) {
	ch, g, me, err := c.openThreadFor()
	if err != nil {
		return nil, err
	}
	owns := ch.kind == PrivateThread && ch.thread.owner == c.me.id
	if !owns && !c.mayIn(ch, g, me, ManageThreads) {
		return nil, missingPermissions()
	}
	c.d.leaveThread(g, ch, c.target)
	return noContent(), nil
}
