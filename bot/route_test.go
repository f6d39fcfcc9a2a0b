package bot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/command"
	"splashtail/bus"
)

// answers counts the first answers to interactions that Discord was sent.
func (o *office) answers() int {
	n := 0
	for _, r := range o.Discord.Requests(0, 0) {
		if strings.Contains(r.Path, "/callback") {
			n++
		}
	}
	return n
}

// send puts an interaction on the bus, as another session of the gateway would.
func (o *office) send(session string, it map[string]any) {
	o.T.Helper()
	data, err := json.Marshal(it)
	o.OK(err)
	o.Publish(bus.Dispatch{Event: "INTERACTION_CREATE", Guild: o.GuildID(), Session: session, Seq: 1, Data: data})
}

// pinging is an interaction of /ping, made at an instant.
func (o *office) pinging(at time.Time, id string) map[string]any {
	return map[string]any{
		"id": fmt.Sprint(uint64(at.UnixMilli()-1420070400000) << 22), "application_id": o.App.ID.String(), "type": 2, "token": "t", "version": 1,
		"guild_id": o.Guild.String(), "channel_id": o.Text.String(), "locale": "en-US", "app_permissions": "0",
		"member": map[string]any{"user": map[string]any{"id": o.Member.String(), "username": "ana"}, "permissions": "0", "roles": []string{}},
		"data":   map[string]any{"id": id, "name": "ping", "type": 1},
	}
}

// TestOnlyOursAndOnlyOnce: of interactions that come by two sessions to two processes each
// is answered once; those that are too old or another program's are not answered at all.
func TestOnlyOursAndOnlyOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.start("two")
	set, err := bus.OpenRecords(t.Context(), o.Bus, bus.CommandSets())
	o.OK(err)
	e, err := set.Get(t.Context(), bus.CommandSetKey(o.Self(), o.GuildID()))
	o.OK(err)
	ping := e.Value.Names["ping"]

	before := o.answers()
	twice := o.pinging(time.Now(), ping)
	o.send("a", twice)
	o.send("b", twice)
	o.send("c", o.pinging(time.Now().Add(-3*time.Second), ping))
	o.send("d", o.pinging(time.Now(), "12345678901234567"))
	foreign := o.pinging(time.Now(), ping)
	foreign["type"], foreign["data"] = 3, map[string]any{"custom_id": "select-color", "component_type": 2}
	o.send("e", foreign)
	o.send("f", map[string]any{"id": 5, "type": []int{}})
	// What comes after all of these is answered after them, by whichever process.
	for range 3 {
		o.has(o.asks(o.Member, "ping", nil), "ms")
	}
	if got := o.answers() - before; got != 4 {
		t.Errorf("%d first answers, want 4: one to that which came twice, and three more", got)
	}
}

// TestUnderLoad restarts one of two processes again and again while people use commands:
// whoever asks is answered, once, by the other or by the next.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	for range 3 {
		stop := o.startFor()
		for range 3 {
			o.has(o.asks(o.Member, "help", nil), "/ping")
		}
		stop()
		o.has(o.asks(o.Member, "help", nil), "/ping")
	}
}

// TestSync: commands are made, changed and removed by difference, and those of others stay.
func TestSync(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.register(nil)
	sets, err := bus.OpenRecords(t.Context(), o.Bus, bus.CommandSets())
	o.OK(err)
	o.OK(sets.Delete(t.Context(), bus.CommandSetKey(o.Self(), o.GuildID()), 0))
	foreign, err := o.Bot.CreateCommand(t.Context(), o.App.ID.String(), o.Guild.String(), &discordgo.ApplicationCommand{Name: "help", Description: "theirs"})
	o.OK(err)

	some := func(names ...string) []*discordgo.ApplicationCommand {
		return o.bot.registry.Payload(func(c command.Command) bool { return slices.Contains(names, c.Root()) })
	}
	sync := func(s command.Syncer, want []*discordgo.ApplicationCommand) string {
		t.Helper()
		done, err := s.Sync(t.Context(), o.GuildID(), want)
		o.OK(err)
		return done.String()
	}
	const taken = "; not ours as far as the bus knows, so not answered: /help (of the time before the data directory was another? --adopt takes them over)"
	dry := o.syncer()
	dry.Dry = true
	for _, step := range []struct {
		s    command.Syncer
		want []*discordgo.ApplicationCommand
		says string
	}{
		{dry, some("help", "ping", "kick"), "create /kick, /ping; unchanged: 0" + taken},
		{o.syncer(), some("help", "ping", "kick"), "create /kick, /ping; unchanged: 0" + taken},
		{o.syncer(), some("help", "ping", "kick"), "unchanged: 2" + taken},
		{o.syncer(), some("ping"), "delete /kick; leave alone /help; unchanged: 1"},
	} {
		if got := sync(step.s, step.want); got != step.says {
			t.Fatalf("it says %q, want %q", got, step.says)
		}
	}
	changed := some("ping")
	changed[0].Description = "another"
	if got := sync(o.syncer(), changed); got != "edit /ping; leave alone /help; unchanged: 0" {
		t.Errorf("it says %q", got)
	}
	have, err := o.Bot.Commands(t.Context(), o.App.ID.String(), o.Guild.String())
	o.OK(err)
	if len(have) != 2 || !slices.ContainsFunc(have, func(c *discordgo.ApplicationCommand) bool { return c.ID == foreign.ID && c.Description == "theirs" }) {
		t.Errorf("Discord has %d commands, the other program's among them changed or gone", len(have))
	}
	adopt := o.syncer()
	adopt.Adopt = true
	if got := sync(adopt, some("ping", "help")); got != "edit /help, /ping; unchanged: 0" {
		t.Errorf("it says %q", got)
	}
	o.has(o.asks(o.Owner, "help", nil), "page 1")
}

// TestBootstrap registers the minimal set in the main guild at the first start, and what
// is registered is not made again by the next.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.register(nil)
	o.config.Bootstrap, o.config.MainGuild = true, o.GuildID()
	o.start("first")
	if got := o.Discord.Commands(o.App.ID, o.Guild); len(got) != 3 {
		t.Fatalf("registered: %v", got)
	}
	made := func() (n int) {
		for _, r := range o.Discord.Requests(0, 0) {
			if strings.HasSuffix(r.Path, "/commands") && r.Method == "POST" {
				n++
			}
		}
		return n
	}
	before := made()
	o.start("second")
	if made() != before {
		t.Error("the second start registered again")
	}
	if s := o.asks(o.Member, "ping", nil); !strings.Contains(text(t, s), "ms") {
		t.Errorf("/ping says %q", text(t, s))
	}
}
