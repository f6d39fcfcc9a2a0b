package sandbox

import (
	"slices"
	"strconv"
)

type wireAudit struct {
	ID      ID                `json:"id"`
	UserID  nullableID        `json:"user_id"`
	Target  nullableID        `json:"target_id"`
	Action  int               `json:"action_type"`
	Changes []AuditChange     `json:"changes,omitempty"`
	Options map[string]string `json:"options,omitempty"`
	Reason  string            `json:"reason,omitempty"`
}

func newWireAudit(e AuditEntry) wireAudit {
	return wireAudit{e.ID, nullableID(e.Actor), nullableID(e.Target), e.Action, e.Changes, e.Options, e.Reason}
}

// wireAuditLog is the answer of GET /guilds/{guild_id}/audit-logs. Of what entries speak it holds the users and webhooks;
// there is nothing else in a sandbox.
type wireAuditLog struct {
	Entries  []wireAudit   `json:"audit_log_entries"`
	Users    []wireUser    `json:"users"`
	Webhooks []wireWebhook `json:"webhooks"`

	Integrations []struct{} `json:"integrations"`
	Events       []struct{} `json:"guild_scheduled_events"`
	Threads      []struct{} `json:"threads"`
	Commands     []struct{} `json:"application_commands"`
	Rules        []struct{} `json:"auto_moderation_rules"`
}

// auditQuery is what to pick from the log.
type auditQuery struct {
	user, target, before, after ID
	action, limit               int
}

func (c *call) auditQuery() (q auditQuery, err *apiError) {
	for key, at := range map[string]*ID{"user_id": &q.user, "target_id": &q.target, "before": &q.before, "after": &q.after} {
		if *at, err = c.snowflakeQuery(key); err != nil {
			return q, err
		}
	}
	if q.limit, err = c.intQuery("limit", 50, 1, 100); err != nil {
		return q, err
	}
	q.action, err = c.intQuery("action_type", 0, 1, 1<<31-1)
	return q, err
}

func (q auditQuery) fits(e AuditEntry) bool {
	return (q.user == 0 || e.Actor == q.user) && (q.target == 0 || e.Target == q.target) &&
		(q.action == 0 || e.Action == q.action) && (q.before == 0 || e.ID < q.before) && e.ID > q.after
}

// listAuditLog gives the newest entries first, with after the oldest of those that follow.
func listAuditLog(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ViewAuditLog)
	if err != nil {
		return nil, err
	}
	q, err := c.auditQuery()
	if err != nil {
		return nil, err
	}
	all := g.audit.after(0, 0)
	if q.after == 0 {
		slices.Reverse(all)
	}
	w := wireAuditLog{
		Entries: []wireAudit{}, Users: []wireUser{}, Webhooks: []wireWebhook{}, Integrations: []struct{}{},
		Events: []struct{}{}, Threads: []struct{}{}, Commands: []struct{}{}, Rules: []struct{}{},
	}
	about := map[ID]bool{}
	for _, e := range all {
		if q.fits(e) && len(w.Entries) < q.limit {
			w.Entries = append(w.Entries, newWireAudit(e))
			about[e.Actor], about[e.Target] = true, true
		}
	}
	for _, id := range sortedIDs(about) {
		if u := c.d.users[id]; u != nil {
			w.Users = append(w.Users, newWireUser(u))
		}
		if h := g.webhooks[id]; h != nil {
			w.Webhooks = append(w.Webhooks, newWireWebhook(c.d, h, false))
		}
	}
	return w, nil
}

// memberCount is the options of a prune entry.
func memberCount(days, removed int) map[string]string {
	return map[string]string{"delete_member_days": strconv.Itoa(days), "members_removed": strconv.Itoa(removed)}
}
