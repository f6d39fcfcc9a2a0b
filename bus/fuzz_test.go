package bus

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// FuzzAddressesComeBack holds that every address that can be built is read as what it
// was built of, and lies under exactly the filter that is meant for it.
func FuzzAddressesComeBack(f *testing.F) {
	f.Add(uint64(1), uint64(2), "7F3A09C2", "broker", "drain")
	f.Add(^uint64(0), uint64(1), "aaaaaaaa", "*", "a.b")
	f.Fuzz(func(t *testing.T, guild, user uint64, text, component, verb string) {
		g, u := GuildID(guild|1), UserID(user|1)
		if g2, u2, err := ParseVoiceKey(VoiceKey(g, u)); err != nil || g2 != g || u2 != u {
			t.Errorf("voice key of %d %d: %d %d %v", g, u, g2, u2, err)
		}
		for _, s := range []string{MuteAppliedSubject(g).String(), MuteFailedSubject(g).String()} {
			g2, applied, err := ParseMuteSubject(s)
			if err != nil || g2 != g || applied != Overlap(s, MuteAppliedIn(g).String()) {
				t.Errorf("%s: %d %t %v", s, g2, applied, err)
			}
		}
		if s, err := CommandSubject(component, verb); err == nil {
			c, v, err := ParseCommandSubject(s.String())
			if err != nil || c != component || v != verb || !Overlap(s.String(), AllCommands().String()) {
				t.Errorf("%s: %q %q %v", s, c, v, err)
			}
		}
		code, err := ParseConnectCode(text)
		if err != nil {
			return
		}
		if c, err := ParseModifyCall(ModifyCall(code).String()); err != nil || c != code {
			t.Errorf("modify call of %q: %v %v", text, c, err)
		}
		for _, k := range CaptureKinds {
			s := CaptureSubject(code, k).String()
			c, k2, err := ParseCaptureSubject(s)
			if err != nil || c != code || k2 != k || !Overlap(s, AllCapture().String()) || !Overlap(s, CaptureOf(k).String()) {
				t.Errorf("%s: %v %v %v", s, c, k2, err)
			}
			for _, other := range CaptureKinds {
				if other != k && Overlap(s, CaptureOf(other).String()) {
					t.Errorf("%s lies under %s", s, CaptureOf(other))
				}
			}
		}
		var back ConnectCode
		data, err := json.Marshal(code)
		if err != nil || json.Unmarshal(data, &back) != nil || back != code {
			t.Errorf("%s came back as %v, %v", data, back, err)
		}
	})
}

// FuzzOverlap holds Overlap against a try of every subject that patterns of few tokens
// can match.
func FuzzOverlap(f *testing.F) {
	f.Add([]byte{0, 2}, []byte{1, 3})
	f.Add([]byte{3}, []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, b := patternOf(x), patternOf(y)
		want := false
		eachSubject(4, func(s []string) {
			want = want || matches(a, s) && matches(b, s)
		})
		p, q := strings.Join(a, "."), strings.Join(b, ".")
		if Overlap(p, q) != want || Overlap(q, p) != want {
			t.Errorf("%s and %s: %t and %t, want %t", p, q, Overlap(p, q), Overlap(q, p), want)
		}
	})
}

// patternOf makes a pattern of one to three tokens; > stands at its end only.
func patternOf(x []byte) (tokens []string) {
	for _, c := range x[:min(len(x), 3)] {
		tokens = append(tokens, [...]string{"a", "b", "*", ">"}[c%4])
		if c%4 == 3 {
			return tokens
		}
	}
	if len(tokens) == 0 {
		return []string{"a"}
	}
	return tokens
}

// eachSubject tells every subject of up to n tokens out of three.
func eachSubject(n int, tell func([]string)) {
	var grow func(s []string)
	grow = func(s []string) {
		if len(s) > 0 {
			tell(s)
		}
		if len(s) == n {
			return
		}
		for _, token := range []string{"a", "b", "c"} {
			grow(append(s[:len(s):len(s)], token))
		}
	}
	grow(nil)
}

// matches is the rule of NATS: * is one token, > is one or more.
func matches(pattern, subject []string) bool {
	for i, p := range pattern {
		switch {
		case p == ">":
			return len(subject) > i
		case i >= len(subject) || p != "*" && p != subject[i]:
			return false
		}
	}
	return len(pattern) == len(subject)
}

// storedEntry is a record as the bucket gives it.
type storedEntry struct {
	jetstream.KeyValueEntry
	key   string
	value []byte
	op    jetstream.KeyValueOp
}

func (e storedEntry) Key() string                     { return e.key }
func (e storedEntry) Value() []byte                   { return e.value }
func (e storedEntry) Revision() uint64                { return 7 }
func (e storedEntry) Created() time.Time              { return time.Time{} }
func (e storedEntry) Operation() jetstream.KeyValueOp { return e.op }

