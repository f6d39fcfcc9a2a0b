package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bus"
	"splashtail/internal/formsecret"
)

// Form is a dialogue with texts to fill in. What is typed goes to the command and nowhere
// else: neither our logs nor our records have it. The stream of events has it as Discord
// sent it, but for what is typed into a Secret input: that is sealed there.
type Form struct {
	Title  string  // at most 45 characters
	Inputs []Input // one to five
}

// Input is a text to fill in.
type Input struct {
	Name     string // under which the command gets it
	Label    string // at most 45 characters
	Hint     string // is seen until something is typed
	Long     bool   // several lines
	Optional bool
	Secret   bool // such as a password: no stream may hold it
	Min, Max int  // of the length; 0: no bound of ours
}

// The names in the ids of forms: of one that comes before a command, and of one that comes
// before something is confirmed. That of a button has the button's.
const (
	formButton = "form"
	sureButton = "sure"
)

// formFor is how long somebody can take to fill in a form.
const formFor = 10 * time.Minute

// typedInput is the input in which something has to be typed as a confirmation.
const typedInput = "typed"

// optionsArg is where the options of a command wait, sealed, while its form is filled in: whoever has the address of an upload
// can read it.
const optionsArg = "options"

// open answers with a form. Name and state lead on from it; of a form of ours the state is
// the op under which something waits.
func (r *Router) open(ctx context.Context, u *Use, f Form, name, state string, ttl time.Duration) error {
	d := &discordgo.InteractionResponseData{Title: card.Cut(f.Title, maxFormText), CustomID: u.Button(name, state, ttl)}
	for _, i := range f.Inputs {
		id, style := i.Name, discordgo.TextInputShort
		if i.Secret {
			id = formsecret.Input(i.Name)
		}
		if i.Long {
			style = discordgo.TextInputParagraph
		}
		d.Components = append(d.Components, discordgo.ActionsRow{Components: []discordgo.MessageComponent{discordgo.TextInput{CustomID: id,
			Label: card.Cut(i.Label, maxFormText), Style: style, Placeholder: card.Cut(i.Hint, maxHint), Required: !i.Optional, MinLength: i.Min, MaxLength: i.Max}}})
	}
	return r.cfg.Bot.Respond(ctx, u.it.ID, u.it.Token, &discordgo.InteractionResponse{Type: discordgo.InteractionResponseModal, Data: d})
}

// Discord's bounds of a form.
const (
	maxFormText = 45
	maxHint     = 100
)

// ask shows the form of a command and keeps its options until it is filled in.
func (r *Router) ask(ctx context.Context, u *Use, f Form) error {
	options, err := json.Marshal(keptOptions{slices.Collect(maps.Values(u.options)), u.resolved})
	if err != nil {
		return err
	}
	closed, err := r.options.Close(string(options), u.Op)
	if err != nil {
		return err
	}
	act := bus.PendingAct{V: 1, Command: u.Command.Name, Args: map[string]string{optionsArg: base64.StdEncoding.EncodeToString(closed)}, By: u.User, Until: time.Now().Add(formFor).UTC()}
	if _, err := r.pending.Create(ctx, bus.PendingKey(u.Guild, u.Op), act); err != nil {
		return err
	}
	return r.open(ctx, u, f, formButton, u.Op, formFor)
}

// keptOptions are the options of a command whose form is being filled in.
type keptOptions struct {
	Options  []*discordgo.ApplicationCommandInteractionDataOption
	Resolved *discordgo.ApplicationCommandInteractionDataResolved
}

