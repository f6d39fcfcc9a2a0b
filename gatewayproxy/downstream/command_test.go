package downstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
)

// holder stands in for who holds a shard's session with Discord.
func (w *world) holder(shard int) <-chan bus.GatewaySend {
	w.t.Helper()
	took := make(chan bus.GatewaySend, 100)
	stop := must[func()](w.t)(bus.Serve(w.t.Context(), w.b, bus.GatewaySendCall(w.shards, shard), func(_ context.Context, q bus.GatewaySend) (bus.GatewaySent, error) {
		took <- q
		return bus.GatewaySent{V: 1}, nil
	}))
	w.t.Cleanup(stop)
	return took
}

func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// TestMembersComeToWhoAsked: two bots ask under the same name; each gets its own answers,
// under that name, also after it has come back to another process.
func TestMembersComeToWhoAsked(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve()
	took := w.holder(0)
	ours := map[string]string{}
	bots := map[string]*bot{}
	for _, name := range []string{"one", "two"} {
		b := connect(t, s.url)
		b.identify(gateway.IntentGuilds|gateway.IntentGuildMessages, "")
		b.until("GUILD_CREATE")
		b.send(fmt.Sprintf(`{"op":8,"d":{"guild_id":["%s"],"query":"%s","limit":5,"nonce":"same"}}`, oneGuild, name))
		q := receive(t, took)
		var d struct {
			Guild string `json:"guild_id"`
			Query string
			Limit int
			Nonce string
		}
		if err := json.Unmarshal(q.Data, &d); err != nil || q.Op != 8 || d.Guild != oneGuild.String() || d.Query != name || d.Limit != 5 || len(d.Nonce) > 32 || d.Nonce == "same" {
			t.Fatalf("sent was %d %s", q.Op, q.Data)
		}
		ours[name], bots[name] = d.Nonce, b
	}
	second := w.serve()
	for _, name := range []string{"two", "one"} {
		w.emit(0, oneGuild, "GUILD_MEMBERS_CHUNK", `{"guild_id":"1","chunk_index":0,"chunk_count":1,"who":"`+name+`","nonce":"`+ours[name]+`"}`)
	}
	w.emit(0, oneGuild, "GUILD_MEMBERS_CHUNK", `{"who":"somebody else","nonce":"x"}`)
	w.emit(0, oneGuild, "RATE_LIMITED", `{"opcode":8,"retry_after":1,"meta":{"guild_id":"1","nonce":"`+ours["one"]+`"}}`)
	w.burst(oneGuild, 1, 1)
	for name, b := range bots {
		was := *b
		for range 2 {
			var seen []string
			for g := b.read(); g.event() != "MESSAGE_CREATE"; g = b.read() {
				seen = append(seen, g.event()+" "+string(g.D))
			}
			want := []string{`GUILD_MEMBERS_CHUNK {"guild_id":"1","chunk_index":0,"chunk_count":1,"who":"` + name + `","nonce":"same"}`}
			if name == "one" {
				want = append(want, `RATE_LIMITED {"opcode":8,"retry_after":1,"meta":{"guild_id":"1","nonce":"same"}}`)
			}
			if strings.Join(seen, "\n") != strings.Join(want, "\n") {
				t.Errorf("bot %s got %q\nwant %q", name, seen, want)
			}
			_ = b.ws.CloseNow()
			b = connect(t, second.url)
			b.resume(&was)
		}
	}
}