// FuzzRecords holds that a stored record, whoever wrote it, is read or refused as one
// that cannot be read, that a removed one has no value, and that what was read comes
// back when it is written again.
func FuzzRecords(f *testing.F) {
	f.Add("owner.7F3A09C2", []byte(`{"v":1,"wish":{"deaf":true,"id":"x","at":"2026-01-01T00:00:00Z"},"later":1}`), false)
	f.Add("7.9", []byte(`{"v":"1"}`), false)
	f.Add("", []byte(nil), true)
	f.Fuzz(func(t *testing.T, key string, value []byte, removed bool) {
		r := &Records[VoiceRecord]{kept: Kept[VoiceRecord]{bucket: bucketVoice, prefix: "p."}}
		e := storedEntry{key: "p." + key, value: value, op: jetstream.KeyValuePut}
		if removed {
			e.op = jetstream.KeyValuePurge
		}
		got, err := r.entry(e)
		if got.Key != key || got.Revision != 7 || got.Deleted != removed {
			t.Errorf("%q: %+v", key, got)
		}
		if removed && (err != nil || got.Value != (VoiceRecord{})) {
			t.Errorf("a removed record has %+v, %v", got.Value, err)
		}
		if err != nil {
			if e := AsError(err); e.Code != CodeInternal || e.Reason != "bad_record" || json.Valid(value) && json.Unmarshal(value, &VoiceRecord{}) == nil {
				t.Errorf("%q was refused: %v", value, err)
			}
			return
		}
		e.value, err = json.Marshal(got.Value)
		if err != nil {
			return // a year that JSON cannot write; nobody stores it
		}
		again, err := r.entry(e)
		first, _ := json.Marshal(got.Value)
		second, _ := json.Marshal(again.Value)
		if err != nil || string(first) != string(second) || again.Value.Settled() != got.Value.Settled() {
			t.Errorf("%s came back as %s, %v", first, second, err)
		}
	})
}

// storedMsg is a message as a consumer gives it.
type storedMsg struct {
	jetstream.Msg
	data []byte
	meta *jetstream.MsgMetadata
}

func (m storedMsg) Subject() string { return "capture.7F3A09C2.state" }
func (m storedMsg) Data() []byte    { return m.data }
func (m storedMsg) Headers() nats.Header {
	return nats.Header{}
}
func (m storedMsg) Metadata() (*jetstream.MsgMetadata, error) {
	if m.meta == nil {
		return nil, errors.New("no place")
	}
	return m.meta, nil
}

// FuzzDelivery holds that a message is read or refused as invalid, so that it is parked
// and its stream goes on.
func FuzzDelivery(f *testing.F) {
	f.Add([]byte(`{"v":1,"code":"7F3A09C2","kind":"state","payload":"1","new":{}}`), uint64(3), uint64(1))
	f.Add([]byte(`{"code":"too short"}`), uint64(1), uint64(2))
	f.Add([]byte(`null`), uint64(0), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, seq, delivered uint64) {
		m := storedMsg{data: data, meta: &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: seq}, NumDelivered: max(delivered, 1)}}
		d, err := decodeDelivery[CaptureEvent](m)
		if d.Subject != m.Subject() || d.Seq != seq || d.Tries != max(delivered, 1)-1 {
			t.Errorf("%+v of %d, %d", d, seq, delivered)
		}
		if err != nil && !IsCode(err, CodeInvalid) {
			t.Errorf("%q: %v", data, err)
		}
		if kind, _, _ := verdict(t.Context(), err, d.Tries, Durable{}.withDefaults()); err != nil && kind != park {
			t.Errorf("%q is tried again: %v", data, err)
		}
		if err == nil && !d.Value.Code.IsZero() {
			if _, err := ParseConnectCode(d.Value.Code.String()); err != nil {
				t.Errorf("%q has the code %q", data, d.Value.Code)
			}
		}
		m.meta = nil
		if _, err := decodeDelivery[CaptureEvent](m); !IsCode(err, CodeInvalid) {
			t.Errorf("a message without a place: %v", err)
		}
	})
}

// FuzzErrorsCrossTheWire holds that an error is at the other end what it was here,
// without its cause and, when it is an internal one, without its words.
func FuzzErrorsCrossTheWire(f *testing.F) {
	f.Add(uint8(0), "bad_task", "nothing was done", int64(0))
	f.Add(uint8(4), "busy", "", int64(1500))
	f.Add(uint8(6), "internal", "dial tcp: secret", int64(-1))
	f.Fuzz(func(t *testing.T, n uint8, reason, message string, ms int64) {
		if strings.ContainsAny(reason+message, "\r\n") {
			return // ours are sentences
		}
		e := &Error{Code: Codes[int(n)%len(Codes)], Reason: reason, Message: message, Err: errors.New("cause")}
		if ms = ms % int64(time.Hour/time.Millisecond); ms > 0 {
			e.RetryAfter = time.Duration(ms) * time.Millisecond
		}
		got := errorFromHeader(errorHeader(e))
		if got == nil || got.Code != e.Code || got.Reason != reason || got.RetryAfter != e.RetryAfter || got.Err != nil || got.Message == "" {
			t.Fatalf("%+v came back as %+v", e, got)
		}
		if hidden := e.Code == CodeInternal && message != "" && got.Message == message; hidden || e.Code != CodeInternal && message != "" && got.Message != message {
			t.Errorf("%+v came back with the words %q", e, got.Message)
		}
		if errorFromHeader(nats.Header{}) != nil {
			t.Error("an answer without an error has one")
		}
	})
}
