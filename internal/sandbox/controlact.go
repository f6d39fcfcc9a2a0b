package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The part of the control surface on which people act and use bots.

// controlActs adds its routes.
func (d *Discord) controlActs(mux *http.ServeMux) {
	mux.Handle("POST /sandbox/users", answering(d.controlAddUser))
	mux.Handle("POST /sandbox/users/{user}/act", answering(d.controlAct))
	mux.Handle("POST /sandbox/users/{user}/join/{code}", answering(d.controlJoin))
	mux.Handle("POST /sandbox/interactions", answering(d.controlInteract))
	mux.Handle("POST /sandbox/guilds/{guild}/attacks/{kind}", answering(d.controlAttack))
	mux.Handle("GET /sandbox/guilds/{guild}/snapshot", answering(d.controlSnapshot))
	mux.Handle("GET /sandbox/guilds/{guild}/history", answering(d.controlHistory))
	mux.Handle("POST /sandbox/guilds", answering(d.controlGenerate))
	mux.Handle("POST /sandbox/guilds/{guild}/wreck", answering(d.controlWreck))
	mux.Handle("GET /sandbox/channels/{channel}/messages", answering(d.controlMessages))
}

type userWish struct {
	Name string `json:"name"`
}

func (d *Discord) controlAddUser(_ *http.Request, q userWish) (any, error) {
	id, err := d.AddUser(q.Name)
	if err != nil {
		return nil, err
	}
	return idKey{id}, nil
}

// actWish is one route of the API, to be run as a person.
type actWish struct {
	Method string          `json:"method"`
	Path   string          `json:"path"` // below /api/vN
	Body   json.RawMessage `json:"body,omitempty"`
	Reason string          `json:"reason,omitempty"`
}

func (d *Discord) controlAct(r *http.Request, q actWish) (any, error) {
	u, err := ParseID(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	var body any
	if q.Body != nil {
		body = q.Body
	}
	return d.As(u).Because(q.Reason).Do(strings.ToUpper(q.Method), q.Path, body)
}

func (d *Discord) controlJoin(r *http.Request, _ struct{}) (any, error) {
	u, err := ParseID(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	return nil, d.As(u).Join(r.PathValue("code"))
}

type interactionWish struct {
	App      ID                `json:"app"`
	Guild    ID                `json:"guild"`
	Channel  ID                `json:"channel"`
	User     ID                `json:"user"`
	Locale   string            `json:"locale"`
	Command  string            `json:"command"`
	Target   ID                `json:"target"` // of a command in a menu
	Options  map[string]any    `json:"options"`
	Focused  string            `json:"focused"`
	CustomID string            `json:"custom_id"`
	Message  ID                `json:"message"`
	Values   []string          `json:"values"`
	Modal    string            `json:"modal"` // token of the interaction that opened it
	Fields   map[string]string `json:"fields"`
	WaitMS   int               `json:"wait_ms"` // for the reply; zero: do not wait
}

// controlInteract lets a user use a bot and, with wait_ms, shows what it answered by then.
func (d *Discord) controlInteract(r *http.Request, q interactionWish) (any, error) {
	spec := InteractionSpec{
		App: q.App, Guild: q.Guild, Channel: q.Channel, User: q.User, Locale: q.Locale, Command: q.Command, Target: q.Target, Options: q.Options,
		Focused: q.Focused, CustomID: q.CustomID, Message: q.Message, Values: q.Values, Fields: q.Fields,
	}
	if q.Modal != "" {
		d.mu.Lock()
		u := d.uses[q.Modal]
		d.mu.Unlock()
		if u == nil {
			return nil, errors.New("sandbox: no interaction has that token; nothing was sent")
		}
		spec.Modal = &Interaction{d, u}
	}
	i, err := d.Interact(spec)
	if err != nil {
		return nil, err
	}
	view := interactionView{ID: i.ID(), Token: i.Token()}
	if q.WaitMS > 0 {
		ctx, cancel := waitContext(r, ms(q.WaitMS))
		defer cancel()
		view.State, _ = i.Reply(ctx) // in time or not: the state says so
	}
	return view, nil
}

type interactionView struct {
	ID    ID               `json:"id"`
	Token string           `json:"token"`
	State InteractionState `json:"state"`
}

type attackWish struct {
	Actor   ID     `json:"actor"`
	EveryMS int    `json:"every_ms"`
	Most    int    `json:"most"`
	Invite  string `json:"invite"`
	Channel ID     `json:"channel"`
	Text    string `json:"text"`
}

// controlAttack runs an attack until it ends and says what it achieved. It ends with the request, too.
func (d *Discord) controlAttack(r *http.Request, q attackWish) (any, error) {
	g, err := ParseID(r.PathValue("guild"))
	if err != nil {
		return nil, err
	}
	a := Attack{Guild: g, Actor: q.Actor, Every: ms(q.EveryMS), Most: q.Most}
	switch kind := r.PathValue("kind"); kind {
	case "nuke":
		return orNothing(d.Nuke(r.Context(), a))
	case "webhooks":
		return orNothing(d.WebhookFlood(r.Context(), a, q.Text))
	case "raid":
		return orNothing(d.Raid(r.Context(), a, q.Invite, q.Channel, q.Text))
	default:
		return nil, fmt.Errorf("sandbox: no attack is called %q; use nuke, webhooks or raid", kind)
	}
}

func orNothing(dmg Damage, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return dmg, nil
}

func (d *Discord) controlSnapshot(r *http.Request, _ struct{}) (any, error) {
	g, err := ParseID(r.PathValue("guild"))
	if err != nil {
		return nil, err
	}
	s, ok := d.Snapshot(g)
	if !ok {
		return nil, fmt.Errorf("sandbox: no guild %s", g)
	}
	return s, nil
}

func (d *Discord) controlMessages(r *http.Request, _ struct{}) (any, error) {
	ch, err := ParseID(r.PathValue("channel"))
	if err != nil {
		return nil, err
	}
	list := []json.RawMessage{}
	for _, m := range d.Messages(ch) {
		list = append(list, m.JSON)
	}
	return list, nil
}
