package scene

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseJobIsAsStrictAsTheBot(t *testing.T) {
	for raw, ok := range map[string]bool{
		`{"type":2,"payload":"1"}`: true, `{"type":0,"payload":"true"}`: true, `{"type":2,"payload":""}`: true,
		`{"type":2,"payload":1}`: false, `{"type":0,"payload":true}`: false, `{"type":3,"payload":{}}`: false,
		`{"payload":"1"}`: false, `{"type":2}`: false, `[]`: false, ``: false, `{"type":"2","payload":"1"}`: false,
	} {
		if _, err := parseJob(raw); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestTransitions(t *testing.T) {
	for _, tc := range []struct {
		from, to               Phase
		delay                  time.Duration
		livingFirst, deadFirst bool
		aliveVoice, deadVoice  voice
	}{
		{Lobby, Tasks, 7 * time.Second, true, true, voice{true, true}, voice{}},
		{Ended, Tasks, 7 * time.Second, true, true, voice{true, true}, voice{}},
		{Tasks, Discussion, 0, false, true, voice{}, voice{mute: true}},
		{Discussion, Tasks, 7 * time.Second, true, false, voice{true, true}, voice{}},
		{Discussion, Lobby, 6 * time.Second, true, true, voice{}, voice{}},
		{Tasks, Lobby, time.Second, true, true, voice{}, voice{}},
		{Tasks, Ended, time.Second, true, true, voice{}, voice{}},
		{Ended, Lobby, 0, true, true, voice{}, voice{}},
		{Lobby, Menu, 0, true, true, voice{}, voice{}},
		{Menu, Lobby, 0, true, true, voice{}, voice{}},
	} {
		if d := defaultDelay(tc.from, tc.to); d != tc.delay {
			t.Errorf("%v to %v waits %v", tc.from, tc.to, d)
		}
		if a, d := first(tc.from, tc.to, true), first(tc.from, tc.to, false); a != tc.livingFirst || d != tc.deadFirst {
			t.Errorf("%v to %v: living first %v, dead first %v", tc.from, tc.to, a, d)
		}
		if a, d := defaultRules(tc.to, true), defaultRules(tc.to, false); a != tc.aliveVoice || d != tc.deadVoice {
			t.Errorf("%v: living %v, dead %v", tc.to, a, d)
		}
	}
}

func TestGameAsksOnlyForDifferences(t *testing.T) {
	g := newGame([]Link{{"Ana", 1}, {"Bo", 2}, {"Cat", 3}})
	step := func(kind int, payload string) [][]wish {
		t.Helper()
		tr, free, err := g.take(job{kind, payload})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case tr != nil:
			return g.wishes(*tr)
		case free:
			return g.wishes(transition{g.phase, g.phase})
		}
		return nil
	}
	md, m, none := voice{true, true}, voice{mute: true}, voice{}
	for _, s := range []struct {
		kind    int
		payload string
		want    [][]wish
	}{
		{jobConnection, "true", nil},
		{jobLobby, `{}`, nil},
		{jobState, "0", nil},
		{jobPlayer, `{"Action":0,"Name":"Nobody"}`, nil},
		{jobState, "1", [][]wish{{{1, md}, {2, md}, {3, md}}}},
		{jobState, "1", nil},
		{jobPlayer, `{"Action":2,"Name":"Bo","IsDead":true}`, nil},
		{jobState, "2", [][]wish{{{2, m}}, {{1, none}, {3, none}}}},
		{jobPlayer, `{"Action":6,"Name":"Cat","IsDead":true}`, nil},
		{jobState, "1", [][]wish{{{1, md}}, {{2, none}}}},
		{jobPlayer, `{"Action":1,"Name":"Ana"}`, [][]wish{{{1, none}}}},
		{jobGameOver, `{}`, nil},
		{jobState, "4", nil},
		{jobState, "0", nil},
		{jobPlayer, `{"Action":4,"Name":"Ana"}`, nil},
		{jobState, "1", [][]wish{{{1, md}, {2, md}, {3, md}}}},
	} {
		if got := step(s.kind, s.payload); !reflect.DeepEqual(got, s.want) {
			t.Errorf("job %d %s: %v, want %v", s.kind, s.payload, got, s.want)
		}
	}
	if all := g.release(); len(all) != 3 || g.release() != nil {
		t.Errorf("release %v", all)
	}
	for _, j := range []job{{jobState, "x"}, {jobPlayer, "x"}, {9, ""}} {
		if _, _, err := g.take(j); err == nil {
			t.Errorf("job %+v was taken", j)
		}
	}
}

// Whatever happens, what was asked for last is what the rules say for everybody whose phase was heard.
func TestGameConvergesOnTheRules(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		g := newGame([]Link{{"Ana", 1}, {"Bo", 2}, {"Cat", 3}, {"Dee", 4}})
		asked := map[string]voice{}
		for range 60 {
			if rng.IntN(2) == 0 {
				g.take(job{jobPlayer, `{"Action":` + []string{"0", "2", "4", "6"}[rng.IntN(4)] + `,"Name":"` + g.order[rng.IntN(4)] + `"}`})
				continue
			}
			tr, _, err := g.take(job{jobState, []string{"0", "1", "2", "3", "4"}[rng.IntN(5)]})
			if err != nil {
				t.Fatal(err)
			}
			if tr == nil {
				continue
			}
			for _, call := range g.wishes(*tr) {
				for _, w := range call {
					asked[g.order[w.User-1]] = w.voice
				}
			}
			for _, name := range g.order {
				if want := defaultRules(g.phase, g.players[name].alive); asked[name] != want {
					t.Fatalf("seed %d: %s in %v was asked %v, want %v", seed, name, g.phase, asked[name], want)
				}
			}
		}
	}
}

func TestRoundScript(t *testing.T) {
	players := []castPlayer{{1, "a", 0}, {2, "b", 1}, {3, "c", 2}, {4, "d", 3}, {5, "e", 4}}
	var phases []string
	for _, b := range round(players, 2) {
		if b.settles {
			phases = append(phases, b.phase.String())
		}
	}
	if got := strings.Join(phases, " "); got != "LOBBY TASKS DISCUSSION TASKS ENDED" {
		t.Errorf("phases %s", got)
	}
	one, two := round(players, 1), round(players, 2)
	if one[0].poll.GameOver != nil || one[0].poll.Players[0].Action != Joined {
		t.Errorf("the first lobby %+v", one[0].poll)
	}
	over := two[0].poll.GameOver
	if over == nil || !over.PlayerInfos[4].IsImpostor || over.PlayerInfos[0].IsImpostor || two[0].poll.Players[0].Action != ForceUpdated {
		t.Errorf("the second lobby %+v", two[0].poll)
	}
	if one[2].poll.Players[0].Name != "b" || two[2].poll.Players[0].Name != "c" {
		t.Errorf("who dies: %v, then %v", one[2].poll.Players, two[2].poll.Players)
	}
}
