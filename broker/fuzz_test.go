package broker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
)

// botJob decodes an element as AutoMuteUs does, which dies of a payload that is no text.
func botJob(t *testing.T, element string) (kind int, payload string) {
	t.Helper()
	var j struct {
		JobType int         `json:"type"`
		Payload interface{} `json:"payload"`
	}
	if err := json.Unmarshal([]byte(element), &j); err != nil {
		t.Fatalf("the element %q cannot be read: %v", element, err)
	}
	text, ok := j.Payload.(string)
	if !ok {
		t.Fatalf("the element %q has a %T in it", element, j.Payload)
	}
	return j.JobType, text
}

// botTakes reads a payload as AutoMuteUs does for its kind.
func botTakes(kind int, payload string) error {
	var err error
	switch kind {
	case 1:
		err = json.Unmarshal([]byte(payload), &struct {
			LobbyCode string
			Region    int
			Map       int
		}{})
	case 2:
		_, err = strconv.ParseInt(payload, 10, 64)
	case 3:
		err = json.Unmarshal([]byte(payload), &struct {
			Action       int
			Name         string
			Color        int
			IsDead       bool
			Disconnected bool
		}{})
	case 4:
		err = json.Unmarshal([]byte(payload), &struct {
			GameOverReason int
			PlayerInfos    []struct {
				Name       string
				IsImpostor bool
			}
		}{})
	}
	return err
}

// FuzzGameEvents holds that whatever a client sends, what is accepted becomes an element
// that AutoMuteUs takes and that has the client's text word for word.
func FuzzGameEvents(f *testing.F) {
	for event, args := range map[string][]string{
		"lobby":    {`"{\"LobbyCode\":\"ABCDEF\",\"Region\":2,\"Map\":0}"`, `"{\"LobbyCode\":null}"`, `"{}"`, `"{\"lobbycode\":\"\\u0000\",\"Map\":1e2}"`},
		"state":    {`"1"`, `"-0"`, `"+1"`, `"9223372036854775808"`, `1`, `"\ud800"`},
		"player":   {`"{\"Action\":0,\"Name\":\"\\u003cb\\u003e\",\"IsDead\":false,\"Disconnected\":false,\"Color\":4}"`, `"{\"Name\":\"\u2028\"}"`, `"{\"Name\":\"a\"} x"`},
		"gameover": {`"{\"GameOverReason\":3,\"PlayerInfos\":[{\"Name\":\"x\",\"IsImpostor\":true},null]}"`, `"{\"GameOverReason\":3,\"PlayerInfos\":{}}"`},
		"modify":   {`"x"`},
	} {
		for _, arg := range args {
			f.Add(event, []byte(arg))
		}
	}
	f.Fuzz(func(t *testing.T, event string, arg []byte) {
		e, known := gameEventOf(event)
		if !known || !json.Valid(arg) {
			return
		}
		text, ok := textArg([]json.RawMessage{bytes.TrimSpace(arg)})
		if !ok {
			return
		}
		room, ok := e.check(text)
		if !ok {
			return
		}
		if !utf8.ValidString(text) || len(room) > 64 || room != "" && e.kind != bus.CaptureLobby {
			t.Errorf("%s %q: room %q", event, text, room)
		}
		s := stepOf(bus.Delivery[bus.CaptureEvent]{Value: bus.CaptureEvent{Kind: e.kind, Payload: text, Room: room}})
		kind, payload := botJob(t, s.element)
		if want, _ := jobType(e.kind); kind != want || payload != text {
			t.Errorf("%s %q became %d %q", event, text, kind, payload)
		}
		if err := botTakes(kind, payload); err != nil {
			t.Errorf("%s %q was accepted and AutoMuteUs refuses it: %v", event, text, err)
		}
	})
}

// FuzzJobElement holds the same for any text at all: the stream is not the only writer.
func FuzzJobElement(f *testing.F) {
	f.Add(3, "<&>\u2028\x00\\\"")
	f.Fuzz(func(t *testing.T, n int, text string) {
		element := jobElement(n, text)
		kind, payload := botJob(t, element)
		if kind != n || utf8.ValidString(text) && payload != text || strings.Contains(element, "\n") {
			t.Errorf("%d %q became %q", n, text, element)
		}
	})
}

