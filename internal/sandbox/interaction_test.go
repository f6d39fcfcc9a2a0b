package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// desk is a guild in which a bot has commands and Ana uses them.
type desk struct{ *rest }

func newDesk(t *testing.T) *desk {
	r := ruled(t, 0)
	d := &desk{r}
	r.names["channel"] = r.w.text.String()
	if got := r.say("PUT", "/applications/{app}/commands", pingCommands); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	return d
}

// use lets Ana use something.
func (d *desk) use(spec InteractionSpec) *Interaction {
	d.t.Helper()
	spec.App, spec.Guild, spec.Channel, spec.User = d.w.bot.ID, d.w.guild, d.w.text, d.w.ana
	i := must(d.w.Interact(spec))(d.t)
	d.names["i"], d.names["token"] = i.ID().String(), i.Token()
	return i
}

func (d *desk) add() *Interaction {
	d.t.Helper()
	return d.use(InteractionSpec{Command: "limits add", Options: map[string]any{"kind": "ban", "count": 3}})
}

// try is one call that has to give a status and a code.
func (d *desk) try(status, code int, method, path, body string) reply {
	d.t.Helper()
	got := d.w.do(request{method: method, path: d.fill(path), body: d.fill(body), noAuth: true})
	have := 0
	if got.Status >= 400 {
		have = got.code(d.t)
	}
	if got.Status != status || have != code {
		d.t.Fatalf("%s %s: %d %s, want %d %d", method, path, got.Status, got.Body, status, code)
	}
	return got
}

const (
	callback = "/interactions/{i}/{token}/callback"
	followUp = "/webhooks/{app}/{token}"
	original = "/webhooks/{app}/{token}/messages/@original"
)

func TestDeadlinesOfAnInteraction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		late := d.add()
		d.try(404, 10015, "POST", followUp, `{"content":"too early"}`)
		advance(answerWithin)
		d.try(404, 10062, "POST", callback, `{"type":5}`)
		if s := late.State(); !s.Expired || s.Answered {
			t.Errorf("late: %+v", s)
		}

		i := d.add()
		advance(answerWithin - time.Millisecond)
		d.try(204, 0, "POST", callback, `{"type":5,"data":{"flags":64}}`)
		d.try(400, 40060, "POST", callback, `{"type":4,"data":{"content":"x"}}`)
		if s := i.State(); !s.Thinking || !s.Original.Ephemeral || s.After != answerWithin-time.Millisecond {
			t.Errorf("deferred: %+v", s)
		}
		d.try(200, 0, "PATCH", original, `{"content":"here"}`)
		if s := i.State(); s.Thinking || s.Original.Content != "here" || !s.Original.Ephemeral || s.Edits != 1 {
			t.Errorf("edited: %+v", s)
		}
		advance(tokenLives - answerWithin)
		d.try(200, 0, "POST", followUp, `{"content":"last words"}`)
		advance(2 * time.Millisecond)
		d.try(401, 50027, "POST", followUp, `{"content":"too late"}`)
		d.try(401, 50027, "PATCH", original, `{"content":"too late"}`)
		if s := i.State(); len(s.Followups) != 1 || s.Original.Content != "here" {
			t.Errorf("in the end: %+v", s)
		}
	})
}

