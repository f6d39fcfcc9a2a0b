package command

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bus"
	"splashtail/internal/discord"
)

// safely turns a panic into an error, so that no input ends the process.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = bus.Errorf(bus.CodeInternal, "panic", "a handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// serve answers one interaction and gives a word for its result.
func (r *Router) serve(ctx context.Context, it *discordgo.Interaction) string {
	u, err := r.use(ctx, it)
	if err == nil {
		err = safely(func() error {
			switch it.Type {
			case discordgo.InteractionApplicationCommand:
				return r.command(ctx, u)
			case discordgo.InteractionApplicationCommandAutocomplete:
				return r.complete(ctx, u)
			case discordgo.InteractionMessageComponent:
				return r.component(ctx, u)
			case discordgo.InteractionModalSubmit:
				return r.submitted(ctx, u)
			}
			return Refuse("error.unknown")
		})
	}
	return r.report(ctx, it, u, err)
}

// report tells who asks about an error, if there is one.
func (r *Router) report(ctx context.Context, it *discordgo.Interaction, u *Use, err error) string {
	switch {
	case err == nil:
		return "done"
	case discord.HasCode(err, discord.CodeAcknowledged) && (u == nil || !u.deferred):
		return taken
	}
	w := r.words.In(string(it.Locale))
	var refusal *Refusal
	result, text := "failed", ""
	switch {
	case errors.As(err, &refusal):
		result, text = "refused", w.T(refusal.Key, refusal.Values...)
	case discord.HasCode(err, discord.CodeMissingPermissions, discord.CodeMissingAccess):
		text = w.T("error.bot_permissions", "ref", it.ID)
	case discord.HasCode(err, discord.CodeTwoFactorRequired):
		text = w.T("error.two_factor", "ref", it.ID)
	default:
		text = w.T("error.internal", "ref", it.ID)
	}
	if result == "failed" {
		r.log.Error("a command failed", "op", it.ID, "guild", it.GuildID, "command", nameOf(u), "err", err)
	}
	if it.Type == discordgo.InteractionApplicationCommandAutocomplete || discord.HasCode(err, discord.CodeUnknownInteraction) {
		return result // the list stays empty; or Discord waits no longer
	}
	if u != nil && u.deferred {
		c := card.Card{Text: text, Colour: card.Bad}
		if _, err := r.cfg.Bot.EditOriginal(ctx, it.AppID, it.Token, c.Edit()); err != nil {
			r.log.Warn("an error could not be told to who asked", "op", it.ID, "err", err)
		}
		return result
	}
	r.tell(ctx, it, text)
	return result
}

func nameOf(u *Use) string {
	if u == nil {
		return ""
	}
	return u.Command.Name
}

// tell answers at once, to who asks alone.
func (r *Router) tell(ctx context.Context, it *discordgo.Interaction, text string) {
	err := r.cfg.Bot.Respond(ctx, it.ID, it.Token, &discordgo.InteractionResponse{
		Type: discordgo.InteractionResponseChannelMessageWithSource, Data: card.Card{Text: text, Colour: card.Bad}.Answer(true)})
	if err != nil {
		r.log.Warn("an interaction could not be answered", "op", it.ID, "err", err)
	}
}

// use takes an interaction apart.
func (r *Router) use(ctx context.Context, it *discordgo.Interaction) (*Use, error) {
	guild, err := bus.ParseGuildID(it.GuildID)
	if err != nil || it.Member == nil || it.Member.User == nil {
		return nil, Refuse("error.guild_only")
	}
	user, err := bus.ParseUserID(it.Member.User.ID)
	app, err2 := bus.ParseUserID(it.AppID)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	u := &Use{Bot: r.cfg.Bot, Log: r.log, Guild: guild, Channel: it.ChannelID, User: user, Member: it.Member, App: app,
		Permissions: it.Member.Permissions, Mine: it.AppPermissions, Words: r.words.In(string(it.Locale)), Op: it.ID, router: r, it: it}
	public := ""
	if r.cfg.Language != nil {
		public = r.cfg.Language(ctx, guild)
	}
	if public == "" && it.GuildLocale != nil {
		public = string(*it.GuildLocale)
	}
	u.Everybody = r.words.In(public)
	if len(r.cfg.Only) > 0 && !slices.Contains(r.cfg.Only, it.Member.User.ID) {
		return nil, Refuse("error.closed")
	}
	data, ok := it.Data.(discordgo.ApplicationCommandInteractionData)
	if !ok {
		return u, nil
	}
	return u, u.read(data)
}

