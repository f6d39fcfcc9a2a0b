package muteproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"

	"github.com/prometheus/client_golang/prometheus"
)

// rig is a Discord with one guild whose members sit in voice, and what a muteproxy
// needs to work there.
type rig struct {
	t       testing.TB
	discord *sandbox.Discord
	bus     *bus.Bus
	guild   sandbox.ID
	channel sandbox.ID
	users   []sandbox.ID
	apps    []sandbox.Application // the primary bot first
	cfg     Config
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newRig makes a guild with that many bots, which all may mute, and members in voice.
func newRig(t testing.TB, bots, members int) *rig {
	t.Helper()
	d := sandbox.New(sandbox.Config{})
	run(t, d.Run)
	<-d.Ready()
	r := &rig{t: t, discord: d, bus: bustest.New(t)}
	id, app := must[sandbox.ID](t), must[sandbox.Application](t)
	r.guild = id(d.AddGuild("g", id(d.AddUser("owner"))))
	r.channel = id(d.AddChannel(r.guild, "voice", sandbox.VoiceChannel))
	role := id(d.AddRole(r.guild, "mutes", sandbox.VoiceModerator))
	for i := range bots {
		a := app(d.AddApplication(sandbox.ApplicationSpec{Name: fmt.Sprint("bot", i)}))
		r.apps = append(r.apps, a)
		r.ok(d.AddMember(r.guild, a.ID, role))
	}
	for i := range members {
		u := id(d.AddUser(fmt.Sprint("player", i)))
		r.users = append(r.users, u)
		r.ok(d.AddMember(r.guild, u))
		r.ok(d.JoinVoice(r.guild, u, r.channel))
	}
	r.cfg = Config{Addr: "127.0.0.1:0", Primary: secret.New(r.apps[0].Token), APIURL: d.URL(), DataDir: t.TempDir()}
	for _, a := range r.apps[1:] {
		r.cfg.Workers = append(r.cfg.Workers, secret.New(a.Token))
	}
	return r
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// run runs a service until the test ends or stop is called.
func run(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// start runs a muteproxy on a connection of its own.
func (r *rig) start() (url string, stop func()) {
	r.t.Helper()
	m, stop := r.launch()
	return "http://" + m.Addr(), stop
}

// startKept does the same for a test that looks inside.
func (r *rig) startKept() (url string, m *Muteproxy) {
	r.t.Helper()
	m, _ = r.launch()
	return "http://" + m.Addr(), m
}

func (r *rig) launch() (m *Muteproxy, stop func()) {
	r.t.Helper()
	b := must[*bus.Bus](r.t)(r.bus.Component(r.t.Context(), "muteproxy"))
	cfg := r.cfg
	cfg.Metrics = prometheus.NewRegistry()
	m = must[*Muteproxy](r.t)(New(cfg, b, bustest.Log(r.t)))
	end := run(r.t, m.Run)
	select {
	case <-m.Ready():
	case <-time.After(20 * time.Second):
		r.t.Fatal("muteproxy was not ready within 20 s")
	}
	return m, func() { end(); bustest.Close(r.t, b) }
}

// body writes a batch as AutoMuteUs does.
func (r *rig) body(tier int, states ...bus.VoiceState) string {
	var users []string
	for i, s := range states {
		users = append(users, fmt.Sprintf(`{"userID":%d,"mute":%t,"deaf":%t}`, r.users[i], s.Mute, s.Deaf))
	}
	return fmt.Sprintf(`{"premium":%d,"users":[%s]}`, tier, strings.Join(users, ","))
}

func all(n int, s bus.VoiceState) []bus.VoiceState {
	out := make([]bus.VoiceState, n)
	for i := range out {
		out[i] = s
	}
	return out
}

var (
	free   = bus.VoiceState{}
	silent = bus.VoiceState{Mute: true, Deaf: true}
	muted  = bus.VoiceState{Mute: true}
)

// send posts a body and gives the status and the answer.
func send(t testing.TB, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// modify posts a batch for a game and gives the status and the counts.
func (r *rig) modify(url, code, body string) (int, modifyAnswer) {
	r.t.Helper()
	status, text := send(r.t, http.MethodPost, fmt.Sprintf("%s/modify/%d/%s", url, r.guild, code), body)
	var a modifyAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		r.t.Fatalf("answer %d %q: %v", status, text, err)
	}
	return status, a
}

// expect waits until the members' voice states are as given.
func (r *rig) expect(states ...bus.VoiceState) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for i, s := range states {
		if err := r.discord.AwaitVoice(ctx, r.guild, r.users[i], s.Mute, s.Deaf); err != nil {
			got, _ := r.discord.VoiceState(r.guild, r.users[i])
			r.t.Fatalf("member %d is %+v, want %+v", i, got, s)
		}
	}
}

// patches counts the member changes that Discord decided, by status.
func (r *rig) patches() map[int]int {
	n := map[int]int{}
	for _, q := range r.discord.Requests(0, 1<<20) {
		if q.Route == sandbox.RoutePatchMember {
			n[q.Status]++
		}
	}
	return n
}
