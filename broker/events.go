package broker

import (
	"bytes"
	"encoding/json"
	"strconv"

	"splashtail/bus"
)

// What became of an event of a client; the values of the metric's label `result`.
const (
	accepted       = "accepted"
	dropUnknown    = "unknown_event"
	dropArgument   = "bad_argument" // missing, too many, or of another JSON type
	dropContent    = "bad_content"  // the text inside does not say what it must
	dropTooLarge   = "too_large"
	dropNoCode     = "no_code"   // the socket has not said whose game it watches
	dropNotOwner   = "not_owner" // a newer client of the same code has taken over
	dropBadCode    = "bad_code"
	dropCodeLimit  = "code_limit" // too many codes tried from this address
	dropNotAsked   = "not_asked"  // an answer to a task that this socket was not given, or the second one
	dropStopping   = "stopping"
	dropUnreadable = "unstorable"
)

// gameEvent is how an event about a game is judged: what its text must be. Every event
// of a capture client has exactly one argument.
type gameEvent struct {
	kind  bus.CaptureKind
	check func(text string) (room string, ok bool)
}

// gameEventOf is the table of events that AutoMuteUs is told of.
func gameEventOf(name string) (gameEvent, bool) {
	switch name {
	case "lobby":
		return gameEvent{bus.CaptureLobby, checkLobby}, true
	case "state":
		return gameEvent{bus.CaptureState, checkState}, true
	case "player":
		return gameEvent{bus.CapturePlayer, checkPlayer}, true
	case "gameover":
		return gameEvent{bus.CaptureGameOver, checkGameOver}, true
	}
	return gameEvent{}, false
}

// textArg gives the only argument of an event, which must be a JSON string.
func textArg(args []json.RawMessage) (string, bool) {
	if len(args) != 1 || args[0][0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(args[0], &s)
	return s, err == nil
}

// botIDArg checks the argument of botID: a Discord id as a bare number, beyond what a
// float holds.
func botIDArg(args []json.RawMessage) bool {
	if len(args) != 1 {
		return false
	}
	_, err := strconv.ParseUint(string(args[0]), 10, 64)
	return err == nil
}

// checkState wants a decimal phase. Its range is the bot's business: newer games have
// phases that we do not know.
func checkState(text string) (string, bool) {
	_, err := strconv.Atoi(text)
	return "", err == nil
}

func checkLobby(text string) (room string, ok bool) {
	var l struct {
		LobbyCode   *string
		Region, Map int
	}
	if !object(text, &l) || l.LobbyCode == nil || len(*l.LobbyCode) > 64 {
		return "", false
	}
	return *l.LobbyCode, true
}

func checkPlayer(text string) (string, bool) {
	var p struct {
		Action, Color        int
		Name                 *string
		IsDead, Disconnected bool
	}
	return "", object(text, &p) && p.Name != nil
}

func checkGameOver(text string) (string, bool) {
	var g struct {
		GameOverReason *int
		PlayerInfos    []struct {
			Name       string
			IsImpostor bool
		}
	}
	return "", object(text, &g) && g.GameOverReason != nil
}

// object reads text into v if it is one JSON object whose fields have v's types.
// AutoMuteUs reads it with the same decoder, so what passes here cannot trip it.
func object(text string, v any) bool {
	b := bytes.TrimLeft([]byte(text), " \t\r\n")
	return len(b) > 0 && b[0] == '{' && json.Unmarshal(b, v) == nil
}

// isTaskID says whether s can be the id of a mute task: all known generations use hex
// digits; more is tolerated, but nothing that could change a channel's name.
func isTaskID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		ok := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-'
		if !ok {
			return false
		}
	}
	return true
}