// TestCallbackRules tries callbacks that the interaction does not take; nothing is answered then.
func TestCallbackRules(t *testing.T) {
	ask := InteractionSpec{Command: "limits add", Options: map[string]any{"kind": "ban", "count": 3}}
	type_ := ask
	type_.Focused = "why"
	row := `{"type":1,"components":[{"type":4,"custom_id":"%d","style":1,"label":"l"}]}`
	for _, c := range []struct {
		name   string
		spec   InteractionSpec
		body   string
		inside string
	}{
		{"no type", ask, `{}`, `"type"`},
		{"update of no message", ask, `{"type":7,"data":{"content":"x"}}`, `"type"`},
		{"choices for a command", ask, `{"type":8,"data":{"choices":[]}}`, `"type"`},
		{"message for autocomplete", type_, `{"type":4,"data":{"content":"x"}}`, `"type"`},
		{"26 choices", type_, `{"type":8,"data":{"choices":[` + numbered(26, `{"name":"%d","value":"%d"}`) + `]}}`, `"data":{"choices"`},
		{"choices of another type", type_, `{"type":8,"data":{"choices":[{"name":"x","value":5}]}}`, `"choices":{"0":{"value"`},
		{"no choices", type_, `{"type":8,"data":{}}`, `"choices"`},
		{"nothing to say", ask, `{"type":4,"data":{"content":""}}`, `50006`},
		{"too long", ask, `{"type":4,"data":{"content":"` + strings.Repeat("x", 2001) + `"}}`, `"data":{"content"`},
		{"modal without a title", ask, `{"type":9,"data":{"custom_id":"m","components":[` + row + `]}}`, `"title"`},
		{"modal with a long title", ask, `{"type":9,"data":{"custom_id":"m","title":"` + strings.Repeat("x", 46) + `","components":[` + row + `]}}`, `"title"`},
		{"modal of nothing", ask, `{"type":9,"data":{"custom_id":"m","title":"t","components":[]}}`, `"components"`},
		{"modal of six", ask, `{"type":9,"data":{"custom_id":"m","title":"t","components":[` + numbered(6, row) + `]}}`, `"components"`},
		{"modal with a button", ask, `{"type":9,"data":{"custom_id":"m","title":"t","components":[{"type":1,"components":[{"type":2,"style":1,"label":"x","custom_id":"x"}]}]}}`, `"components"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			i := d.use(c.spec)
			got := d.w.do(request{method: "POST", path: d.fill(callback), body: c.body, noAuth: true})
			if got.Status != 400 || !strings.Contains(got.Body, c.inside) {
				t.Errorf("got %d %s, want 400 with %s", got.Status, got.Body, c.inside)
			}
			if s := i.State(); s.Answered || s.Original != nil || s.Modal != nil || s.Choices != nil {
				t.Errorf("it was answered: %+v", s)
			}
		})
	}
}

// TestWhatTheAppDoesNotOffer: Interact refuses what a person cannot do in the app.
func TestWhatTheAppDoesNotOffer(t *testing.T) {
	d := newDesk(t)
	good := map[string]any{"kind": "ban", "count": 3}
	with := func(key string, value any) map[string]any {
		o := map[string]any{key: value}
		for k, v := range good {
			if k != key {
				o[k] = v
			}
		}
		return o
	}
	i := d.add()
	d.try(204, 0, "POST", callback, `{"type":4,"data":{"content":"x","components":[{"type":1,"components":[
		{"type":2,"style":1,"label":"a","custom_id":"a"},{"type":2,"style":1,"label":"b","custom_id":"b","disabled":true}]},
		{"type":1,"components":[{"type":3,"custom_id":"menu","options":[{"label":"x","value":"x"}]}]}]}}`)
	shown := i.State().Original.ID
	for name, spec := range map[string]InteractionSpec{
		"nothing":                 {},
		"unknown command":         {Command: "nuke"},
		"hidden command":          {Command: "ping"}, // for administrators
		"without a subcommand":    {Command: "limits"},
		"unknown subcommand":      {Command: "limits drop"},
		"required option missing": {Command: "limits add", Options: map[string]any{"kind": "ban"}},
		"unknown option":          {Command: "limits add", Options: with("x", 1)},
		"not a choice":            {Command: "limits add", Options: with("kind", "pardon")},
		"too high":                {Command: "limits add", Options: with("count", 101)},
		"not a number":            {Command: "limits add", Options: with("count", "many")},
		"no user":                 {Command: "limits add", Options: with("who", ID(5))},
		"channel of another type": {Command: "limits add", Options: with("where", d.w.voice)},
		"no autocomplete":         {Command: "limits add", Options: good, Focused: "count"},
		"no such message":         {CustomID: "a", Message: 5},
		"no such button":          {CustomID: "c", Message: shown},
		"disabled button":         {CustomID: "b", Message: shown},
		"no such value":           {CustomID: "menu", Message: shown, Values: []string{"y"}},
		"nothing selected":        {CustomID: "menu", Message: shown},
		"no modal":                {Modal: i},
	} {
		spec.App, spec.Guild, spec.Channel, spec.User = d.w.bot.ID, d.w.guild, d.w.text, d.w.ana
		if _, err := d.w.Interact(spec); err == nil {
			t.Errorf("%s: was sent", name)
		}
	}
	d.use(InteractionSpec{CustomID: "a", Message: shown})
	d.use(InteractionSpec{CustomID: "menu", Message: shown, Values: []string{"x"}})
}

// TestAConversation goes through a question, its button, an ephemeral answer and a dialogue, and reads what Ana sees.
func TestAConversation(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	i := d.add()
	d.try(204, 0, "POST", callback, `{"type":5}`)
	d.try(200, 0, "PATCH", original, `{"content":"","embeds":[{"title":"Ban 3 members?","fields":[{"name":"Who","value":"Bo"}]}],
		"components":[{"type":1,"components":[{"type":2,"style":4,"label":"Ban 3 members","custom_id":"ban:3"}]}]}`)
	s := must(i.Reply(ctx))(t)
	button, ok := s.Original.Button("Ban 3 members")
	if !ok || s.Original.Text() != "Ban 3 members?\nWho\nBo\nBan 3 members" {
		t.Fatalf("Ana sees %q", s.Original.Text())
	}
	pressed := d.use(InteractionSpec{CustomID: button.CustomID, Message: s.Original.ID})
	d.try(204, 0, "POST", callback, `{"type":6}`)
	d.try(200, 0, "PATCH", original, `{"content":"working","components":[],"embeds":[]}`)
	d.try(200, 0, "POST", followUp, `{"content":"only you see this","flags":64,"components":[{"type":1,"components":[{"type":2,"style":1,"label":"Why","custom_id":"why"}]}]}`)
	s = must(pressed.Reply(ctx))(t)
	if s.Original.Content != "working" || len(s.Followups) != 1 || !s.Followups[0].Ephemeral {
		t.Fatalf("after the button: %+v", s)
	}
	if list := d.w.Messages(d.w.text); len(list) != 2 || list[1].Content != "working" {
		t.Errorf("in the channel: %+v", list)
	}
	// A button in a message that only Ana sees opens a dialogue.
	opener := d.use(InteractionSpec{CustomID: "why", Message: s.Followups[0].ID})
	d.try(204, 0, "POST", callback, `{"type":9,"data":{"custom_id":"m:1","title":"Why?","components":[{"type":18,"label":"Reason","component":{"type":4,"custom_id":"reason","style":2,"max_length":20}}]}}`)
	if m := opener.State().Modal; m == nil || m.Title != "Why?" || !slices.Equal(m.Inputs, []string{"reason"}) {
		t.Fatalf("modal %+v", m)
	}
	sent := d.use(InteractionSpec{Modal: opener, Fields: map[string]string{"reason": "raid"}})
	d.try(204, 0, "POST", callback, `{"type":7,"data":{"content":"noted: raid","components":[]}}`)
	if s := must(sent.Reply(ctx))(t); s.Original.Content != "noted: raid" || !s.Original.Ephemeral {
		t.Errorf("in the end %+v", s)
	}
	if _, err := d.w.Interact(InteractionSpec{App: d.w.bot.ID, Guild: d.w.guild, Channel: d.w.text, User: d.w.bo, CustomID: "why", Message: s.Followups[0].ID}); err == nil {
		t.Error("Bo pressed a button that only Ana sees")
	}
}

// TestInteractionOnTheGateway checks what the bot is told: its own permissions, the member's, and what the options stand for.
func TestInteractionOnTheGateway(t *testing.T) {
	s := newStage(t)
	path := "/applications/" + s.all.ID.String() + "/commands"
	if got := s.do(request{method: "PUT", path: path, body: pingCommands, auth: "Bot " + s.all.Token}); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	c := s.dial("/gateway?v=10&encoding=json")
	c.ready(identity(s.all, IntentGuilds))
	bystander := s.dial("/gateway?v=10&encoding=json")
	bystander.ready(identity(s.bot, IntentGuilds))
	must(s.Interact(InteractionSpec{App: s.all.ID, Guild: s.guild, Channel: s.text, User: s.owner, Locale: "de", Command: "limits add",
		Options: map[string]any{"kind": "kick", "count": 5, "who": s.ana}}))(t)
	var e struct {
		Type, Version int
		Token         string
		Locale        string
		GuildLocale   string `json:"guild_locale"`
		App           string `json:"app_permissions"`
		Channel       struct{ ID ID }
		Member        struct {
			Permissions string
			User        struct{ ID ID }
		}
		Data struct {
			Name    string
			Options []struct {
				Name    string
				Type    int
				Options []struct {
					Name  string
					Value any
				}
			}
			Resolved struct {
				Users   map[ID]struct{ Username string }
				Members map[ID]map[string]any
			}
		}
	}
	s.ok(json.Unmarshal(c.event("INTERACTION_CREATE").D, &e))
	if e.Type != 2 || e.Locale != "de" || e.GuildLocale != "en-US" || e.Member.User.ID != s.owner || e.Channel.ID != s.text ||
		e.Member.Permissions != "9007199254740991" || e.App == "" || e.App == e.Member.Permissions {
		t.Errorf("told %+v", e)
	}
	o := e.Data.Options
	if len(o) != 1 || o[0].Name != "add" || o[0].Type != 1 || len(o[0].Options) != 3 || o[0].Options[2].Value != s.ana.String() {
		t.Errorf("options %+v", o)
	}
	if r := e.Data.Resolved; r.Users[s.ana].Username != "ana" || r.Members[s.ana]["permissions"] == nil || r.Members[s.ana]["user"] != nil {
		t.Errorf("resolved %+v", r)
	}
	for _, m := range s.told(bystander) {
		if m.name() == "INTERACTION_CREATE" {
			t.Error("another bot was told")
		}
	}
}

// TestFilesAreKept sends a file with an answer.
func TestFilesAreKept(t *testing.T) {
	d := newDesk(t)
	i := d.add()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	d.w.ok(form.WriteField("payload_json", `{"type":4,"data":{"content":"log","attachments":[{"id":"0","description":"all of it"}]}}`))
	part := must(form.CreateFormFile("files[0]", "log.txt"))(t)
	must(part.Write([]byte("line 1\n")))(t)
	d.w.ok(form.Close())
	got := d.w.do(request{method: "POST", path: d.fill(callback), body: body.String(), contentType: form.FormDataContentType(), noAuth: true})
	if got.Status != 204 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	m := i.State().Original
	if len(m.Files) != 1 || m.Files[0].Name != "log.txt" || string(m.Files[0].Data) != "line 1\n" || !strings.Contains(string(m.JSON), `"description":"all of it"`) {
		t.Errorf("Ana sees %+v %s", m.Files, m.JSON)
	}
}

func TestReplyWaitsForTheBot(t *testing.T) {
	d := newDesk(t)
	i := d.add()
	answered := make(chan reply)
	go func() {
		d.w.do(request{method: "POST", path: d.fill(callback), body: `{"type":5}`, noAuth: true})
		answered <- d.w.do(request{method: "PATCH", path: d.fill(original), body: `{"content":"done"}`, noAuth: true})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if s, err := i.Reply(ctx); err != nil || s.Original.Content != "done" {
		t.Errorf("%+v %v", s, err)
	}
	if got := <-answered; got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
