package sandbox

import (
	"net/http"
	"time"
)

// The part of the control surface that shows and changes what the sandbox holds.

type stateView struct {
	Applications []appView   `json:"applications"`
	Guilds       []guildView `json:"guilds"`
}

type appView struct {
	ID      ID     `json:"id"`
	Name    string `json:"name"`
	Token   string `json:"token"` // its hash
	Revoked bool   `json:"revoked"`
}

type guildView struct {
	ID       ID            `json:"id"`
	Name     string        `json:"name"`
	Owner    ID            `json:"owner_id"`
	Roles    []roleView    `json:"roles"`
	Channels []channelView `json:"channels"`
	Members  []memberView  `json:"members"`
}

type roleView struct {
	ID          ID          `json:"id"`
	Name        string      `json:"name"`
	Permissions Permissions `json:"permissions"`
	Position    int         `json:"position"`
}

type channelView struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
	Type int    `json:"type"`
}

type memberView struct {
	ID    ID         `json:"id"`
	Name  string     `json:"name"`
	Bot   bool       `json:"bot"`
	Roles []ID       `json:"roles"`
	Voice VoiceState `json:"voice"`
}

func (d *Discord) state() stateView {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := stateView{Applications: []appView{}, Guilds: []guildView{}}
	for _, id := range sortedIDs(d.apps) {
		a := d.apps[id]
		v.Applications = append(v.Applications, appView{ID: id, Name: a.user.name, Token: a.hash.short(), Revoked: a.revoked})
	}
	for _, id := range sortedIDs(d.guilds) {
		v.Guilds = append(v.Guilds, viewGuild(d.guilds[id]))
	}
	return v
}

func viewGuild(g *guild) guildView {
	v := guildView{ID: g.id, Name: g.name, Owner: g.owner}
	for _, id := range sortedIDs(g.roles) {
		r := g.roles[id]
		v.Roles = append(v.Roles, roleView{ID: id, Name: r.name, Permissions: r.permissions, Position: r.position})
	}
	for _, id := range sortedIDs(g.channels) {
		c := g.channels[id]
		v.Channels = append(v.Channels, channelView{ID: id, Name: c.name, Type: c.kind})
	}
	for _, id := range sortedIDs(g.members) {
		m := g.members[id]
		v.Members = append(v.Members, memberView{
			ID: id, Name: m.user.name, Bot: m.user.bot, Roles: append([]ID{}, m.roles...), Voice: voiceState(g, m),
		})
	}
	return v
}

// pathIDs reads the ids of a control path.
func pathIDs(r *http.Request, first, second string) (a, b ID, err error) {
	if a, err = ParseID(r.PathValue(first)); err != nil {
		return 0, 0, err
	}
	b, err = ParseID(r.PathValue(second))
	return a, b, err
}

// voiceWish joins or moves with a channel, and mutes or deafens with the other keys.
type voiceWish struct {
	Channel ID    `json:"channel_id"`
	Mute    *bool `json:"mute"`
	Deaf    *bool `json:"deaf"`
}

func (d *Discord) controlVoice(r *http.Request, q voiceWish) (any, error) {
	g, u, err := pathIDs(r, "guild", "user")
	if err == nil && q.Channel != 0 {
		err = d.JoinVoice(g, u, q.Channel)
	}
	if err == nil && (q.Mute != nil || q.Deaf != nil) {
		now, _ := d.VoiceState(g, u)
		err = d.SetVoice(g, u, either(q.Mute, now.Mute), either(q.Deaf, now.Deaf))
	}
	return nil, err
}

func either(wish *bool, otherwise bool) bool {
	if wish != nil {
		return *wish
	}
	return otherwise
}

func (d *Discord) controlLeave(r *http.Request, _ struct{}) (any, error) {
	g, u, err := pathIDs(r, "guild", "user")
	if err != nil {
		return nil, err
	}
	return nil, d.LeaveVoice(g, u)
}

type memberWish struct {
	Roles []ID `json:"roles"`
}

func (d *Discord) controlMember(r *http.Request, q memberWish) (any, error) {
	g, u, err := pathIDs(r, "guild", "user")
	if err != nil {
		return nil, err
	}
	return nil, d.AddMember(g, u, q.Roles...)
}

func (d *Discord) controlRemove(r *http.Request, _ struct{}) (any, error) {
	g, u, err := pathIDs(r, "guild", "user")
	if err != nil {
		return nil, err
	}
	return nil, d.RemoveMember(g, u)
}

type roleWish struct {
	Permissions Permissions `json:"permissions"`
}

func (d *Discord) controlRole(r *http.Request, q roleWish) (any, error) {
	g, id, err := pathIDs(r, "guild", "role")
	if err != nil {
		return nil, err
	}
	return nil, d.SetRolePermissions(g, id, q.Permissions)
}

type applicationWish struct {
	Revoked bool `json:"revoked"`
}

func (d *Discord) controlApplication(r *http.Request, q applicationWish) (any, error) {
	id, err := ParseID(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	return nil, d.Revoke(id, q.Revoked)
}

// faultForm is a Fault in JSON.
type faultForm struct {
	Kind         FaultKind `json:"kind"`
	Count        int       `json:"count"`
	App          ID        `json:"app,omitempty"`
	Guild        ID        `json:"guild,omitempty"`
	Route        string    `json:"route,omitempty"`
	After        bool      `json:"after,omitempty"`
	DelayMS      int       `json:"delay_ms,omitempty"`
	RetryAfterMS int       `json:"retry_after_ms,omitempty"`
}

func (d *Discord) controlAddFault(_ *http.Request, q faultForm) (any, error) {
	err := d.AddFault(Fault{
		Kind: q.Kind, Count: q.Count, App: q.App, Guild: q.Guild, Route: q.Route, After: q.After,
		Delay: ms(q.DelayMS), RetryAfter: ms(q.RetryAfterMS),
	})
	if err == nil {
		d.log.Info("fault armed", "kind", q.Kind, "count", q.Count)
	}
	return nil, err
}

func faultList(faults []Fault) []faultForm {
	list := make([]faultForm, 0, len(faults))
	for _, f := range faults {
		list = append(list, faultForm{
			Kind: f.Kind, Count: f.Count, App: f.App, Guild: f.Guild, Route: f.Route, After: f.After,
			DelayMS: int(f.Delay / time.Millisecond), RetryAfterMS: int(f.RetryAfter / time.Millisecond),
		})
	}
	return list
}
