package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"splashtail/internal/sandbox"
)

// everything starts `splashtail up` with a real Redis and a Discord on loopback.
func everything(t testing.TB) (*program, settings, *redisServer) {
	t.Helper()
	r := startRedis(t)
	_, _, discord := startDiscord(t, sandbox.Config{})
	s := onFreePorts(t).with(discord).with(settings{"REDIS_ADDR": r.Addr()})
	return start(t, "up", s), s, r
}

// element is what the list of AutoMuteUs must hold for an event, byte for byte.
func element(kind int, payload string) string {
	return `{"type":` + strconv.Itoa(kind) + `,"payload":` + quoted(payload) + `}`
}

// quoted writes a text as JSON the plain way: only what must be escaped is.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

const (
	linked   = `{"type":0,"payload":"true"}`
	unlinked = `{"type":0,"payload":"false"}`
)

// A round as a client reads it, with what trips up parsers: quotes, other alphabets, characters that HTML would escape.
const (
	lobbyText    = `{"LobbyCode":"QWERTY","Region":0,"Map":2}`
	playerText   = `{"Action":0,"Name":"Ana \"<Ä>& 😀\"","IsDead":false,"Disconnected":false,"Color":7}`
	gameOverText = `{"GameOverReason":3,"PlayerInfos":[{"Name":"Ana","IsImpostor":true},{"Name":"Bo","IsImpostor":false}]}`
)

// TestClientsOfNPM: a client of each generation, over each way to connect, plays a round; AutoMuteUs sees in Redis what it
// expects of galactus.
func TestClientsOfNPM(t *testing.T) {
	t.Parallel()
	p, s, r := everything(t)
	var rounds []*round
	t.Run("clients", func(t *testing.T) {
		for i, c := range []struct {
			name, library string
			transports    []string
			endsOn        string
		}{
			{"2.x over websocket", npmTwo, []string{"websocket"}, "websocket"},
			{"2.x over polling, then websocket", npmTwo, nil, "websocket"},
			{"2.x over polling", npmTwo, []string{"polling"}, "polling"},
			{"4.x over websocket", npmFour, []string{"websocket"}, "websocket"},
			{"4.x over polling, then websocket", npmFour, nil, "websocket"},
			{"4.x over polling", npmFour, []string{"polling"}, "polling"},
		} {
			g := &round{code: fmt.Sprintf("C0DE000%d", i)}
			g.notes = r.listen(notifyName(g.code))
			rounds = append(rounds, g)
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				g.t, g.r, g.connect = t, r.seenBy(t), func() *npmClient { return connectNPM(t, c.library, s.broker(), c.transports...) }
				g.play(c.endsOn)
			})
		}
	})
	if t.Failed() {
		t.FailNow() // the games were not played to their end
	}
	secrets := []string{s["DISCORD_BOT_TOKEN"]}
	for _, g := range rounds {
		g.t, g.r = t, r
		g.isUnlinked()
		secrets = append(secrets, g.code)
	}
	p.stop()
	p.keepsQuietAbout(secrets...)
}

// round is a game on its own connect code.
type round struct {
	t       *testing.T
	r       *redisServer
	code    string
	connect func() *npmClient
	notes   *ear     // of the list
	want    []string // elements of the list so far
}

func (g *round) expect(elements ...string) {
	g.t.Helper()
	g.want = append(g.want, elements...)
	g.r.awaitJobs(g.code, g.want...)
}

func (g *round) play(endsOn string) {
	c := g.connect()
	g.tellsTheGame(c)
	g.burst(c)
	if endsOn == "websocket" {
		// The move from polling takes place beside the events.
		eventually(g.t, "the client talks over "+endsOn, func(context.Context) error {
			if now := c.transport(); now != endsOn {
				return fmt.Errorf("it talks over %s", now)
			}
			return nil
		})
	} else if now := c.transport(); now != endsOn {
		g.t.Errorf("the client talks over %s, want %s", now, endsOn)
	}
	g.answersAutoMuteUs()
	g.renewsItsKeys(c)
	g.mutes(c)
	g.changesOwner(c)
}

// tellsTheGame: each event becomes one element, word for word, and only the list's first element gives it its hour.
func (g *round) tellsTheGame(c *npmClient) {
	c.emit("connectCode", g.code)
	g.expect(linked)
	if ttl := g.r.ttl(jobsKey(g.code)); ttl < 3500 || ttl > 3600 {
		g.t.Errorf("a new list lives for %d s, want an hour", ttl)
	}
	g.r.setTTL(jobsKey(g.code), 2000)
	c.emit("botID", 798765432109876500) // as near as JavaScript comes
	c.emit("state", "0")
	c.emit("lobby", lobbyText)
	c.emit("player", playerText)
	c.emit("gameover", gameOverText)
	g.expect(element(2, "0"), element(1, lobbyText), element(3, playerText), element(4, gameOverText))
	if ttl := g.r.ttl(jobsKey(g.code)); ttl > 2000 {
		g.t.Errorf("a list that was there lives for %d s after more elements, want less than before", ttl)
	}
	if room := g.r.get(roomKey(g.code)); room != "QWERTY" {
		g.t.Errorf("the room code is %q", room)
	}
	if ready := g.r.get(readyKey(g.code)); ready != "1" {
		g.t.Errorf("the key for readiness holds %q, want 1", ready)
	}
}

// burst: what is sent back to back stays in order, also while a client moves from polling to websocket.
func (g *round) burst(c *npmClient) {
	var events [][]any
	var want []string
	for i := range 60 {
		text := fmt.Sprintf(`{"Action":4,"Name":"Player %d","IsDead":false,"Disconnected":false,"Color":%d}`, i, i%18)
		events = append(events, []any{"player", text})
		want = append(want, element(3, text))
	}
	c.burst(events...)
	g.expect(want...)
}