// submitted goes on with what waited for a form: a command, a confirmation, or a button.
func (r *Router) submitted(ctx context.Context, u *Use) error {
	data, ok := u.it.Data.(discordgo.ModalSubmitInteractionData)
	if !ok {
		return Refuse("error.unknown")
	}
	p, ok := r.seal.open(u.Guild, data.CustomID)
	if !ok {
		return Refuse("error.unknown_button")
	}
	if p.by != u.User {
		return Refuse("error.not_yours")
	}
	var err error
	if u.typed, err = r.typedIn(u.it.ID, data.Components); err != nil {
		r.log.Error("what was typed into a secret input cannot be read; nothing was done", "op", u.Op, "err", err)
		return Refuse("error.form_unreadable")
	}
	if p.name != formButton && p.name != sureButton {
		return r.typedFor(ctx, u, p)
	}
	waiting, err := r.pending.Get(ctx, bus.PendingKey(u.Guild, p.state))
	if bus.IsCode(err, bus.CodeNotFound) || err == nil && time.Now().After(waiting.Value.Until) {
		return Refuse("error.form_expired")
	}
	if err != nil {
		return err
	}
	c, ok := r.registry.Get(waiting.Value.Command)
	if !ok {
		return Refuse("error.unknown_button")
	}
	u.Command = c
	if err := r.allow(ctx, u); err != nil {
		return err
	}
	if want := waiting.Value.Type; want != "" && strings.TrimSpace(u.typed[typedInput]) != want {
		return Refuse("confirm.wrong", "want", card.Plainly(want)) // it waits on: the button can be pressed again
	}
	act, err := r.take(ctx, u.Guild, p.state)
	if err != nil {
		return err
	}
	if p.name == sureButton || act.Type != "" {
		if err := r.update(ctx, u); err != nil {
			return err
		}
		return c.Confirmed(ctx, u, act.Args)
	}
	return r.filledIn(ctx, u, act, p.state)
}

// typedFor runs what a button stands for whose form was filled in.
func (r *Router) typedFor(ctx context.Context, u *Use, p pressed) error {
	k, ok := r.registry.components[p.name]
	if !ok || k.Form == nil {
		return Refuse("error.unknown_button")
	}
	u.Command, _ = r.registry.Get(k.command)
	if err := r.allow(ctx, u); err != nil {
		return err
	}
	if time.Now().After(p.until) {
		return Refuse("error.form_expired")
	}
	if err := r.update(ctx, u); err != nil {
		return err
	}
	return k.Handle(ctx, u, p.state)
}

// keptOptions opens the options that waited under an op.
func (r *Router) keptOptions(closed, op string) (kept keptOptions, err error) {
	raw, err := base64.StdEncoding.DecodeString(closed)
	if err != nil {
		return kept, err
	}
	text, err := r.options.Open(raw, op)
	if err != nil {
		return kept, err
	}
	return kept, json.Unmarshal([]byte(text), &kept)
}

// filledIn runs a command with its options from before, which waited under an op, and what was typed.
func (r *Router) filledIn(ctx context.Context, u *Use, act bus.PendingAct, op string) error {
	kept, err := r.keptOptions(act.Args[optionsArg], op)
	if err != nil || u.Command.Submitted == nil {
		return Refuse("error.unknown")
	}
	u.resolved, u.options = kept.Resolved, map[string]*discordgo.ApplicationCommandInteractionDataOption{}
	for _, o := range kept.Options {
		u.options[o.Name] = o
	}
	if err := r.think(ctx, u); err != nil {
		return err
	}
	return u.Command.Submitted(ctx, u, u.typed)
}

// typedIn gives what was typed by the names of inputs.
func (r *Router) typedIn(interaction string, rows []discordgo.MessageComponent) (map[string]string, error) {
	out := map[string]string{}
	for _, row := range rows {
		a, ok := row.(*discordgo.ActionsRow)
		if !ok {
			continue
		}
		for _, c := range a.Components {
			i, ok := c.(*discordgo.TextInput)
			if !ok {
				continue
			}
			name, isSecret := formsecret.Name(i.CustomID)
			if out[name] = i.Value; !isSecret {
				continue
			}
			plain, err := r.secrets.Reveal(interaction, i.CustomID, i.Value)
			if err != nil {
				return nil, err
			}
			out[name] = plain
		}
	}
	return out, nil
}

// ConfirmTyped is Confirm for what destroys the most: who presses has to type a text as
// well, such as the name of the server.
func (u *Use) ConfirmTyped(ctx context.Context, c card.Card, verb string, args map[string]string, text string) error {
	return u.confirm(ctx, c, verb, bus.PendingAct{Args: args, Type: strings.TrimSpace(text)})
}

// askToType opens the form in which a confirmation is typed.
func (r *Router) askToType(ctx context.Context, u *Use, op, text string) error {
	return r.open(ctx, u, Form{Title: u.T("confirm.type_title"), Inputs: []Input{{Name: typedInput, Label: u.T("confirm.type_label"), Hint: text, Min: 1, Max: maxTyped}}}, sureButton, op, typeFor)
}

// maxTyped is the longest name of a server.
const maxTyped = 100

// typeFor is how long a confirmation that has to be typed waits.
const typeFor = 5 * time.Minute
