package downstream

import (
	"encoding/json"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/gateway"
)

func TestABotIsShownEverything(t *testing.T) {
	w := newWorld(t, 1, oneGuild, oneGuild+1<<22)
	s := w.serve()
	for _, path := range []string{"", "/", "/?encoding=json&v=9", "/any/path/?v=10&encoding=json&x=y", "/?v=10&compress=zlib-stream", "?v=10&compress=zstd-stream"} {
		t.Run(path, func(t *testing.T) {
			b := connect(t, s.url+path)
			b.t = t
			ready := b.identify(manyBits, "")
			if !strings.HasPrefix(ready.raw, `{"t":"READY","s":1,"op":0,"d":{`) {
				t.Errorf("the frame begins with %.60s", ready.raw)
			}
			checkReady(t, ready.D, s.url, strings.Contains(path, "v=9"))
			for range 2 {
				g := b.read()
				var d map[string]json.RawMessage
				if err := json.Unmarshal(g.D, &d); err != nil || g.event() != "GUILD_CREATE" {
					t.Fatal(g.raw)
				}
				if string(d["unavailable"]) != "false" || string(d["of_tomorrow"]) != "[1]" {
					t.Errorf("the guild is %s", g.D)
				}
			}
			w.burst(oneGuild, 1, 3)
			inOrder(t, b.numbers(3), 1)
		})
	}
}

func checkReady(t *testing.T, d json.RawMessage, url string, nine bool) {
	t.Helper()
	var r struct {
		V       int
		User    struct{ ID string }
		Guilds  []map[string]any
		Session string            `json:"session_id"`
		Resume  string            `json:"resume_gateway_url"`
		Shard   []int             `json:"shard"`
		App     map[string]any    `json:"application"`
		Private *[]any            `json:"private_channels"`
		New     map[string]any    `json:"of_tomorrow"`
		Trace   []json.RawMessage `json:"_trace"`
	}
	if err := json.Unmarshal(d, &r); err != nil {
		t.Fatal(err)
	}
	version := 10
	if nine {
		version = 9
	}
	if r.V != version || r.User.ID != selfID || len(r.Guilds) != 2 || r.Guilds[0]["unavailable"] != true || !isSessionID(r.Session) ||
		r.Resume != url || len(r.Shard) != 2 || r.Shard[1] != 1 || r.App["flags"] == nil || r.Private == nil || r.New["a"] != 1.0 || r.Trace != nil {
		t.Errorf("READY is %s", d)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve()
	identify := func(rest string) string { return `{"op":2,"d":{"token":"` + testToken + `"` + rest + `}}` }
	for name, c := range map[string]struct {
		send string
		code int
	}{
		"no JSON":             {`{"op":`, gateway.CloseDecode},
		"no object":           {`[1]`, gateway.CloseDecode},
		"no opcode":           {`{"d":1}`, gateway.CloseDecode},
		"unknown opcode":      {`{"op":99}`, gateway.CloseUnknownOpcode},
		"too large":           {`{"op":1,"d":"` + strings.Repeat("x", 4096) + `"}`, gateway.CloseDecode},
		"command too early":   {`{"op":8,"d":{}}`, gateway.CloseNotAuthenticated},
		"another token":       {`{"op":2,"d":{"token":"x","intents":0}}`, gateway.CloseAuthenticationFailed},
		"another token again": {`{"op":6,"d":{"token":"x","session_id":"y","seq":1}}`, gateway.CloseAuthenticationFailed},
		"shard out of range":  {identify(`,"intents":0,"shard":[1,1]`), gateway.CloseInvalidShard},
		"shard of text":       {identify(`,"intents":0,"shard":"x"`), 0},
		"shard of three":      {identify(`,"intents":0,"shard":[0,1,2]`), gateway.CloseInvalidShard},
		"no intents":          {identify(``), gateway.CloseInvalidIntents},
		"unknown intents":     {identify(`,"intents":2147483648`), gateway.CloseInvalidIntents},
		"identified twice":    {identify(`,"intents":0`) + "\n" + identify(`,"intents":0`), gateway.CloseAlreadyAuthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			b := connect(t, s.url)
			b.t = t
			for _, f := range strings.Split(c.send, "\n") {
				b.send(f)
			}
			want := c.code
			if want == 0 {
				want = gateway.CloseInvalidShard
			}
			if got := b.closed(); got != want {
				t.Errorf("closed with %d, want %d", got, want)
			}
		})
	}
}

func TestPrivilegedIntentsThatTheApplicationLacks(t *testing.T) {
	if got := gateway.Without(gateway.IntentGuildPresences|gateway.IntentGuildMembers|gateway.IntentGuilds, gateway.MayMembers); got != gateway.IntentGuildPresences {
		t.Errorf("refused are %d", got)
	}
}

func TestTooManyFrames(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	b := connect(t, w.serve().url)
	for range framesPerMinute + 1 {
		b.send(`{"op":1,"d":null}`)
	}
	if got := b.closed(); got != gateway.CloseRateLimited {
		t.Errorf("closed with %d", got)
	}
}

