package broker

import (
	"strings"
	"testing"
	"time"

	"splashtail/bus"
)

func TestAGameReachesRedisAsAutoMuteUsReadsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "AAAA0001")
	list := "automuteus:jobs:" + code.String()
	notified := r.listen(notifyChannel(code))
	p := r.link(br, code)
	r.wantList(code, linked)
	r.ok(r.rdb.Expire(t.Context(), list, 1000*time.Second).Err()) // a later event must not renew it
	lobby := `{"LobbyCode":"ABCDEF","Region":2,"Map":0}`
	player := `{"Action":0,"Name":"Ünal <3 & co","IsDead":false,"Disconnected":false,"Color":4}`
	over := `{"GameOverReason":3,"PlayerInfos":[{"Name":"x","IsImpostor":true}]}`
	p.says("botID", "18446744073709551615")
	p.says("lobby", quoted(lobby))
	p.says("state", `"1"`)
	p.says("player", quoted(player))
	p.says("gameover", quoted(over))
	esc := strings.NewReplacer(`"`, `\"`)
	r.wantList(code, linked, `{"type":1,"payload":"`+esc.Replace(lobby)+`"}`, phase(1),
		`{"type":3,"payload":"`+esc.Replace(player)+`"}`, `{"type":4,"payload":"`+esc.Replace(over)+`"}`)
	for range 5 {
		notified.wants(notifyChannel(code), "1")
	}
	for key, most := range map[string]time.Duration{list: 1000 * time.Second, roomCodeKey(code): 900 * time.Second, "automuteus:capture:muteready:" + code.String(): 900 * time.Second} {
		if ttl, err := r.rdb.TTL(t.Context(), key).Result(); err != nil || ttl <= most-200*time.Second || ttl > most {
			t.Errorf("%s lives for %s, want about %s (%v)", key, ttl, most, err)
		}
	}
	if room, err := r.rdb.Get(t.Context(), roomCodeKey(code)).Result(); room != "ABCDEF" {
		t.Errorf("the room code is %q, %v", room, err)
	}
	// AutoMuteUs asks, when it starts again, whether a client is there.
	r.ok(r.rdb.Del(t.Context(), list).Err())
	r.ok(r.rdb.Publish(t.Context(), ackChannel(code), "true").Err())
	r.wantList(code, linked)
	if ttl, err := r.rdb.TTL(t.Context(), list).Result(); err != nil || ttl <= 3500*time.Second || ttl > 3600*time.Second {
		t.Errorf("a new list lives for %s, %v", ttl, err)
	}
}

func TestANewerClientTakesOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "AAAA0002")
	first := r.link(br, code)
	first.says("state", `"1"`)
	second := r.link(br, code)
	second.hears(`42["requestdata",7]`)
	first.offers("state", `"2"`) // it stays connected and is not heard
	second.says("state", `"0"`)
	r.wantList(code, linked, phase(1), linked, phase(0))
	first.leave()
	eventually(t, "the first one is gone", func() bool { return br.gate.connections() == 1 })
	third := r.link(br, gameCode(t, "AAAA0003")) // another game goes on beside it
	third.says("state", `"1"`)
	// The first one says the code again and has the game back.
	fourth := r.link(br, code)
	second.says("connectCode", quoted(code.String()))
	fourth.offers("state", `"1"`)
	second.says("state", `"2"`)
	r.wantList(code, linked, phase(1), linked, phase(0), linked, linked, phase(2))
	r.wantList(gameCode(t, "AAAA0003"), linked, phase(1))
}

func TestAClientThatComesBackWithinTheGraceIsNotReported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Grace = 10 * time.Second
	br, stop := r.start()
	code := gameCode(t, "AAAA0004")
	p := r.link(br, code)
	p.leave()
	eventually(t, "it is gone", func() bool { return br.gate.connections() == 0 })
	p = r.link(br, code)
	p.says("state", `"1"`)
	r.wantList(code, linked, linked, phase(1))
	stop() // whoever is linked when the process ends is reported by it
	r.wantList(code, linked, linked, phase(1), unlinked)
}

func TestAClientThatStaysAwayIsReportedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, stop := r.start()
	code := gameCode(t, "AAAA0005")
	p := r.link(br, code)
	p.says("botID", "7")
	r.settled()
	if n, err := r.rdb.Exists(t.Context(), "automuteus:capture:muteready:"+code.String()).Result(); n != 1 {
		t.Errorf("mute tasks have no taker, %v", err)
	}
	p.leave()
	r.wantList(code, linked, unlinked)
	if n, err := r.rdb.Exists(t.Context(), "automuteus:capture:muteready:"+code.String()).Result(); n != 0 {
		t.Errorf("mute tasks have a taker still, %v", err)
	}
	stop()
	r.settled()
	r.wantList(code, linked, unlinked)
}

func TestASecondCodeGivesTheFirstUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	one, two := gameCode(t, "AAAA0006"), gameCode(t, "AAAA0007")
	p := r.link(br, one)
	p.says("connectCode", quoted(two.String()))
	p.says("state", `"1"`)
	r.wantList(one, linked, unlinked)
	r.wantList(two, linked, phase(1))
}

func TestWhatAStrangerSendsChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "AAAA0008")
	p := r.connect(br)
	p.offers("state", `"1"`) // no code yet
	for _, bad := range []string{`"short"`, `"with.dot"`, `"*.>AAAAA"`, `12345678`, `null`, `""`, `"AAAAÜAAA"`} {
		p.offers("connectCode", bad)
	}
	p.says("connectCode", quoted(code.String()))
	for event, args := range map[string][]string{
		"state":   {`1`, `"x"`, `""`, `null`, `"1","2"`},
		"lobby":   {`{"LobbyCode":"A"}`, `"{}"`, `"[]"`, `"{\"LobbyCode\":7}"`, `"{\"LobbyCode\":\"` + strings.Repeat("x", 65) + `\"}"`},
		"player":  {`"{}"`, `"{\"Name\":\"x\",\"Color\":\"red\"}"`, `"{\"Name\":\"x\"}}"`, `7`},
		"unknown": {`"1"`},
		"botID":   {`"7"`, `-1`, `1.5`, `18446744073709551616`},
	} {
		for _, arg := range args {
			p.offers(event, arg)
		}
	}
	p.offers("player", quoted(`{"Name":"`+strings.Repeat("x", maxEventPayload)+`"}`))
	p.says("state", `"3"`)
	r.wantList(code, linked, phase(3))
}

func TestTwoBrokersShareTheGames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Instance = "a"
	brA, stopA := r.start()
	r.cfg.Instance = "b"
	brB, _ := r.start()
	code, other := gameCode(t, "AAAA0009"), gameCode(t, "AAAA000A")
	atA := r.link(brA, code)
	atA.says("state", `"1"`)
	stays := r.link(brA, other)
	stays.says("state", `"1"`)
	atB := r.link(brB, code)
	atB.hears(`42["requestdata",7]`)
	eventually(t, "the first broker has given the game up", func() bool { return brA.hub.find(code) == nil })
	atA.offers("state", `"2"`)
	atB.says("state", `"0"`)
	atA.leave()
	r.wantList(code, linked, phase(1), linked, phase(0))
	stopA() // reports its own game, not the one that was taken over
	r.wantList(other, linked, phase(1), unlinked)
	atB.says("state", `"2"`) // the second broker writes to Redis now
	atB.leave()
	r.wantList(code, linked, phase(1), linked, phase(0), phase(2), unlinked)
}

func TestAShutdownTellsBotsWhichGamesEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, stop := r.start()
	notices := r.listen(noticesChannel)
	r.link(br, gameCode(t, "AAAA000B"))
	stop()
	notices.wants(noticesChannel, `{"shutdown":{"connectCodes":["AAAA000B"]}}`)
}

// deadBroker leaves on the bus what a broker does that was killed while a client of a
// game was linked.
func (r *rig) deadBroker(code bus.ConnectCode) {
	r.t.Helper()
	_, err := bus.Publish(r.t.Context(), r.bus, bus.CaptureSubject(code, bus.CaptureConnection),
		bus.CaptureEvent{V: 1, Code: code, Kind: bus.CaptureConnection, Payload: "true", Session: "gone", At: time.Now().UTC(), Cause: causeConnected})
	r.ok(err)
	records, err := bus.OpenRecords(r.t.Context(), r.bus, bus.Owners())
	r.ok(err)
	_, err = records.Put(r.t.Context(), code.String(), bus.Owner{V: 1, Instance: "dead-1", Session: "gone", Since: time.Now().UTC()})
	r.ok(err)
}

func TestTheSweeperReportsClientsOfABrokerThatDied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Grace = time.Second
	lost, back := gameCode(t, "AAAA000C"), gameCode(t, "AAAA000D")
	r.deadBroker(lost)
	r.deadBroker(back)
	br, _ := r.start()
	p := r.link(br, back) // within the grace
	p.says("state", `"1"`)
	r.wantList(lost, linked, unlinked)
	r.settled()
	r.wantList(back, linked, linked, phase(1))
	// A second broker that starts now finds nothing to report.
	r.cfg.Instance = "second"
	r.start()
	p.says("state", `"2"`)
	r.settled()
	r.wantList(lost, linked, unlinked)
	r.wantList(back, linked, linked, phase(1), phase(2))
}

// TestAnOwnerThatDiedWhileLeaving has a record that its broker marked as being given up
// and never removed: whoever wants the code waits a bounded time.
func TestAnOwnerThatDiedWhileLeaving(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	code := gameCode(t, "AAAA000E")
	records, err := bus.OpenRecords(t.Context(), r.bus, bus.Owners())
	r.ok(err)
	_, err = records.Put(t.Context(), code.String(), bus.Owner{V: 1, Instance: "dead-1", Since: time.Now().UTC()})
	r.ok(err)
	br, _ := r.start()
	p := r.link(br, code)
	p.says("state", `"1"`)
	r.wantList(code, linked, phase(1))
}

func TestTheStatusTellsWhatIsConnected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	r.link(br, gameCode(t, "AAAA000F")).says("botID", "7")
	r.connect(br)
	eventually(t, "the status tells of two connections, an owner and a bot", func() bool {
		s, err := bus.Do(t.Context(), r.bus, bus.StatusCall("broker"), struct{}{})
		r.ok(err)
		d, ok := s.Details.(map[string]any)
		return ok && s.Ready && d["connections"] == 2.0 && d["owners"] == 1.0 && d["ready"] == 1.0 && d["redis"] == "ok" && d["edge"] == true
	})
	r.server.Kill()
	s, err := bus.Do(t.Context(), r.bus, bus.StatusCall("broker"), struct{}{})
	if d, ok := s.Details.(map[string]any); err != nil || !ok || d["redis"] == "ok" {
		t.Errorf("without Redis: %+v, %v", s, err)
	}
}