func TestMemberRequestsOfEveryLibrary(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	took := w.holder(0)
	b := connect(t, w.serve().url)
	b.identify(gateway.IntentGuilds, "")
	b.until("GUILD_CREATE")
	for send, want := range map[string]string{
		`"guild_id":"%s","query":"","limit":0`:                            `"query":"","limit":0`,
		`"guild_id":%s,"user_ids":"5","presences":true`:                   `"user_ids":["5"],"limit":0,"presences":true`,
		`"guild_id":["%s"],"user_ids":["5",6],"nonce":"` + long(33) + `"`: `"user_ids":["5","6"],"limit":0`,
		`"guild_id":[%s],"query":"a\"b","user_ids":null,"limit":"7"`:      `"query":"a\"b","limit":7`,
	} {
		b.send(`{"op":8,"d":{` + fmt.Sprintf(send, oneGuild) + `}}`)
		got := string(receive(t, took).Data)
		if !strings.HasPrefix(got, `{`+want+`,"guild_id":"`+oneGuild.String()+`","nonce":"`) {
			t.Errorf("%s became %s", send, got)
		}
	}
	// All members a second time within 30 s, and Discord need not be asked.
	b.send(`{"op":8,"d":{"guild_id":"` + oneGuild.String() + `","query":"","limit":0,"nonce":"n"}}`)
	var d struct {
		Opcode     int
		RetryAfter float64 `json:"retry_after"`
		Meta       struct {
			Guild string `json:"guild_id"`
			Nonce string
		}
	}
	if err := json.Unmarshal(b.until("RATE_LIMITED").D, &d); err != nil || d.Opcode != 8 || d.RetryAfter <= 0 || d.RetryAfter > 30 || d.Meta.Nonce != "n" || d.Meta.Guild != oneGuild.String() {
		t.Errorf("%+v %v", d, err)
	}
	for _, bad := range []string{`{"guild_id":"x"}`, `{}`, `{"guild_id":"1","user_ids":["x"]}`, `{"guild_id":"1","limit":-1}`, `null`} {
		again := connect(t, w.serve().url)
		again.identify(0, "")
		again.send(`{"op":8,"d":` + bad + `}`)
		if code := again.closed(); code != gateway.CloseDecode {
			t.Errorf("%s: closed with %d", bad, code)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// TestNobodyHoldsTheShard: a request for members is answered, since bots wait for it.
func TestNobodyHoldsTheShard(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	b := connect(t, w.serve().url)
	b.identify(0, "")
	b.send(`{"op":8,"d":{"guild_id":"` + oneGuild.String() + `","query":"q","limit":1,"nonce":"n"}}`)
	if g := b.until("RATE_LIMITED"); !strings.Contains(string(g.D), `"nonce":"n"`) {
		t.Errorf("%s", g.D)
	}
}

func TestVoice(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve()
	took := w.holder(0)
	one, two := connect(t, s.url), connect(t, s.url)
	for _, b := range []*bot{one, two} {
		b.identify(gateway.IntentGuildVoiceStates, "")
	}
	ask := func(b *bot) {
		b.send(`{"op":4,"d":{"guild_id":"` + oneGuild.String() + `","channel_id":"5","self_mute":true,"self_deaf":false}}`)
		if q := receive(t, took); string(q.Data) != `{"guild_id":"`+oneGuild.String()+`","channel_id":"5","self_mute":true,"self_deaf":false}` || q.Op != 4 {
			t.Fatalf("%s", q.Data)
		}
	}
	events := func(b *bot) (all []string) {
		for {
			g := b.read()
			all = append(all, g.event())
			if g.event() == "USER_UPDATE" {
				return all
			}
		}
	}
	tell := func() {
		w.emit(0, oneGuild, "VOICE_STATE_UPDATE", `{}`)
		w.emit(0, oneGuild, "VOICE_SERVER_UPDATE", `{}`)
		w.emit(0, 0, "USER_UPDATE", `{}`)
	}
	ask(one)
	tell()
	if a, b := len(events(one)), len(events(two)); a != 3 || b != 2 {
		t.Errorf("the asker got %d events, the other %d", a, b)
	}
	was := one
	_ = was.ws.CloseNow()
	tell()
	one = connect(t, w.serve().url)
	one.resume(was)
	if a, b := len(events(one)), len(events(two)); a != 3 || b != 2 {
		t.Errorf("after a change of process the asker got %d events, the other %d", a, b)
	}
	one.until("RESUMED")
	ask(two)
	tell()
	if b := len(events(two)); b != 3 {
		t.Errorf("the new asker got %d events", b)
	}
}

func TestPresences(t *testing.T) {
	for send, want := range map[string]string{
		`{"since":null,"activities":[{"name":"x","type":0}],"status":"dnd","afk":false}`:  `{"since":null,"activities":[{"name":"x","type":0}],"status":"dnd","afk":false}`,
		`{"game":{"name":"","type":0},"status":"","since":"0001-01-01T00:00:00Z"}`:        `{"since":null,"activities":[],"status":"online","afk":false}`,
		`{"game":{"name":"g"},"activities":null,"status":"offline","since":0,"afk":true}`: `{"since":0,"activities":[{"name":"g"}],"status":"offline","afk":true}`,
		`{"status":"away"}`: "",
		`[]`:                "",
		`{"activities":[{"name":"1"},{"name":"1"},{"name":"1"},{"name":"1"},{"name":"1"},{"name":"1"}]}`: "",
	} {
		got, err := readPresence([]byte(send))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s became %s, %v", send, got, err)
		}
	}
	w := newWorld(t, 1, oneGuild)
	took := w.holder(0)
	b := connect(t, w.serve().url)
	b.identify(0, `,"presence":{"status":"idle","activities":[]}`)
	if q := receive(t, took); q.Op != 3 || !strings.Contains(string(q.Data), `"status":"idle"`) {
		t.Errorf("%d %s", q.Op, q.Data)
	}
	for _, status := range []string{"dnd", "invisible", "online"} {
		b.send(`{"op":3,"d":{"since":null,"activities":[],"status":"` + status + `","afk":false}}`)
	}
	if q := receive(t, took); !strings.Contains(string(q.Data), `"status":"online"`) {
		t.Errorf("of several changes, %s was sent", q.Data)
	}
}

func TestRequestsWhoseAnswersComeToEverybody(t *testing.T) {
	w := newWorld(t, 2, oneGuild)
	took := []<-chan bus.GatewaySend{w.holder(0), w.holder(1)}
	b := connect(t, w.serve().url)
	b.identify(0, "")
	b.send(`{"op":31,"d":{"guild_ids":["4194304",8388608]}}`)
	if a, c := receive(t, took[1]), receive(t, took[0]); string(a.Data) != `{"guild_ids":["4194304"]}` || string(c.Data) != `{"guild_ids":["8388608"]}` {
		t.Errorf("%s %s", a.Data, c.Data)
	}
	b.send(`{"op":43,"d":{"guild_id":"8388608","fields":["status"]}}`)
	if a := receive(t, took[0]); string(a.Data) != `{"guild_id":"8388608","fields":["status"]}` {
		t.Errorf("%s", a.Data)
	}
	w.emit(1, 4194304, "SOUNDBOARD_SOUNDS", `{"soundboard_sounds":[]}`)
	b.until("SOUNDBOARD_SOUNDS")
}
