package scene

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

const code = "7F3A09C2"

// startCapture runs a client against a broker until the test ends.
func startCapture(t *testing.T, cfg CaptureConfig) (*Capture, context.CancelFunc, <-chan error) {
	t.Helper()
	cfg.Code, cfg.Poll = code, time.Millisecond
	c, err := NewCapture(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() { defer close(done); ended <- c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return c, cancel, ended
}

func expect(t *testing.T, c *brokerConn, frames ...string) {
	t.Helper()
	for _, want := range frames {
		if got := c.next(t); got != want {
			t.Fatalf("client sent %s\nwant        %s", got, want)
		}
	}
}

func phase(p Phase) *Phase { return &p }

func TestCaptureSaysHelloLikeTheRealClient(t *testing.T) {
	b := newFakeBroker(t)
	closed := make(chan websocket.StatusCode, 4)
	b.onClose = func(_ *brokerConn, status websocket.StatusCode) { closed <- status }
	c, cancel, ended := startCapture(t, CaptureConfig{BrokerURL: b.srv.URL, Bot: &CaptureBot{ID: 798765432109876543}})
	conn := b.accept(t)
	expect(t, conn, `40`, `42["connectCode","7F3A09C2"]`, `42["botID",798765432109876543]`)

	// The game is not running: nothing follows. Then one look at it brings everything in its order.
	if _, err := c.Send(t.Context(), Poll{
		State: phase(Lobby), Lobby: &LobbyEvent{LobbyCode: "QWERTY"}, GameOver: &GameOverEvent{},
		Exiled: []PlayerEvent{{Action: Exiled, Name: "Bo", IsDead: true}}, Players: []PlayerEvent{{Name: "Ana", Color: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	expect(t, conn,
		eventFrame("player", `{"Action":6,"Name":"Bo","IsDead":true,"Disconnected":false,"Color":0}`), `42["state","0"]`,
		eventFrame("lobby", `{"LobbyCode":"QWERTY","Region":0,"Map":0}`), eventFrame("gameover", `{"GameOverReason":0,"PlayerInfos":null}`),
		eventFrame("player", `{"Action":0,"Name":"Ana","IsDead":false,"Disconnected":false,"Color":1}`))

	// A second 40 makes it introduce itself and send the game again; 40 with something after it does not.
	conn.send("40[]\n")
	conn.send("1")
	conn.send("3")
	conn.send("40")
	expect(t, conn, `42["connectCode","7F3A09C2"]`, `42["botID",798765432109876543]`, `42["state","0"]`,
		eventFrame("lobby", `{"LobbyCode":"QWERTY","Region":0,"Map":0}`),
		eventFrame("player", `{"Action":4,"Name":"Bo","IsDead":true,"Disconnected":false,"Color":0}`),
		eventFrame("player", `{"Action":4,"Name":"Ana","IsDead":false,"Disconnected":false,"Color":1}`))
	conn.send(`42["requestdata",7]`)
	expect(t, conn, `42["state","0"]`, eventFrame("lobby", `{"LobbyCode":"QWERTY","Region":0,"Map":0}`), // all of it: a goodbye waits for nothing
		eventFrame("player", `{"Action":4,"Name":"Bo","IsDead":true,"Disconnected":false,"Color":0}`),
		eventFrame("player", `{"Action":4,"Name":"Ana","IsDead":false,"Disconnected":false,"Color":1}`))

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if status := <-closed; status != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", status)
	}
	last := ""
	for f := range conn.frames {
		last = f
	}
	if last != "41" {
		t.Errorf("the last frame is %q, want 41", last)
	}
}

func TestCapturePingsOnlyWhenSidComesFirst(t *testing.T) {
	b := newFakeBroker(t)
	b.open = `0{"sid":"a","upgrades":null,"pingInterval":1,"pingTimeout":60000}`
	startCapture(t, CaptureConfig{BrokerURL: b.srv.URL})
	conn := b.accept(t)
	for range 3 {
		for f := range conn.frames {
			if f == "2" {
				break
			}
		}
	}

	b = newFakeBroker(t)
	b.open = `0{"pingInterval":1,"pingTimeout":60000,"sid":"a"}`
	startCapture(t, CaptureConfig{BrokerURL: b.srv.URL})
	conn = b.accept(t)
	// It still introduces itself, but neither sends its own 40 nor ever a ping.
	expect(t, conn, `42["connectCode","7F3A09C2"]`)
	select {
	case f := <-conn.frames:
		t.Errorf("sent %q", f)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestCaptureReconnectsWithTheGame(t *testing.T) {
	b := newFakeBroker(t)
	c, _, ended := startCapture(t, CaptureConfig{BrokerURL: b.srv.URL})
	conn := b.accept(t)
	expect(t, conn, `40`, `42["connectCode","7F3A09C2"]`)
	if _, err := c.Send(t.Context(), Poll{State: phase(Tasks)}); err != nil {
		t.Fatal(err)
	}
	expect(t, conn, `42["state","1"]`)
	for range 2 {
		conn.send("41")
		conn = b.accept(t)
		expect(t, conn, `40`, `42["connectCode","7F3A09C2"]`, `42["state","1"]`)
	}
	conn.conn.CloseNow()
	conn = b.accept(t)
	expect(t, conn, `40`, `42["connectCode","7F3A09C2"]`, `42["state","1"]`)
	conn.send(`42["killself"]`)
	if err := <-ended; !errors.Is(err, ErrKilled) {
		t.Errorf("killself: %v", err)
	}
}

func TestCaptureFailsOnlyAtTheFirstConnect(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, _, ended := startCapture(t, CaptureConfig{BrokerURL: gone.URL})
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "cannot reach the broker") {
		t.Errorf("no broker: %v", err)
	}
	for _, url := range []string{"", "127.0.0.1:8123", "ftp://h", "http://h/prefix", "http://"} {
		if _, err := NewCapture(CaptureConfig{BrokerURL: url}); err == nil {
			t.Errorf("address %q was taken", url)
		}
	}
}

func TestCaptureMutesOneAtATime(t *testing.T) {
	d := sandbox.New(sandbox.Config{})
	bot, err := d.AddApplication(sandbox.ApplicationSpec{Name: "capture"})
	if err != nil {
		t.Fatal(err)
	}
	cast, err := newCast(Config{Discord: d, Bots: []sandbox.Application{bot}, Players: 5})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(d)
	t.Cleanup(api.Close)
	b := newFakeBroker(t)
	tasks := make(chan bool, 16)
	startCapture(t, CaptureConfig{
		BrokerURL: b.srv.URL, Task: func(ok bool, _ time.Duration) { tasks <- ok },
		Bot: &CaptureBot{ID: uint64(bot.ID), Token: secret.New(bot.Token), API: func() string { return api.URL + "/api/v10" }},
	})
	conn := b.accept(t)
	expect(t, conn, `40`, `42["connectCode","7F3A09C2"]`, `42["botID",`+bot.ID.String()+`]`)
	ask := func(user sandbox.ID, id string) {
		conn.send(eventFrame("modify", fmt.Sprintf(`{"guildID":%s,"userID":%s,"parameters":{"deaf":false,"mute":true},"taskID":"%s"}`, cast.guild, user, id)))
	}
	fail := func(f sandbox.Fault) {
		t.Helper()
		if err := d.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	ask(cast.players[0].user, "a1")
	conn.send(`42["modify","nonsense"]`)
	ask(cast.players[1].user, "a2")
	expect(t, conn, `42["taskComplete","a1"]`, `42["taskComplete","a2"]`)
	if v, _ := d.VoiceState(cast.guild, cast.players[1].user); !v.Mute || v.Deaf {
		t.Errorf("state %+v", v)
	}
	fail(sandbox.Fault{Kind: sandbox.Fault502, Count: 2})
	ask(cast.players[2].user, "b1")
	expect(t, conn, `42["taskComplete","b1"]`)
	for i, f := range []sandbox.Fault{{Kind: sandbox.FaultLimitUser}, {Kind: sandbox.Fault500}, {Kind: sandbox.Fault502, Count: 5}, {Kind: sandbox.FaultTimeout}} {
		fail(f)
		id := fmt.Sprint("c", i)
		ask(cast.players[3].user, id)
		expect(t, conn, `42["taskFailed","`+id+`"]`)
	}
	for i, want := range []bool{true, true, true, false, false, false, false} {
		if got := <-tasks; got != want {
			t.Errorf("task %d: %v", i, got)
		}
	}
}

func TestCaptureWithoutABotFailsEveryTask(t *testing.T) {
	b := newFakeBroker(t)
	startCapture(t, CaptureConfig{BrokerURL: b.srv.URL})
	conn := b.accept(t)
	expect(t, conn, `40`, `42["connectCode","7F3A09C2"]`)
	conn.send(`42["modify","{\"guildID\":1,\"userID\":2,\"parameters\":{\"deaf\":false,\"mute\":true},\"taskID\":\"585eaca788\"}"]`)
	expect(t, conn, `42["taskFailed","585eaca788"]`)
}
