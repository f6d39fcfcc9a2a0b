package scene

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
)

// The events of Among Us capture. Those with an object as content carry it as a JSON text inside a JSON string.
const (
	eventConnectCode  = "connectCode"
	eventBotID        = "botID"
	eventLobby        = "lobby"
	eventState        = "state"
	eventPlayer       = "player"
	eventGameOver     = "gameover"
	eventTaskComplete = "taskComplete"
	eventTaskFailed   = "taskFailed"
	eventModify       = "modify"
	eventRequestData  = "requestdata"
	eventKillSelf     = "killself"
)

// Action is what happened to a player, with its number on the wire.
type Action int

// The actions.
const (
	Joined        Action = 0
	Left          Action = 1
	Died          Action = 2
	ChangedColor  Action = 3
	ForceUpdated  Action = 4
	Disconnected  Action = 5
	Exiled        Action = 6
	unknownAction        = "unknown"
)

// String gives the name of the action in words.
func (a Action) String() string {
	if names := []string{"joined", "left", "died", "changed colour", "is here", "disconnected", "was exiled"}; a >= 0 && int(a) < len(names) {
		return names[a]
	}
	return unknownAction
}

// PlayerEvent is the content of a player event; names and order are those of the C# program.
type PlayerEvent struct {
	Action       Action
	Name         string
	IsDead       bool
	Disconnected bool
	Color        int
}

// LobbyEvent is the content of a lobby event.
type LobbyEvent struct {
	LobbyCode string
	Region    int
	Map       int
}

// GameOverEvent is the content of a gameover event.
type GameOverEvent struct {
	GameOverReason int
	PlayerInfos    []PlayerInfo
}

// PlayerInfo says on which side a player was.
type PlayerInfo struct {
	Name       string
	IsImpostor bool
}

// modifyTask is the content of modify, a wish of the mute proxy.
type modifyTask struct {
	Guild      uint64 `json:"guildID"`
	User       uint64 `json:"userID"`
	Parameters struct {
		Deaf bool `json:"deaf"`
		Mute bool `json:"mute"`
	} `json:"parameters"`
	ID string `json:"taskID"`
}

// plainJSON is content as Newtonsoft.Json writes it: nothing is escaped that need not be.
func plainJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// eventFrame is a Socket.IO event with a string argument as System.Text.Json writes it.
func eventFrame(event, arg string) string {
	return `42["` + event + `",` + netString(arg) + `]`
}

// netString quotes like System.Text.Json with its default encoder: quotes become \u0022, everything that matters in HTML and
// everything outside ASCII becomes \uXXXX with capital digits.
func netString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case strings.ContainsRune("\b\t\n\f\r", r):
			b.WriteString(map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}[r])
		case r < ' ' || r > '~' || strings.ContainsRune("\"&'+<>`", r):
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04X`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// parseEvent splits a 42 frame into the event and its raw first argument, which may be missing.
func parseEvent(frame string) (event string, arg json.RawMessage, err error) {
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(strings.TrimPrefix(frame, "42")), &parts); err != nil {
		return "", nil, fmt.Errorf("the server sent a broken event: %w", err)
	}
	if len(parts) == 0 || json.Unmarshal(parts[0], &event) != nil {
		return "", nil, fmt.Errorf("the server sent an event without a name: %.80q", frame)
	}
	if len(parts) > 1 {
		arg = parts[1]
	}
	return event, arg, nil
}

// argText is an argument as text: the content of a string, or the JSON of anything else, as the C# client takes it.
func argText(arg json.RawMessage) string {
	var s string
	if json.Unmarshal(arg, &s) == nil {
		return s
	}
	return string(arg)
}
