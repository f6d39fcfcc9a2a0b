// Package bottest gives the tests of the bot a guild in a sandboxed Discord whose events
// arrive on a bus, as they do behind gatewayproxy.
package bottest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/discord"
	"splashtail/internal/formsecret"
	"splashtail/internal/guilds"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// World is a guild with an owner, a moderator, a member and our bot above them.
type World struct {
	T       testing.TB
	Discord *sandbox.Discord
	Bus     *bus.Bus
	App     sandbox.Application
	Bot     *discord.Bot

	Guild, Text                  sandbox.ID
	Jail, ModRole, BotRole       sandbox.ID // lowest first
	Owner, Mod, OtherMod, Member sandbox.ID

	mu      sync.Mutex
	session *discordgo.Session // of Feed, once it shows the guild
}

// BotPermissions are what the bot is invited with.
const BotPermissions = sandbox.AllPermissions &^ sandbox.Administrator

// New makes a world. Extra roles and channels that a test wants below the bot come from
// its own calls; the bot's role is the highest.
func New(t testing.TB) *World {
	t.Helper()
	d := sandbox.New(sandbox.Config{Gateway: sandbox.GatewaySettings{IdentifyEvery: -1}})
	run(t, d.Run)
	<-d.Ready()
	w := &World{T: t, Discord: d, Bus: bustest.New(t)}
	var err error
	w.App, err = d.AddApplication(sandbox.ApplicationSpec{Name: "splashtail", MembersIntent: true, MessageContentIntent: true})
	w.OK(err)
	w.Owner, w.Mod, w.OtherMod, w.Member = w.ID(d.AddUser("Olga")), w.ID(d.AddUser("Mona")), w.ID(d.AddUser("Otto")), w.ID(d.AddUser("Ana"))
	w.Guild = w.ID(d.AddGuild("Skeld", w.Owner))
	w.Text = w.ID(d.AddChannel(w.Guild, "general", sandbox.TextChannel))
	w.Jail = w.ID(d.AddRole(w.Guild, "quarantine", 0))
	w.ModRole = w.ID(d.AddRole(w.Guild, "moderators", BotPermissions))
	w.BotRole = w.ID(d.AddRole(w.Guild, "splashtail", BotPermissions))
	w.OK(d.AddMember(w.Guild, w.App.ID, w.BotRole))
	w.OK(d.AddMember(w.Guild, w.Mod, w.ModRole))
	w.OK(d.AddMember(w.Guild, w.OtherMod, w.ModRole))
	w.OK(d.AddMember(w.Guild, w.Member))
	client, err := discord.NewLimitedClient(d.URL(), discord.NewLimiter(discord.LimiterConfig{}))
	w.OK(err)
	t.Cleanup(client.Close)
	w.Bot = client.Bot(secret.New(w.App.Token))
	return w
}

func run(t testing.TB, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

// Run runs a service until the test ends.
func (w *World) Run(f func(context.Context) error) { run(w.T, f) }

// Stored keeps the guilds as gatewayproxy does and gives a reader of them.
func (w *World) Stored() *guilds.Reader {
	s := guilds.New(guilds.Config{Instance: "test", WriteEvery: 20 * time.Millisecond, Ask: w.askMembers, AskAfter: time.Nanosecond}, w.Bus, bustest.Log(w.T))
	w.Run(s.Run)
	return guilds.NewReader(w.Bus, w.Self)
}

// askMembers sends a request for members over the session of Feed.
func (w *World) askMembers(_ context.Context, _ int, request json.RawMessage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session == nil {
		return errors.New("there is no session yet")
	}
	var q struct{ Nonce string }
	if err := json.Unmarshal(request, &q); err != nil {
		return err
	}
	return w.session.RequestGuildMembers(w.Guild.String(), "", 0, q.Nonce, false)
}

// OK ends the test on an error.
func (w *World) OK(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// ID unwraps what the sandbox's calls give.
func (w *World) ID(id sandbox.ID, err error) sandbox.ID {
	w.T.Helper()
	w.OK(err)
	return id
}

// GuildID is the guild as the bus names it.
func (w *World) GuildID() bus.GuildID { return bus.GuildID(w.Guild) }

// Self is the bot's user.
func (w *World) Self() bus.UserID { return bus.UserID(w.App.ID) }

// Feed connects to the sandbox's gateway with a library that we did not write and puts
// every dispatch on the bus. It returns when the bot is connected.
func (w *World) Feed() {
	w.T.Helper()
	s, err := discordgo.New("Bot " + w.App.Token)
	w.OK(err)
	s.Identify.Intents = discordgo.IntentsAll &^ discordgo.IntentGuildPresences
	s.StateEnabled = false
	s.Client.Transport = toSandbox{w.Discord.Addr()}
	keeper := formsecret.New(secret.New(w.App.Token))
	ready := make(chan struct{}, 1)
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.Event) {
		if e.Operation != 0 {
			return
		}
		data, err := keeper.Hide(e.Type, json.RawMessage(e.RawData)) // as upstream does
		w.OK(err)
		w.Publish(bus.Dispatch{Guild: guildOf(e.Type, e.RawData), Event: e.Type, Session: "feed", Seq: e.Sequence, Data: data})
		if e.Type == "GUILD_CREATE" {
			select {
			case ready <- struct{}{}:
			default:
			}
		}
	})
	s.SyncEvents = true // in order
	w.OK(s.Open())
	w.T.Cleanup(func() { _ = s.Close() })
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		w.T.Fatal("the gateway did not show the guild within 20 s")
	}
	w.mu.Lock()
	w.session = s
	w.mu.Unlock()
}

// Everybody waits until a reader knows all members with roles.
func (w *World) Everybody(r *guilds.Reader) {
	w.T.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); ; {
		v, err := r.At(w.T.Context(), w.GuildID(), guilds.Mark{})
		if err == nil {
			if _, all := v.WithRoles(); all {
				return
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.T.Fatalf("the members were not known within 20 s: %v", err)
		}
	}
}

// Publish puts one dispatch on the bus.
func (w *World) Publish(d bus.Dispatch) {
	subject, err := bus.DispatchSubject(d)
	if err == nil {
		_, err = bus.Publish(context.WithoutCancel(w.T.Context()), w.Bus, subject, d, bus.WithID(d.ID()))
	}
	if err != nil && w.T.Context().Err() == nil {
		w.T.Errorf("a dispatch was not stored: %v", err)
	}
}

// guildOf finds the guild that an event belongs to.
func guildOf(event string, data []byte) bus.GuildID {
	var d struct {
		ID    string `json:"id"`
		Guild string `json:"guild_id"`
	}
	if json.Unmarshal(data, &d) != nil {
		return 0
	}
	if d.Guild == "" && (event == "GUILD_CREATE" || event == "GUILD_UPDATE" || event == "GUILD_DELETE") {
		d.Guild = d.ID
	}
	g, err := bus.ParseGuildID(d.Guild)
	if err != nil {
		return 0
	}
	return g
}