// answersAutoMuteUs: each ack of AutoMuteUs is answered by saying once more that a client is there.
func (g *round) answersAutoMuteUs() {
	for range 2 {
		g.r.publish(jobsKey(g.code)+":ack", "1", 1)
		g.expect(linked)
	}
}

// renewsItsKeys: state and player keep the keys of the game alive, a lobby sets a new room code.
func (g *round) renewsItsKeys(c *npmClient) {
	for event, text := range map[string]string{"state": "1", "player": playerText} {
		g.r.setTTL(roomKey(g.code), 100)
		g.r.setTTL(readyKey(g.code), 100)
		c.emit(event, text)
		g.expect(element(map[string]int{"state": 2, "player": 3}[event], text))
		for _, key := range []string{roomKey(g.code), readyKey(g.code)} {
			if ttl := g.r.ttl(key); ttl < 800 || ttl > 900 {
				g.t.Errorf("%s lives for %d s after a %s, want 900", key, ttl, event)
			}
		}
	}
	g.r.setTTL(roomKey(g.code), 100)
	next := strings.Replace(lobbyText, "QWERTY", "ASDF", 1)
	c.emit("lobby", next)
	g.expect(element(1, next))
	if room, ttl := g.r.get(roomKey(g.code)), g.r.ttl(roomKey(g.code)); room != "ASDF" || ttl < 800 {
		g.t.Errorf("the room code is %q for %d s, want ASDF for 900", room, ttl)
	}
}

// mutes: tasks of both generations reach the client as a string, and their askers hear what they wait for, once.
func (g *round) mutes(c *npmClient) {
	for i, k := range []struct {
		channel string
		answer  string
		hears   []string
	}{
		{"automuteus:tasks:subscribe:", "taskComplete", []string{"broadcast true", "complete true"}},
		{"automuteus:tasks:subscribe:", "taskFailed", []string{"broadcast true", "complete false"}},
		{"automuteus:tasks:list:", "taskComplete", []string{"complete true"}},
		{"automuteus:tasks:list:", "taskFailed", []string{"complete false"}},
	} {
		id := fmt.Sprintf("585eaca%s%d", g.code[7:], i)
		ear := g.r.listen("automuteus:tasks:broadcast:ack:"+id, "automuteus:tasks:complete:ack:"+id)
		task := fmt.Sprintf(`{"guildID":812345678901234567,"userID":23456789012345679%d,"parameters":{"deaf":false,"mute":true},"taskID":"%s"}`, i, id)
		c.answers(k.answer)
		g.r.publish(k.channel+g.code, task, 1)
		var text string
		if err := json.Unmarshal([]byte(c.event("modify")), &text); err != nil || text != task {
			g.t.Errorf("the client was told %q (%v), want the task as a string", text, err)
		}
		for _, h := range k.hears {
			word, payload, _ := strings.Cut(h, " ")
			ear.hear("automuteus:tasks:" + word + ":ack:" + id + " " + payload)
		}
		// A second answer is nobody's; the mark behind it shows that nothing came in between.
		c.emit("state", "1")
		g.expect(element(2, "1"))
		c.sends("taskComplete", id)
		c.emit("state", "2")
		g.expect(element(2, "2"))
		g.r.publish("automuteus:tasks:complete:ack:"+id, "mark", 1)
		ear.hear("automuteus:tasks:complete:ack:" + id + " mark")
	}
}

// changesOwner: the newest client of a code owns it; the one before is not heard until it says the code again; one that
// leaves and comes back at once is not reported.
func (g *round) changesOwner(a *npmClient) {
	b := g.connect()
	b.emit("connectCode", g.code)
	g.expect(linked)
	if ask := b.event("requestdata"); ask != "7" {
		g.t.Errorf("the new owner is asked for %s, want 7: everything", ask)
	}
	if n := g.r.ttl(readyKey(g.code)); n != -2 {
		g.t.Errorf("the key for readiness lives for %d s although the new owner has no bot", n)
	}
	b.emit("state", "1")
	a.sends("state", "2") // dropped
	a.emit("connectCode", g.code)
	g.expect(element(2, "1"), linked)
	b.sends("state", "1") // dropped
	b.emit("connectCode", g.code)
	g.expect(linked)
	a.close() // owns nothing
	b.close()
	// Back within the grace: the game was never unlinked.
	c := g.connect()
	c.emit("connectCode", g.code)
	g.expect(linked)
	c.emit("botID", 1)
	c.emit("player", playerText)
	g.expect(element(3, playerText))
	if ready := g.r.get(readyKey(g.code)); ready != "1" {
		g.t.Errorf("the key for readiness holds %q, want 1", ready)
	}
	c.close()
}

// isUnlinked: when the owner has been gone for the grace, AutoMuteUs is told, once, and nothing of the game stays behind
// but its list and room code. Each element came with one call to look into the list.
func (g *round) isUnlinked() {
	g.expect(unlinked)
	if n := g.r.ttl(readyKey(g.code)); n != -2 {
		g.t.Errorf("the key for readiness lives for %d s although nobody is there", n)
	}
	if subscribers := g.r.subscribers(g.code); subscribers != 0 {
		g.t.Errorf("%d subscriptions stay for a game without a client", subscribers)
	}
	for range g.want {
		g.notes.hear(notifyName(g.code) + " 1")
	}
	g.r.publish(notifyName(g.code), "mark", 1)
	g.notes.hear(notifyName(g.code) + " mark")
}