// FuzzPacketsComeBack holds that a packet that a client builds is read as what it meant.
func FuzzPacketsComeBack(f *testing.F) {
	f.Add("", uint64(0), false, "state", "1")
	f.Add("nope", uint64(7), true, "\u2028\"", `\u0022`)
	f.Add("a?token=b,c", uint64(999999999999999999), true, "", "")
	f.Fuzz(func(t *testing.T, namespace string, ack uint64, asks bool, event, arg string) {
		namespace = strings.Map(func(r rune) rune {
			if r == ',' || r == '?' || !utf8.ValidRune(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(namespace, ""))
		event, arg = strings.ToValidUTF8(event, ""), strings.ToValidUTF8(arg, "")
		parts, err := json.Marshal([]any{event, arg, 18446744073709551615.0})
		if err != nil {
			t.Fatal(err)
		}
		text, want := "2", "/"
		if namespace != "" {
			want = "/" + namespace
			text += want + ","
		}
		id := ""
		if asks {
			id = strconv.FormatUint(ack%1e18, 10)
		}
		p, err := parsePacket(text + id + string(parts))
		if err != nil || p.kind != packetEvent || p.namespace != want || p.ack != id || p.event != event || len(p.args) != 2 {
			t.Fatalf("%q: %+v, %v", text+id+string(parts), p, err)
		}
		if got, ok := textArg(p.args[:1]); !ok || got != arg {
			t.Errorf("the argument %q came back as %q", arg, got)
		}
	})
}

// FuzzPayloadForms holds that the two forms of an Engine.IO 3 body and the form of
// Engine.IO 4 say the same, and that nothing is let through that the library trips over.
func FuzzPayloadForms(f *testing.F) {
	f.Add("2", `42["state","1"]`, "ü𝄞")
	f.Add("b", "", "4\x1e")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		packets := []string{a, b, c}
		var text, raw bytes.Buffer
		good := true
		for _, p := range packets {
			units := 0
			for _, r := range p {
				units += utf16Units(r)
			}
			fmt.Fprintf(&text, "%d:%s", units, p)
			raw.WriteByte(0)
			for _, d := range strconv.Itoa(len(p)) {
				raw.WriteByte(byte(d - '0'))
			}
			raw.WriteByte(0xff)
			raw.WriteString(p)
			good = good && p != "" && utf8.ValidString(p) && p[0] != 'b'
		}
		plain, err1 := rewritePayload(text.Bytes(), 3, false)
		binary, err2 := rewritePayload(raw.Bytes(), 3, true)
		if good != (err2 == nil) {
			t.Errorf("%q as bytes: %v", packets, err2)
		}
		if good && (err1 != nil || !bytes.Equal(plain, binary) || !bytes.Equal(plain, text.Bytes())) {
			t.Errorf("%q gave %q (%v) and %q (%v)", packets, plain, err1, binary, err2)
		}
		body := strings.Join(packets, payloadSeparator)
		four, err := rewritePayload([]byte(body), 4, false)
		for _, p := range strings.Split(body, payloadSeparator) {
			if bad := p == "" || !utf8.ValidString(p) || p[0] == 'b'; bad && err == nil {
				t.Errorf("%q was let through", body)
			}
		}
		if err == nil && string(four) != body {
			t.Errorf("%q became %q", body, four)
		}
		if _, err := rewritePayload([]byte(body), 4, true); err == nil {
			t.Errorf("a binary body of protocol 4 was let through: %q", body)
		}
	})
}

// FuzzClientAddr holds that only trusted proxies are believed, and only about the hop
// that they saw.
func FuzzClientAddr(f *testing.F) {
	f.Add("127.0.0.1:5", "203.0.113.9", "8.8.8.8")
	f.Add("203.0.113.9:5", "127.0.0.1", "x")
	f.Add("[2001:db8::7%eth0]:5", "::ffff:10.0.0.1, 2001:db8::1", "")
	f.Add("@", "1.2.3.4", ",,")
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	f.Fuzz(func(t *testing.T, remote, hops, claimed string) {
		ask := func(header string) string {
			r := &http.Request{RemoteAddr: remote, Header: http.Header{}}
			if header != "" {
				r.Header.Set("X-Forwarded-For", header)
			}
			return clientAddr(r, trusted)
		}
		got := ask(hops)
		if a, err := netip.ParseAddr(got); err == nil && grouped(a) != got {
			t.Errorf("%q, %q gave %q, which counts as %q", remote, hops, got, grouped(a))
		}
		peer := ask("")
		if a, err := netip.ParseAddr(peer); (err != nil || !isTrusted(a, trusted)) && got != peer {
			t.Errorf("the stranger %q talked himself into %q by %q", remote, got, hops)
		}
		// What stands left of the first hop that no trusted proxy is was written by a stranger.
		last := hops[strings.LastIndex(hops, ",")+1:]
		if a, err := netip.ParseAddr(strings.TrimSpace(last)); err == nil && !isTrusted(a.Unmap(), trusted) {
			if more := ask(claimed + "," + last); more != ask(last) {
				t.Errorf("%q behind %q changed by the claim %q from %q to %q", last, remote, claimed, ask(last), more)
			}
		}
	})
}

