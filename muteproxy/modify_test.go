package muteproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"splashtail/bus"

	"github.com/gofiber/fiber/v2"
)

// FuzzParseModify holds that a body is refused with a 400 or gives members that can be
// worked for, each once and with the state that was named last, and that the batch that
// was understood means the same when it is sent again.
func FuzzParseModify(f *testing.F) {
	for _, s := range []string{
		`{"premium":5,"users":[{"userID":1,"mute":true,"deaf":false},{"userID":2},{"userID":1,"deaf":true}]}`,
		`{}`, `null`, `{"users":null}`, `{"users":[null]}`, `{"premium":-1}`, `{"premium":32768}`, `{"users":[{"userID":18446744073709551615}]}`,
		`{"users":[{"userID":1e3}]}`, `{"users":[{"userid":7,"MUTE":true}]}`, `[]`, `{"users":[{"userID":"1"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := parseModify(body)
		if err != nil {
			refusedAs400(t, err, "nothing was changed")
			return
		}
		seen := map[bus.UserID]bool{}
		var users []string
		for _, r := range b.requests {
			if r.user == 0 || seen[r.user] {
				t.Errorf("%q: user %d has no id or comes twice", body, r.user)
			}
			seen[r.user] = true
			users = append(users, fmt.Sprintf(`{"userID":%d,"mute":%t,"deaf":%t}`, r.user, r.state.Mute, r.state.Deaf))
		}
		if len(users) > maxUsers || b.tier < -1<<15 || b.tier > 1<<15-1 {
			t.Errorf("%q gave %d users, tier %d", body, len(users), b.tier)
		}
		again, err := parseModify(fmt.Appendf(nil, `{"premium":%d,"users":[%s]}`, b.tier, strings.Join(users, ",")))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(b) {
			t.Errorf("%q: %+v came back as %+v, %v", body, b, again, err)
		}
	})
}

func refusedAs400(t *testing.T, err error, says string) {
	t.Helper()
	var e *fiber.Error
	if !errors.As(err, &e) || e.Code != http.StatusBadRequest || !strings.Contains(e.Message, says) {
		t.Errorf("refused with %v", err)
	}
}

func TestTheLastStateOfAUserCounts(t *testing.T) {
	b, err := parseModify([]byte(`{"premium":2,"users":[{"userID":7,"mute":true},{"userID":8,"mute":true},{"userID":7,"deaf":true}]}`))
	want := []request{{7, bus.VoiceState{Deaf: true}}, {8, bus.VoiceState{Mute: true}}}
	if err != nil || b.tier != 2 || fmt.Sprint(b.requests) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", b, err)
	}
}

// FuzzParseToken holds that a token can stand in a header as it is, or is refused
// without being shown.
func FuzzParseToken(f *testing.F) {
	for _, s := range []string{"MTIz.abc.def", " Bot MTIz.abc.def\r\n", `{"token":"x"}`, `"x"`, "", "Bot ", "a b", "a\x00", "ü", strings.Repeat("x", 257)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tok, err := parseToken(body)
		if err != nil {
			refusedAs400(t, err, "nothing was stored")
			if _, plain := parseToken(nil); err.Error() != plain.Error() {
				t.Errorf("the refusal tells of the token: %v", err)
			}
			return
		}
		text := tok.Reveal()
		if text == "" || len(text) > 256 || !strings.Contains(string(body), text) {
			t.Errorf("%q gave %q", body, text)
		}
		for _, r := range text {
			if r <= ' ' || r > '~' {
				t.Errorf("%q gave %q, which no header takes", body, text)
			}
		}
		if again, err := parseToken([]byte("Bot " + text)); err != nil || again.Reveal() != text {
			t.Errorf("%q came back as %q, %v", text, again.Reveal(), err)
		}
	})
}

func TestAnswersKeepTheFieldsOfGalactus(t *testing.T) {
	var a modifyAnswer
	for _, o := range []outcome{{lane: "worker"}, {lane: "worker"}, {lane: "capture"}, {lane: "official"}, {superseded: true}, {failed: &bus.VoiceFailed{Code: 40032, Reason: "not_in_voice"}}} {
		a.add(9, o)
	}
	got, err := json.Marshal(a)
	want := `{"worker":2,"capture":1,"official":1,"ratelimit":0,"pending":0,"superseded":1,"failed":[{"userID":9,"code":40032,"reason":"not_in_voice"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, want %s, %v", got, want, err)
	}
}
