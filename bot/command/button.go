package command

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/secret"
)

// idSeparator stands between the parts of a button's id: version and name, state, who may
// press, until when, and the code that nobody else can make.
const (
	idSeparator = '|'
	idVersion   = "1"
)

// MaxState is how long the state of a button can be, in bytes.
const MaxState = 36

// sealer makes and reads the ids of buttons. Its key comes from the bot's token, so every
// process of the bot reads every button, also after a restart.
type sealer struct{ key []byte }

func newSealer(token secret.Value) sealer {
	m := hmac.New(sha256.New, []byte(token.Reveal()))
	m.Write([]byte("splashtail button"))
	return sealer{m.Sum(nil)}
}

func (s sealer) code(guild bus.GuildID, text string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(guild.String() + " " + text))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:12])
}

// pressed is what a button's id says.
type pressed struct {
	name, state string
	by          bus.UserID
	until       time.Time
}

func (s sealer) seal(guild bus.GuildID, p pressed) string {
	text := strings.Join([]string{idVersion + p.name, p.state, strconv.FormatUint(uint64(p.by), 36), strconv.FormatInt(p.until.Unix(), 36)}, string(idSeparator))
	return text + string(idSeparator) + s.code(guild, text)
}

// open reads an id; false for one that we did not make for this guild.
func (s sealer) open(guild bus.GuildID, id string) (pressed, bool) {
	i := strings.LastIndexByte(id, idSeparator)
	if i < 0 || !hmac.Equal([]byte(id[i+1:]), []byte(s.code(guild, id[:i]))) {
		return pressed{}, false
	}
	parts := strings.Split(id[:i], string(idSeparator))
	if len(parts) != 4 || !strings.HasPrefix(parts[0], idVersion) {
		return pressed{}, false
	}
	by, err := strconv.ParseUint(parts[2], 36, 64)
	until, err2 := strconv.ParseInt(parts[3], 36, 64)
	return pressed{name: parts[0][len(idVersion):], state: parts[1], by: bus.UserID(by), until: time.Unix(until, 0)}, err == nil && err2 == nil
}
