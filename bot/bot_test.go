package bot

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/bottest"
	"splashtail/bot/command"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// office is a world with the bot at work and its commands registered.
type office struct {
	*bottest.World
	config Config
	bot    *Bot
}

func newOffice(t *testing.T, change func(*Config)) *office {
	t.Helper()
	o := &office{World: bottest.New(t)}
	o.config = Config{Token: secret.New(o.App.Token), APIURL: o.Discord.URL(), Instance: "one", Version: "test"}
	if change != nil {
		change(&o.config)
	}
	o.Feed()
	o.bot = o.start("one")
	o.register(o.bot.registry.Payload(nil))
	return o
}

func (o *office) syncer() command.Syncer {
	return command.Syncer{Bot: o.Bot, Bus: o.Bus, App: o.Self()}
}

func (o *office) make(instance string) *Bot {
	o.T.Helper()
	cfg := o.config
	cfg.Instance = instance
	b, err := New(cfg, o.Bus, bustest.Log(o.T))
	o.OK(err)
	return b
}

func (o *office) start(instance string) *Bot {
	o.T.Helper()
	b := o.make(instance)
	o.Run(b.Run)
	<-b.Ready()
	return b
}

// asks lets somebody run a command and gives what they see in the end.
func (o *office) asks(who sandbox.ID, name string, options map[string]any) sandbox.InteractionState {
	o.T.Helper()
	return o.uses(sandbox.InteractionSpec{User: who, Command: name, Options: options})
}

func (o *office) uses(spec sandbox.InteractionSpec) sandbox.InteractionState {
	o.T.Helper()
	spec.App, spec.Guild = o.App.ID, o.Guild
	if spec.Channel == 0 {
		spec.Channel = o.Text
	}
	if c, ok := o.bot.registry.Get(spec.Command); ok && c.Menu != 0 {
		spec.Command = c.Shown(o.bot.registry.English())
		if spec.Target == 0 {
			spec.Target = o.OtherMod
			if c.Menu == command.OfMessage {
				spec.Target = o.ID(o.Discord.As(o.Owner).Send(spec.Channel, "hello"))
			}
		}
	}
	i, err := o.Discord.Interact(spec)
	o.OK(err)
	ctx, cancel := context.WithTimeout(o.T.Context(), 20*time.Second)
	defer cancel()
	s, err := i.Reply(ctx)
	if err == nil {
		// /ping begins with dots, whose edit it measures.
		s, err = i.Await(ctx, func(s sandbox.InteractionState) bool {
			return s.Original == nil || !strings.Contains(string(s.Original.JSON), `"description":"…"`)
		})
	}
	if err != nil {
		o.T.Fatalf("%+v was not answered: %v; %+v", spec, err, s)
	}
	return s
}

// presses lets somebody press the first button whose label contains a text.
func (o *office) presses(who sandbox.ID, m *sandbox.Message, label string) sandbox.InteractionState {
	o.T.Helper()
	for _, c := range m.Components {
		if strings.Contains(c.Label, label) {
			return o.uses(sandbox.InteractionSpec{User: who, CustomID: c.CustomID, Message: m.ID})
		}
	}
	o.T.Fatalf("there is no button %q in %+v", label, m.Components)
	return sandbox.InteractionState{}
}

// text is all that a message says. It holds its size against Discord's limits.
func text(t testing.TB, s sandbox.InteractionState) string {
	t.Helper()
	if s.Original == nil {
		t.Fatalf("there is no answer: %+v", s)
	}
	return textOf(t, *s.Original)
}

func textOf(t testing.TB, one sandbox.Message) string {
	t.Helper()
	var m discordgo.Message
	if err := json.Unmarshal(one.JSON, &m); err != nil {
		t.Fatal(err)
	}
	out := m.Content
	for _, e := range m.Embeds {
		out += "\n" + e.Title + "\n" + e.Description
		for _, f := range e.Fields {
			out += "\n" + f.Name + ": " + f.Value
		}
	}
	if n := len([]rune(out)); n > 6000 || strings.TrimSpace(out) == "" {
		t.Errorf("the answer has %d characters", n)
	}
	return out
}