// read finds the command and its options in what Discord sent.
func (u *Use) read(data discordgo.ApplicationCommandInteractionData) error {
	c, options, ok := u.router.registry.find(data)
	if !ok {
		return Refuse("error.unknown")
	}
	u.target = data.TargetID
	u.Command, u.resolved = c, data.Resolved
	u.options = map[string]*discordgo.ApplicationCommandInteractionDataOption{}
	for _, o := range options {
		u.options[o.Name] = o
	}
	return nil
}

// decide says whether who asks may run a command. Whether they own the guild is asked of
// Discord only when everything else denies and their permissions are an owner's.
func (r *Router) decide(ctx context.Context, u *Use, c Command) (access.Decision, error) {
	levels, err := r.access.Levels(ctx, u.Guild, c.Name)
	if err != nil {
		return access.Decision{}, err
	}
	a := access.Asker{User: u.User.String(), Roles: u.Member.Roles, Permissions: u.Permissions}
	d := access.Decide(c.Access, levels, a)
	if d.Allowed || u.Permissions&discordgo.PermissionAdministrator == 0 {
		return d, nil
	}
	g, err := r.cfg.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return d, fmt.Errorf("who owns the guild could not be asked: %w", err)
	}
	a.Owner = g.OwnerID == a.User
	return access.Decide(c.Access, levels, a), nil
}

// decideIn bounds the decision, which comes before the first answer.
const decideIn = 1500 * time.Millisecond

// allow refuses who may not run the command.
func (r *Router) allow(ctx context.Context, u *Use) error {
	ctx, cancel := context.WithTimeout(ctx, decideIn)
	defer cancel()
	d, err := r.decide(ctx, u, u.Command)
	switch {
	case err != nil:
		return err
	case d.Allowed:
		return nil
	case d.Why == access.WhyMissing:
		return Refuse("denied.missing", "command", u.Command.Name)
	}
	return Refuse("denied."+string(d.Why), "command", d.Where)
}

// command answers "thinking" first, then runs the handler; one with a form shows that.
func (r *Router) command(ctx context.Context, u *Use) error {
	if err := r.allow(ctx, u); err != nil {
		return err
	}
	if u.Command.Form != nil {
		f, err := u.Command.Form(ctx, u)
		if err != nil {
			return err
		}
		if f != nil {
			return r.ask(ctx, u, *f)
		}
	}
	if err := r.think(ctx, u); err != nil {
		return err
	}
	return u.Command.Handle(ctx, u)
}

// think says that the answer will come.
func (r *Router) think(ctx context.Context, u *Use) error {
	answer := &discordgo.InteractionResponse{Type: discordgo.InteractionResponseDeferredChannelMessageWithSource}
	if !u.Command.Public {
		answer.Data = &discordgo.InteractionResponseData{Flags: discordgo.MessageFlagsEphemeral}
	}
	if err := r.cfg.Bot.Respond(ctx, u.it.ID, u.it.Token, answer); err != nil {
		return err
	}
	u.deferred = true
	return nil
}

// maxChoices is how many values Discord shows, and how long their labels are.
const (
	maxChoices = 25
	maxChoice  = 100
)

func (r *Router) complete(ctx context.Context, u *Use) error {
	if err := r.allow(ctx, u); err != nil {
		return err
	}
	var list []Choice
	for name, o := range u.options {
		typed, _ := o.Value.(string)
		if !o.Focused || u.Command.Complete == nil {
			continue
		}
		var err error
		if list, err = u.Command.Complete(ctx, u, name, strings.TrimSpace(typed)); err != nil {
			return err
		}
	}
	out := []*discordgo.ApplicationCommandOptionChoice{}
	for _, c := range list[:min(len(list), maxChoices)] {
		if len(c.Value) <= maxChoice && c.Label != "" {
			out = append(out, &discordgo.ApplicationCommandOptionChoice{Name: card.Cut(c.Label, maxChoice), Value: c.Value})
		}
	}
	return r.cfg.Bot.Respond(ctx, u.it.ID, u.it.Token, &discordgo.InteractionResponse{
		Type: discordgo.InteractionApplicationCommandAutocompleteResult, Data: &discordgo.InteractionResponseData{Choices: out}})
}
