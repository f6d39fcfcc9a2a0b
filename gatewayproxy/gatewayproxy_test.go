package gatewayproxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/gatewayproxy"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

const patience = 30 * time.Second

// toProxy sends every request of a library to the proxy, whatever host it names.
type toProxy struct{ addr string }

// RoundTrip implements http.RoundTripper.
func (p toProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = "http", p.addr, p.addr
	return http.DefaultTransport.RoundTrip(r)
}

func run(t *testing.T, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("it does not end")
		}
	})
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestABotLivesBehindTheProxy: a library that knows nothing of us finds the gateway by
// our REST, gets Discord's guild and events by our gateway, and writes by our REST, while
// Discord sees one session.
func TestABotLivesBehindTheProxy(t *testing.T) {
	d := sandbox.New(sandbox.Config{})
	run(t, d.Run)
	<-d.Ready()
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "bot", MembersIntent: true, MessageContentIntent: true}))(t)
	owner := must(d.AddUser("ann"))(t)
	guild := must(d.AddGuild("guild", owner))(t)
	if err := d.AddMember(guild, app.ID); err != nil {
		t.Fatal(err)
	}
	channel := must(d.AddChannel(guild, "general", 0))(t)
	b := bustest.New(t)
	p := must(gatewayproxy.New(gatewayproxy.Config{Addr: "127.0.0.1:0", Token: secret.New(app.Token), APIURL: d.URL(), Instance: "test"}, b, bustest.Log(t)))(t)
	run(t, p.Run)
	select {
	case <-p.Ready():
	case <-time.After(patience):
		t.Fatal("the proxy is not ready")
	}

	bot := must(discordgo.New("Bot " + app.Token))(t)
	bot.Client = &http.Client{Transport: toProxy{p.Addr()}}
	bot.Identify.Intents = discordgo.IntentsGuilds | discordgo.IntentsGuildMessages | discordgo.IntentMessageContent
	guilds, messages := make(chan *discordgo.GuildCreate, 4), make(chan *discordgo.MessageCreate, 128)
	bot.AddHandler(func(_ *discordgo.Session, g *discordgo.GuildCreate) { guilds <- g })
	bot.AddHandler(func(_ *discordgo.Session, m *discordgo.MessageCreate) { messages <- m })
	if err := bot.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bot.Close() })
	if g := receive(t, guilds); g.ID != guild.String() || len(g.Channels) == 0 {
		t.Errorf("%+v", g.Guild)
	}
	if err := d.Burst(t.Context(), sandbox.Burst{Guild: guild, Channel: channel, Author: owner, Count: 3}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for range 3 {
		got[receive(t, messages).Content] = true
	}
	if len(got) != 3 || !got["burst 3"] {
		t.Errorf("%v", got)
	}
	if u, err := bot.User("@me"); err != nil || u.ID != app.ID.String() {
		t.Errorf("%+v %v", u, err)
	}
	if n := d.Identifies(); n != 1 {
		t.Errorf("%d sessions were begun with Discord", n)
	}
	if err := p.Check(t.Context()); err != nil {
		t.Error(err)
	}
	st := must(bus.Do(t.Context(), b, bus.StatusCall("gatewayproxy"), struct{}{}))(t)
	if text := string(must(json.Marshal(st))(t)); !st.Ready || !strings.Contains(text, `"state":"live"`) || !strings.Contains(text, `"guilds":1`) || strings.Contains(text, app.Token) {
		t.Errorf("%s", text)
	}
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %T came", *new(T))
		panic("not reached")
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]gatewayproxy.Config{
		"host:port":         {Addr: "3220", Token: secret.New("x")},
		"DISCORD_BOT_TOKEN": {Addr: "127.0.0.1:0"},
		"NUM_SHARDS is 2":   {Addr: "127.0.0.1:0", Token: secret.New("x"), Shards: 2, Only: []int{2}},
		"http":              {Addr: "127.0.0.1:0", Token: secret.New("x"), APIURL: "ftp://h"},
	} {
		if _, err := gatewayproxy.New(cfg, nil, bustest.Log(t)); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not speak of %q", err, want)
		}
	}
}
