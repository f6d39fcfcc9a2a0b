package scene

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"splashtail/internal/sandbox"
)

// stage is a scene with fakes in the place of broker and mute proxy.
type stage struct {
	d        *sandbox.Discord
	redis    *miniredis.Miniredis
	broker   *redisBroker
	galactus *fakeGalactus
	cfg      Config
	steps    *[]Step // complete when Run has returned
}

func newStage(t *testing.T) *stage {
	t.Helper()
	off := sandbox.Limit{Requests: -1}
	s := &stage{d: sandbox.New(sandbox.Config{Limits: sandbox.Limits{MemberPatch: off, Global: -1}}), steps: new([]Step)}
	var bots []sandbox.Application
	for _, name := range []string{"primary", "worker 1", "worker 2"} {
		b, err := s.d.AddApplication(sandbox.ApplicationSpec{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		bots = append(bots, b)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.d.Run(ctx) }()
	<-s.d.Ready()
	t.Cleanup(func() { cancel(); <-served })
	s.redis = miniredis.RunT(t)
	s.broker = newRedisBroker(t, s.redis, DefaultConnectCode)
	s.galactus = newFakeGalactus(t, s.d, bots)
	s.galactus.capture = s.broker
	s.cfg = Config{
		Discord: s.d, Bots: bots, BrokerURL: s.broker.srv.URL, GalactusURL: s.galactus.srv.URL, RedisAddr: s.redis.Addr(),
		CaptureBot: true, Rounds: 2, Pace: Fast(),
		Narrate: func(st Step) { *s.steps = append(*s.steps, st) },
	}
	s.cfg.Pace.Settle = 10 * time.Second
	return s
}

func (s *stage) count(kind StepKind) (n int) {
	for _, st := range *s.steps {
		if st.Kind == kind {
			n++
		}
	}
	return n
}

func TestTwoRounds(t *testing.T) {
	s := newStage(t)
	sc, err := New(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[StepKind]int{StepLink: 1, StepVoice: 10, StepSummary: 2, StepModify: 12, StepTask: 12} {
		if got := s.count(kind); got != want {
			t.Errorf("%d steps of kind %s, want %d", got, kind, want)
		}
	}
	for _, st := range *s.steps {
		if line := st.String(); strings.Contains(line, DefaultConnectCode) || !strings.Contains(line, string(st.Kind)) {
			t.Errorf("line %q", line)
		}
		if st.Kind == StepVoice && st.Members > 0 && st.Latency <= 0 {
			t.Errorf("no latency in %+v", st)
		}
	}
	for _, u := range sc.Players() {
		if v, ok := s.d.VoiceState(sc.Guild(), u); !ok || v.Mute || v.Deaf || v.Channel != sc.Channel() {
			t.Errorf("at the end: %+v", v)
		}
	}
	if members, _ := s.redis.ZMembers(gamesKey); len(members) != 0 {
		t.Errorf("games left: %v", members)
	}
	// What AutoMuteUs sends, to the letter: the guild in the path, ids as numbers, everybody alive.
	body := <-s.galactus.bodies
	var users []modifyUser
	for _, u := range sc.Players() {
		users = append(users, modifyUser{uint64(u), true, true})
	}
	raw, _ := json.Marshal(modifyBody{Premium: 5, Users: users})
	if want := sc.Guild().String() + " " + string(raw); body != want {
		t.Errorf("first call %s\nwant       %s", body, want)
	}
}

func TestSceneFindsAWrongVoice(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*modifyUser) bool
		want  string
	}{
		"lost":   {func(u *modifyUser) bool { return u.Mute && u.Deaf }, "TASKS was sent, Ana (dead: false) has mute false and deaf false instead of true and true"},
		"halved": {func(u *modifyUser) bool { u.Deaf = false; return false }, "instead of true and true"},
		"kept":   {func(u *modifyUser) bool { return !u.Mute && !u.Deaf }, "DISCUSSION was sent"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.cfg.CaptureBot = false
			s.galactus.spoil = tc.spoil
			s.cfg.Pace.Settle = 300 * time.Millisecond
			sc, err := New(s.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := sc.Run(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

func TestSceneFindsAVoiceThatChangesBack(t *testing.T) {
	s := newStage(t)
	s.cfg.Pace.Hold = 50 * time.Millisecond
	var sc *Scene
	s.cfg.Narrate = func(st Step) {
		if st.Kind == StepVoice && st.Phase == Tasks {
			if err := s.d.SetVoice(sc.Guild(), sc.Players()[3], false, false); err != nil {
				t.Error(err)
			}
		}
	}
	sc, err := New(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "after TASKS was over, Dmitri") {
		t.Errorf("%v", err)
	}
}

func TestSceneEndsWithItsContext(t *testing.T) {
	s := newStage(t)
	s.cfg.Rounds = 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.cfg.Narrate = func(st Step) {
		if st.Kind == StepVoice && st.Round == 2 && st.Phase == Tasks {
			cancel()
		}
	}
	sc, err := New(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	for _, u := range sc.Players() {
		if v, _ := s.d.VoiceState(sc.Guild(), u); v.Mute || v.Deaf {
			t.Errorf("left behind: %+v", v)
		}
	}
}

func TestSceneSaysWhoIsMissing(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(away.Close)
	for name, tc := range map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"mute proxy": {func(c *Config) { c.GalactusURL = away.URL }, "greeting with 404"},
		"broker":     {func(c *Config) { c.BrokerURL = away.URL }, "cannot reach the broker"},
		"Redis":      {func(c *Config) { c.RedisAddr = "127.0.0.1:1" }, "cannot listen in Redis"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			tc.spoil(&s.cfg)
			sc, err := New(s.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := sc.Run(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestNewReportsEveryFault(t *testing.T) {
	_, err := New(Config{ConnectCode: "short", Players: 99})
	if err == nil || len(strings.Split(err.Error(), "\n")) != 5 {
		t.Errorf("%v", err)
	}
	if _, err := NewAutoMuteUs(AutoMuteUsConfig{}); err == nil {
		t.Error("AutoMuteUs without anything")
	}
}

func TestShownPaceKeepsTheDelays(t *testing.T) {
	if p := Shown(); p.Hold <= 0 || p.Delay <= 0 || p.Delay > 1 {
		t.Errorf("%+v", p)
	}
}