// TestResume: a bot that loses its connection gets what it missed, once and in order, and
// then RESUMED with a real number; over and over, from memory and from the stream.
func TestResume(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"from memory":     func(*Config) {},
		"from the stream": func(c *Config) { c.Limits.WindowEvents = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, oneGuild)
			s := w.serve(change)
			b := connect(t, s.url)
			b.identify(gateway.IntentGuildMessages|gateway.IntentMessageContent, "")
			w.burst(oneGuild, 1, 500)
			inOrder(t, b.numbers(200), 1) // the rest is lost with the connection
			next, stored := 201, 500
			for range 3 {
				was := b
				_ = was.ws.CloseNow()
				w.emit(0, oneGuild, "CHANNEL_CREATE", `{"id":"5","guild_id":"81384788765712384"}`)
				w.burst(oneGuild, stored+1, 100)
				stored += 100
				b = connect(t, s.url)
				b.resume(was)
				inOrder(t, b.numbers(stored-next+1), next)
				if g := b.read(); g.event() != "RESUMED" {
					t.Fatalf("after the last missed event: %.200s", g.raw)
				}
				w.burst(oneGuild, stored+1, 300)
				inOrder(t, b.numbers(100), stored+1) // and again the rest is lost
				next, stored = stored+101, stored+300
			}
		})
	}
}

func TestUnknownSession(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve()
	b := connect(t, s.url)
	for _, id := range []string{"x", strings.Repeat("0", 32), "../../etc"} {
		b.send(`{"op":6,"d":{"token":"` + testToken + `","session_id":"` + id + `","seq":7}}`)
		if g := b.read(); g.Op != gateway.OpHeartbeat {
			t.Fatalf("the first frame is %s", g.raw)
		}
		if g := b.read(); g.Op != gateway.OpInvalidSession || string(g.D) != "false" {
			t.Fatalf("the second frame is %s", g.raw)
		}
	}
	b.identify(0, "")
	b2 := connect(t, s.url)
	b2.send(`{"op":6,"d":{"token":"` + testToken + `","session_id":"` + b.session + `","seq":1000000}}`)
	if g := b2.read(); g.Op != gateway.OpHeartbeat {
		t.Errorf("a number that was never sent: %s", g.raw)
	}
}

// TestFirstFrameAfterIdentify: an ACK must wait until an event was sent.
func TestFirstFrameAfterIdentify(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve()
	b := connect(t, s.url)
	b.send(`{"op":1,"d":null}`)
	if g := b.read(); g.Op != gateway.OpHeartbeatACK {
		t.Fatalf("before IDENTIFY: %s", g.raw)
	}
	b.send(`{"op":2,"d":{"token":"Bot ` + testToken + `","intents":"513","compress":"zlib-stream","shard":null,"presence":{"game":{"name":""},"status":"","since":0,"afk":false}}}`)
	b.send(`{"op":1,"d":null}`)
	if g := b.read(); g.event() != "READY" {
		t.Fatalf("after IDENTIFY: %s", g.raw)
	}
	acks := 0
	for g := b.read(); ; g = b.read() {
		if g.Op == gateway.OpHeartbeatACK {
			acks++
			break
		}
	}
	if acks != 1 {
		t.Errorf("%d ACKs", acks)
	}
}

func TestBotsWithTheirOwnShards(t *testing.T) {
	var ids []bus.GuildID
	for i := range 6 {
		ids = append(ids, bus.GuildID(i+1)<<22)
	}
	w := newWorld(t, 2, ids...)
	s := w.serve()
	for _, shards := range []int{1, 2, 3} {
		for shard := range shards {
			b := connect(t, s.url)
			ready := b.identify(manyBits, `,"shard":[`+string(rune('0'+shard))+`,`+string(rune('0'+shards))+`]`)
			var d struct{ Guilds []struct{ ID string } }
			if err := json.Unmarshal(ready.D, &d); err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{}
			for i, id := range ids {
				if (i+1)%shards == shard {
					want[id.String()] = true
				}
			}
			for _, g := range d.Guilds {
				if !want[g.ID] {
					t.Errorf("shard %d of %d is shown guild %s", shard, shards, g.ID)
				}
			}
			if len(d.Guilds) != len(want) {
				t.Errorf("shard %d of %d has %d guilds, want %d", shard, shards, len(d.Guilds), len(want))
			}
			for range want {
				b.until("GUILD_CREATE")
			}
			for i, id := range ids {
				w.emit((i+1)%2, id, "CHANNEL_CREATE", `{"id":"1","guild_id":"`+id.String()+`"}`)
			}
			w.emit(0, 0, "MESSAGE_CREATE", messageJSON(0, "1"))
			for range want {
				var c struct {
					Guild string `json:"guild_id"`
				}
				if err := json.Unmarshal(b.until("CHANNEL_CREATE").D, &c); err != nil || !want[c.Guild] {
					t.Errorf("shard %d of %d gets an event of guild %s", shard, shards, c.Guild)
				}
			}
			if shard == 0 {
				b.until("MESSAGE_CREATE")
			}
			was := b
			_ = was.ws.CloseNow()
			w.emit((shards+shard)%2, ids[0], "CHANNEL_DELETE", `{}`)
			b = connect(t, s.url)
			b.resume(was)
			b.until("RESUMED")
		}
	}
}