// FuzzRedisTask holds that a task from Redis goes to the client word for word or not at
// all, that it can only name channels of its own, and that it is not done twice.
func FuzzRedisTask(f *testing.F) {
	f.Add(`{"guildID":1,"userID":2,"parameters":{"deaf":true,"mute":false},"taskID":"585eaca788"}`, true)
	f.Add(`{"guildID":"1","userID":2,"taskID":"a"}`, false)
	f.Add(`{"taskID":"x:ack\n"}`, true)
	f.Add(`{"taskID":""}`, true)
	f.Add(`[]`, false)
	m, err := newMeters(prometheus.NewRegistry(), func() float64 { return 0 })
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, old bool) {
		h := &hub{m: m, notes: &notes{m: m, queue: make(chan note, 4)}}
		st := newSeat(h, bus.ConnectCode{})
		st.taker = newTaker(st, nil)
		st.redisTask(text, old)
		var k bus.ModifyTask
		good := json.Unmarshal([]byte(text), &k) == nil && isTaskID(k.TaskID)
		if got := len(st.taker.queue); got != b2i(good) || len(h.notes.queue) != b2i(good && old) {
			t.Fatalf("%q: %d tasks, %d notes", text, got, len(h.notes.queue))
		}
		if !good {
			return
		}
		if first := <-st.taker.queue; first.text != text || first.id != k.TaskID {
			t.Errorf("%q became %+v", text, first)
		}
		st.redisTask(text, old)
		if len(st.taker.queue) != 0 {
			t.Errorf("%q is done twice", text)
		}
		if old {
			if n := <-h.notes.queue; n.channel != "automuteus:tasks:broadcast:ack:"+k.TaskID || strings.ContainsAny(k.TaskID, ":*?[\n ") {
				t.Errorf("%q is announced on %q", text, n.channel)
			}
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// FuzzConnectCode holds that a code that is accepted is one token, comes back from where
// it is written, and does not show in a log line.
func FuzzConnectCode(f *testing.F) {
	f.Add("7F3A09C2")
	f.Add("*.>.....")
	f.Add("AAAAÜAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := bus.ParseConnectCode(text)
		if err != nil {
			if _, plain := bus.ParseConnectCode(strings.Repeat(".", len(text))); err.Error() != plain.Error() {
				t.Errorf("the refusal tells more of the code than its length: %v", err)
			}
			return
		}
		if len(text) != 8 || strings.ContainsAny(text, ".*> :\r\n") || c.String() != text || strings.Contains(c.LogValue().String(), text) {
			t.Errorf("%q is %q, in the log %q", text, c, c.LogValue())
		}
		back, kind, err := bus.ParseCaptureSubject(bus.CaptureSubject(c, bus.CaptureState).String())
		if err != nil || back != c || kind != bus.CaptureState {
			t.Errorf("%q came back as %q, %v", text, back, err)
		}
		for _, name := range []string{ackChannel(c), notifyChannel(c), oldTaskChannel(c), taskChannel(c), roomCodeKey(c)} {
			if !strings.HasPrefix(name, "automuteus:") || !strings.Contains(name, text) {
				t.Errorf("%q", name)
			}
		}
	})
}

// FuzzPace holds that a bucket never lets more through than it may, and never delays
// longer than what was taken too early costs.
func FuzzPace(f *testing.F) {
	f.Add(uint16(20), uint8(5), []byte{0, 0, 1, 200, 3})
	f.Fuzz(func(t *testing.T, perSecond uint16, burst uint8, gaps []byte) {
		rate := 1 + float64(perSecond)
		p := newPace(rate, 1+int(burst))
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		start, taken := now, 0
		for _, gap := range gaps {
			now = now.Add(time.Duration(gap) * time.Millisecond)
			wait := p.take(now)
			taken++
			allowed := float64(1+int(burst)) + now.Add(wait).Sub(start).Seconds()*rate
			if wait < 0 || float64(taken) > allowed+1e-6 {
				t.Fatalf("%d taken by %s, %v may be (wait %s)", taken, now.Add(wait).Sub(start), allowed, wait)
			}
			now = now.Add(wait) // its user waits
		}
	})
}