// has ends the test unless an answer contains a text.
func (o *office) has(s sandbox.InteractionState, want string) {
	o.T.Helper()
	if got := text(o.T, s); !strings.Contains(got, want) {
		o.T.Fatalf("the answer is %q, want %q in it", got, want)
	}
	if !s.Original.Ephemeral {
		o.T.Error("the answer is shown to everybody")
	}
}

// show lets everybody see every command, as an administrator of the guild can set it in
// Discord, so that only the bot's own rules are left.
func (o *office) show() {
	o.T.Helper()
	payload := o.bot.registry.Payload(nil)
	for _, c := range payload {
		c.DefaultMemberPermissions = nil
	}
	o.register(payload)
}

// register sets all commands of the guild in one request.
func (o *office) register(payload []*discordgo.ApplicationCommand) {
	o.T.Helper()
	made, err := o.Bot.SetCommands(o.T.Context(), o.App.ID.String(), o.Guild.String(), payload)
	o.OK(err)
	sets, err := bus.OpenRecords(o.T.Context(), o.Bus, bus.CommandSets())
	o.OK(err)
	names := map[string]string{}
	for _, c := range made {
		prefix := map[discordgo.ApplicationCommandType]string{discordgo.UserApplicationCommand: "person:", discordgo.MessageApplicationCommand: "message:"}[c.Type]
		names[prefix+c.Name] = c.ID
	}
	_, err = sets.Put(o.T.Context(), bus.CommandSetKey(o.Self(), o.GuildID()), bus.CommandSet{V: 1, Names: names, At: time.Now().UTC()})
	o.OK(err)
}

// options gives an option of each kind that is required.
func (o *office) options(c command.Command) map[string]any {
	out := map[string]any{}
	for _, p := range c.Options {
		if !p.Required {
			continue
		}
		switch {
		case len(p.Choices) > 0:
			out[p.Name] = p.Choices[0]
		case p.Kind == command.Text && p.Name == "command":
			out[p.Name] = "ping"
		case p.Kind == command.Text:
			out[p.Name] = "10m"
		case p.Kind == command.Number:
			out[p.Name] = max(p.Min, 1)
		case p.Kind == command.Truth:
			out[p.Name] = true
		case p.Kind == command.Person:
			out[p.Name] = o.OtherMod
		case p.Kind == command.Role:
			out[p.Name] = o.ModRole
		case p.Kind == command.Channel:
			out[p.Name] = o.Text
		}
	}
	return out
}

// TestEveryCommand: a member without rights is denied on every command that is not for
// everybody, the owner on none, and answers keep to their language and size.
func TestEveryCommand(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.show()
	forAll := map[string]bool{"help": true, "ping": true, "stats": true}
	for _, c := range o.bot.registry.All() {
		s := o.asks(o.Member, c.Name, o.options(c))
		denied := strings.Contains(text(t, s), "You may not run /"+c.Name)
		if denied == forAll[c.Name] {
			t.Errorf("/%s for a member: %q", c.Name, text(t, s))
		}
		german := o.uses(sandbox.InteractionSpec{User: o.Member, Command: c.Name, Options: o.options(c), Locale: "de"})
		if !forAll[c.Name] && !strings.Contains(text(t, german), "Du darfst /"+c.Name+" nicht ausführen") {
			t.Errorf("/%s in German: %q", c.Name, text(t, german))
		}
	}
	for _, c := range o.bot.registry.All() {
		if got := text(t, o.asks(o.Owner, c.Name, o.options(c))); strings.Contains(got, "may not run") || strings.Contains(got, "Reference") {
			t.Errorf("/%s for the owner: %q", c.Name, got)
		}
	}
}

// TestOwnerIsNeverLockedOut: not by a switch, not by a denial, and it holds at once.
func TestOwnerIsNeverLockedOut(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.start("two")
	o.has(o.asks(o.Member, "ping", nil), "ms")
	o.has(o.asks(o.Owner, "access disable", map[string]any{"command": "ping"}), "off now")
	for range 4 { // whichever process gets it
		o.has(o.asks(o.Member, "ping", nil), "switched off")
	}
	o.has(o.asks(o.Owner, "ping", nil), "ms")
	o.has(o.asks(o.Owner, "access enable", map[string]any{"command": "ping"}), "is on")
	o.has(o.asks(o.Member, "ping", nil), "ms")
	o.has(o.asks(o.Owner, "access deny", map[string]any{"command": "ping", "user": o.Member}), "may not run")
	o.has(o.asks(o.Member, "ping", nil), "does not let you")
	o.has(o.asks(o.Owner, "access check", map[string]any{"command": "ping", "user": o.Member}), "denied /ping")
	o.has(o.asks(o.Owner, "access reset", map[string]any{"command": "ping"}), "own rule")
	o.has(o.asks(o.Member, "ping", nil), "ms")
	o.has(o.asks(o.Owner, "access deny", map[string]any{"command": "access", "user": o.Owner}), "may not run")
	o.has(o.asks(o.Owner, "access reset", map[string]any{"command": "access"}), "own rule")
}

