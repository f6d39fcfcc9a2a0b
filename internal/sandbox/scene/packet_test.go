package scene

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFramesAreThoseOfTheRealClient(t *testing.T) {
	player, err := plainJSON(PlayerEvent{Action: Joined, Name: "Ana", Color: 7})
	if err != nil {
		t.Fatal(err)
	}
	lobby, _ := plainJSON(LobbyEvent{LobbyCode: "QWERTY", Map: 2})
	over, _ := plainJSON(GameOverEvent{GameOverReason: 3, PlayerInfos: []PlayerInfo{{"Bo", true}}})
	for _, tc := range []struct{ got, want string }{
		{eventFrame(eventConnectCode, "7F3A09C2"), `42["connectCode","7F3A09C2"]`},
		{eventFrame(eventState, "1"), `42["state","1"]`},
		{eventFrame(eventPlayer, player), `42["player","{\u0022Action\u0022:0,\u0022Name\u0022:\u0022Ana\u0022,\u0022IsDead\u0022:false,\u0022Disconnected\u0022:false,\u0022Color\u0022:7}"]`},
		{eventFrame(eventLobby, lobby), `42["lobby","{\u0022LobbyCode\u0022:\u0022QWERTY\u0022,\u0022Region\u0022:0,\u0022Map\u0022:2}"]`},
		{eventFrame(eventGameOver, over), `42["gameover","{\u0022GameOverReason\u0022:3,\u0022PlayerInfos\u0022:[{\u0022Name\u0022:\u0022Bo\u0022,\u0022IsImpostor\u0022:true}]}"]`},
		{netString("é😀<&>'+`\\\n\x7f"), `"\u00E9\uD83D\uDE00\u003C\u0026\u003E\u0027\u002B\u0060\\\n\u007F"`},
	} {
		if tc.got != tc.want {
			t.Errorf("got  %s\nwant %s", tc.got, tc.want)
		}
	}
}

func FuzzNetString(f *testing.F) {
	for _, s := range []string{"", "Ana", `"\`, "é😀\u2028", "\x00\x1f\x7f<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		q := netString(s)
		var back string
		if err := json.Unmarshal([]byte(q), &back); err != nil || back != s {
			t.Fatalf("%q became %s, read as %q (%v)", s, q, back, err)
		}
		if strings.ContainsFunc(q[1:len(q)-1], func(r rune) bool { return r < ' ' || r > '~' || r == '"' }) {
			t.Fatalf("%s holds what the real client escapes", q)
		}
	})
}

func TestParseEvent(t *testing.T) {
	for frame, want := range map[string]string{
		`42["modify","{\"taskID\":\"a\"}"]`: `modify {"taskID":"a"}`,
		`42["modify",{"taskID":"a"}]`:       `modify {"taskID":"a"}`,
		"42[\"killself\"]\n":                `killself `,
		`42["requestdata",7]`:               `requestdata 7`,
		`42[]`:                              `error`,
		`42[1]`:                             `error`,
		`42{"a":1}`:                         `error`,
		`42`:                                `error`,
	} {
		event, arg, err := parseEvent(frame)
		got := event + " " + argText(arg)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", frame, got, want)
		}
	}
}
