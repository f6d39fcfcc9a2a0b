package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/coder/websocket"

	"splashtail/internal/gateway"
)

// watcher is a discordgo session and what its handlers saw.
type watcher struct {
	*discordgo.Session
	mu       sync.Mutex
	ready    int
	resumed  int
	guilds   []string
	contents []string
	voice    []*discordgo.VoiceState
	changed  chan struct{}
}

func (w *gatewayWorld) watch(t *testing.T, intents discordgo.Intent) *watcher {
	t.Helper()
	v := &watcher{Session: must(discordgo.New("Bot " + w.all.Token))(t), changed: make(chan struct{}, 1)}
	to := must(url.Parse("http" + strings.TrimPrefix(w.url, "ws")))(t)
	v.Client = &http.Client{Transport: redirect{to, http.DefaultTransport}}
	v.Identify.Intents = intents
	v.SyncEvents = true // handlers run in the order of the events
	v.LogLevel = discordgo.LogError - 1
	note := func(change func()) {
		v.mu.Lock()
		change()
		v.mu.Unlock()
		select {
		case v.changed <- struct{}{}:
		default:
		}
	}
	v.AddHandler(func(_ *discordgo.Session, e *discordgo.Ready) { note(func() { v.ready++ }) })
	v.AddHandler(func(_ *discordgo.Session, e *discordgo.Resumed) { note(func() { v.resumed++ }) })
	v.AddHandler(func(_ *discordgo.Session, e *discordgo.GuildCreate) {
		note(func() { v.guilds = append(v.guilds, e.ID) })
	})
	v.AddHandler(func(_ *discordgo.Session, e *discordgo.MessageCreate) {
		note(func() { v.contents = append(v.contents, e.Content) })
	})
	v.AddHandler(func(_ *discordgo.Session, e *discordgo.VoiceStateUpdate) {
		note(func() { v.voice = append(v.voice, e.VoiceState) })
	})
	w.ok(v.Open())
	t.Cleanup(func() { v.Close() })
	return v
}

func (v *watcher) await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	late := time.After(2 * patience) // it waits a second and more before it connects again
	for {
		v.mu.Lock()
		ok := cond()
		v.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-v.changed:
		case <-late:
			t.Fatalf("%s: %d ready, %d resumed, %d messages", what, v.ready, v.resumed, len(v.contents))
		}
	}
}

// TestDiscordgoResumes lets a client library that knows nothing of the sandbox lose its connection in a burst.
func TestDiscordgoResumes(t *testing.T) {
	const total = 3000
	w := newGatewayWorld(t, GatewaySettings{})
	v := w.watch(t, discordgo.IntentsGuilds|discordgo.IntentsGuildMessages|discordgo.IntentsGuildVoiceStates|discordgo.IntentsMessageContent)
	v.await(t, "the guild", func() bool { return v.ready == 1 && len(v.guilds) == 1 && v.guilds[0] == w.guild.String() })
	g := must(v.State.Guild(w.guild.String()))(t)
	if len(g.Channels) != 2 || len(g.VoiceStates) != 2 || g.MemberCount != 6 || v.State.User.ID != w.all.ID.String() {
		t.Errorf("state: %d channels, %d voice states, %d members, user %+v", len(g.Channels), len(g.VoiceStates), g.MemberCount, v.State.User)
	}
	w.ok(w.SetVoice(w.guild, w.ana, true, true))
	v.await(t, "the voice state", func() bool { return len(v.voice) == 1 && v.voice[0].Mute && v.voice[0].UserID == w.ana.String() })

	send := func(first int) {
		w.ok(w.Burst(context.Background(), Burst{Guild: w.guild, Channel: w.text, Author: w.ana, Count: total / 3, First: first}))
	}
	send(1)
	w.CutSessions(Sessions{App: w.all.ID})
	send(total/3 + 1)
	v.await(t, "the first RESUME", func() bool { return v.resumed == 1 })
	w.Reconnect(Sessions{App: w.all.ID})
	send(2*total/3 + 1)
	v.await(t, "everything", func() bool { return v.resumed == 2 && len(v.contents) >= total })
	for i, s := range v.contents {
		if want := fmt.Sprintf("burst %d", i+1); s != want {
			t.Fatalf("message %d is %q", i+1, s)
		}
	}
	if c := w.GatewayCounts(); len(v.contents) != total || c.Identifies != 1 || c.Resumes != 2 || c.Unresumable != 0 {
		t.Errorf("%d messages, counts %+v", len(v.contents), c)
	}
}

// TestDiscordgoStartsAnew checks that the library gets over op 9 as the sandbox sends it.
func TestDiscordgoStartsAnew(t *testing.T) {
	w := newGatewayWorld(t, patient())
	v := w.watch(t, discordgo.IntentsGuilds|discordgo.IntentsGuildMessages|discordgo.IntentsMessageContent)
	v.await(t, "READY", func() bool { return v.ready == 1 })
	w.InvalidateSessions(Sessions{}, false)
	v.await(t, "the second READY", func() bool { return v.ready == 2 && len(v.guilds) == 2 })
	w.say(1)
	v.await(t, "a message", func() bool { return len(v.contents) == 1 })
	if w.Identifies() != 2 || w.Resumes() != 0 {
		t.Errorf("counts %+v", w.GatewayCounts())
	}
}

// BenchmarkBurst measures dispatches per second to one session, from the state to the client's socket.
func BenchmarkBurst(b *testing.B) {
	for _, compress := range []string{"", compressZlib, compressZstd} {
		b.Run("compress="+compress, func(b *testing.B) { benchBurst(b, "/?v=10&compress="+compress) })
	}
}

func benchBurst(b *testing.B, path string) {
	d := New(Config{Gateway: patient()})
	srv := newServer(b, d)
	app, _ := d.AddApplication(ApplicationSpec{Name: "bot", MessageContentIntent: true})
	owner, _ := d.AddUser("Olga")
	g, _ := d.AddGuild("Skeld", owner)
	ch, err := d.AddChannel(g, "general", TextChannel)
	if err == nil {
		err = d.AddMember(g, app.ID)
	}
	if err != nil {
		b.Fatal(err)
	}
	ws, _, err := websocket.Dial(b.Context(), srv+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1)
	hello := rawJSON(map[string]any{"op": gateway.OpIdentify, "d": identity(app, IntentGuildMessages|IntentMessageContent)})
	if err := ws.Write(b.Context(), websocket.MessageText, hello); err != nil {
		b.Fatal(err)
	}
	for range 2 { // HELLO and READY
		if _, _, err := ws.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	done := make(chan error, 1)
	b.ResetTimer()
	go func() {
		done <- d.Burst(b.Context(), Burst{Guild: g, Channel: ch, Author: owner, Count: b.N, Window: 4096})
	}()
	for range b.N {
		if _, _, err := ws.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "dispatches/s")
}