// TestOnlyThoseOnTheList: an allow-list closes the bot to everybody else.
func TestOnlyThoseOnTheList(t *testing.T) {
	t.Parallel()
	o := newOffice(t, func(c *Config) { c.Only = []string{"1"} })
	o.has(o.asks(o.Owner, "ping", nil), "not on its list")
}

// TestHelpPages: what somebody may not run is not there, buttons are for who asked.
func TestHelpPages(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	first := o.asks(o.Owner, "help", nil)
	o.has(first, "page 1 of")
	o.has(o.presses(o.Owner, first.Original, "Next"), "page 2 of")
	if got := text(t, o.asks(o.Member, "help", nil)); strings.Contains(got, "/ban") || !strings.Contains(got, "/ping") {
		t.Errorf("a member sees %q", got)
	}
	o.has(o.asks(o.Owner, "help", map[string]any{"command": "ping"}), "/ping")
	o.has(o.asks(o.Owner, "help", map[string]any{"command": "access"}), "/access allow")
	o.has(o.asks(o.Member, "help", map[string]any{"command": "ban"}), "no command with that name")
	s := o.uses2(sandbox.InteractionSpec{User: o.Owner, Command: "help", Options: map[string]any{"command": "acc"}, Focused: "command"})
	if len(s.Choices) != 6 {
		t.Errorf("offered: %+v", s.Choices)
	}
}

func (o *office) uses2(spec sandbox.InteractionSpec) sandbox.InteractionState {
	o.T.Helper()
	spec.App, spec.Guild, spec.Channel = o.App.ID, o.Guild, o.Text
	i, err := o.Discord.Interact(spec)
	o.OK(err)
	ctx, cancel := context.WithTimeout(o.T.Context(), 20*time.Second)
	defer cancel()
	s, err := i.Await(ctx, func(s sandbox.InteractionState) bool { return s.Answered })
	o.OK(err)
	return s
}

// TestSettings: what is set is shown, in the language that was set.
func TestSettings(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.has(o.asks(o.Owner, "settings set", nil), "nothing was changed")
	o.has(o.asks(o.Owner, "settings set", map[string]any{"log": o.Text, "language": "de", "quarantine": o.Jail}), "Saved")
	o.has(o.asks(o.Owner, "settings exempt", map[string]any{"user": o.Mod, "for": "1h"}), "Saved")
	o.has(o.asks(o.Owner, "settings exempt", map[string]any{"user": o.Mod, "role": o.Jail}), "exactly one")
	o.has(o.asks(o.Owner, "settings exempt", map[string]any{"user": o.Mod, "for": "1 year"}), "no time")
	shown := o.asks(o.Owner, "settings show", nil)
	for _, want := range []string{"<#" + o.Text.String() + ">", "German", "<@&" + o.Jail.String() + ">", "<@" + o.Mod.String() + ">"} {
		o.has(shown, want)
	}
	o.has(o.asks(o.Owner, "settings unexempt", map[string]any{"user": o.Mod}), "Saved")
	o.has(o.asks(o.Owner, "settings clear", map[string]any{"setting": "log"}), "Saved")
	v, err := o.bot.parts.settings.Of(t.Context(), bus.GuildID(o.Guild))
	if err != nil || v.LogChannel != "" || len(v.Exempt) != 0 || v.Language != "de" || v.By != bus.UserID(o.Owner) {
		t.Errorf("%+v, %v", v, err)
	}
}

// startFor starts one more process; what it gives stops it and waits for its end.
func (o *office) startFor() (stop func()) {
	o.T.Helper()
	b := o.make("passing")
	ctx, cancel := context.WithCancel(o.T.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	<-b.Ready()
	return func() {
		cancel()
		o.OK(<-ended)
	}
}
