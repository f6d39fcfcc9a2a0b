package gatewayproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/gatewayproxy"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// shardBot is a bot of a library that counts its own shards and notes what it got.
type shardBot struct {
	mu      sync.Mutex
	readies int
	resumes int
	joins   map[string]int
	leaves  int
	got     map[string][]string // by guild
}

func connectShard(t *testing.T, addr, token string, shard, shards int) *shardBot {
	t.Helper()
	s := must(discordgo.New("Bot " + token))(t)
	s.Client, s.SyncEvents = &http.Client{Transport: toProxy{addr}}, true
	s.Identify.Intents = discordgo.IntentsGuilds | discordgo.IntentsGuildMessages | discordgo.IntentMessageContent
	s.Identify.Shard = &[2]int{shard, shards}
	s.ShardID, s.ShardCount = shard, shards
	b := &shardBot{joins: map[string]int{}, got: map[string][]string{}}
	note := func(f func()) { b.mu.Lock(); defer b.mu.Unlock(); f() }
	s.AddHandler(func(_ *discordgo.Session, _ *discordgo.Ready) { note(func() { b.readies++ }) })
	s.AddHandler(func(_ *discordgo.Session, _ *discordgo.Resumed) { note(func() { b.resumes++ }) })
	s.AddHandler(func(_ *discordgo.Session, g *discordgo.GuildCreate) { note(func() { b.joins[g.ID]++ }) })
	s.AddHandler(func(_ *discordgo.Session, _ *discordgo.GuildDelete) { note(func() { b.leaves++ }) })
	s.AddHandler(func(_ *discordgo.Session, m *discordgo.MessageCreate) {
		note(func() { b.got[m.GuildID] = append(b.got[m.GuildID], m.Content) })
	})
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return b
}

// hears waits until the bot has n messages of a guild; false when it never does.
func (b *shardBot) hears(ctx context.Context, g sandbox.ID, n int) bool {
	for deadline := time.Now().Add(2 * patience); ; {
		b.mu.Lock()
		have := len(b.got[g.String()])
		b.mu.Unlock()
		if have >= n || ctx.Err() != nil || time.Now().After(deadline) {
			return have >= n
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestBotsSeeNothingOfAnotherNumberOfShards: those that count one shard, as many as there
// are then, or some other number, get each message of their guilds once and in order, in
// the session that they began with.
func TestBotsSeeNothingOfAnotherNumberOfShards(t *testing.T) {
	d := sandbox.New(sandbox.Config{})
	d.SetGateway(sandbox.GatewaySettings{IdentifyEvery: -1, MaxConcurrency: 4})
	run(t, d.Run)
	<-d.Ready()
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "bot", MembersIntent: true, MessageContentIntent: true}))(t)
	owner := must(d.AddUser("ann"))(t)
	var guilds, channels []sandbox.ID
	for i := range 8 {
		g := must(d.AddGuild(fmt.Sprintf("guild %d", i), owner))(t)
		if err := d.AddMember(g, app.ID); err != nil {
			t.Fatal(err)
		}
		guilds, channels = append(guilds, g), append(channels, must(d.AddChannel(g, "general", 0))(t))
	}
	b := bustest.New(t)
	p := must(gatewayproxy.New(gatewayproxy.Config{Addr: "127.0.0.1:0", Token: secret.New(app.Token), APIURL: d.URL(), Instance: "test"}, b, bustest.Log(t)))(t)
	run(t, p.Run)
	<-p.Ready()
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(2 * patience); !ok(); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("never: %s", what)
			}
		}
	}
	until("every guild is known", func() bool {
		last, err := bus.Last(t.Context(), b, bus.DispatchesNamed("GUILD_CREATE"))
		st, serr := bus.Do(t.Context(), b, bus.StatusCall("gatewayproxy"), struct{}{})
		return err == nil && serr == nil && last.Seq > 0 && strings.Contains(fmt.Sprint(st.Details), "guilds:8") && strings.Contains(fmt.Sprint(st.Details), "unavailable:0")
	})
	type kind struct{ shard, shards int }
	bots := map[kind]*shardBot{}
	for _, k := range []kind{{0, 1}, {0, 4}, {3, 4}, {1, 2}} {
		bots[k] = connectShard(t, p.Addr(), app.Token, k.shard, k.shards)
	}
	// People write as fast as the bot that has every guild hears of it, until the change is over and a little longer: by the
	// clock, a busy machine would have to catch up with ever more.
	const ahead, more = 2, 20
	written := make([]int, len(guilds))
	changed, over := context.WithCancel(t.Context())
	defer over()
	var writing sync.WaitGroup
	for i, g := range guilds {
		writing.Go(func() {
			for left := more; left > 0; written[i]++ {
				if changed.Err() != nil {
					left--
				}
				if !bots[kind{0, 1}].hears(t.Context(), g, written[i]-ahead) {
					t.Errorf("never: the bot that has every guild hears message %d of guild %s", written[i]-ahead, g)
					return
				}
				if err := d.Burst(t.Context(), sandbox.Burst{Guild: g, Channel: channels[i], Author: owner, Count: 1, First: written[i] + 1}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	ask := func(n int) {
		t.Helper()
		if _, err := bus.Do(t.Context(), b, bus.VerbCall("gatewayproxy", "reshard"), bus.VerbRequest{Actor: "ann", Reason: "test", Target: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	ask(4)
	until("four shards", func() bool {
		last, err := bus.Last(t.Context(), b, bus.AllCommands())
		return err == nil && strings.HasPrefix(last.Value.Outcome, "done: from 1 to 4")
	})
	late := connectShard(t, p.Addr(), app.Token, 2, 4) // one that comes behind the change
	over()
	writing.Wait()
	for k, bot := range bots {
		for i, g := range guilds {
			mine := int(uint64(g)>>22%uint64(k.shards)) == k.shard
			count := func() int { bot.mu.Lock(); defer bot.mu.Unlock(); return len(bot.got[g.String()]) }
			if mine {
				until(fmt.Sprintf("bot %v has all of guild %s", k, g), func() bool { return count() >= written[i] })
			}
			bot.mu.Lock()
			for i, text := range bot.got[g.String()] {
				if want := fmt.Sprintf("burst %d", i+1); text != want || !mine {
					t.Errorf("bot %v has %q of guild %s where %q should be", k, text, g, want)
					break
				}
			}
			bot.mu.Unlock()
		}
		bot.mu.Lock()
		if bot.readies != 1 || bot.resumes != 0 || bot.leaves != 0 {
			t.Errorf("bot %v: %d READYs, %d RESUMEDs, %d guilds left", k, bot.readies, bot.resumes, bot.leaves)
		}
		bot.mu.Unlock()
	}
	for _, g := range guilds {
		if int(uint64(g)>>22%4) == 2 {
			until("the late bot knows its guilds", func() bool { late.mu.Lock(); defer late.mu.Unlock(); return late.joins[g.String()] == 1 })
		}
	}
}
