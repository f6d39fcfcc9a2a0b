package upstream

import (
	"encoding/json"
	"errors"
	"strconv"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/rawjson"
)

// frame is what we read of a frame; d stays as it came.
type frame struct {
	op    int
	seq   int64
	event string
	guild bus.GuildID // 0: of no guild
	d     json.RawMessage
}

var errNotJSON = errors.New("the frame is not a JSON object with an opcode")

// readFrame reads the envelope of a frame and the guild of an event.
func readFrame(data []byte) (frame, error) {
	if !json.Valid(data) {
		return frame{}, errNotJSON
	}
	f := frame{op: -1}
	for key, v := range rawjson.Fields(data) {
		switch key {
		case "op":
			op, err := strconv.Atoi(string(v))
			if err != nil {
				return frame{}, errNotJSON
			}
			f.op = op
		case "s":
			f.seq, _ = strconv.ParseInt(string(v), 10, 64) // null: 0
		case "t":
			f.event = rawjson.Text(v)
		case "d":
			f.d = v
		}
	}
	if f.op < 0 {
		return frame{}, errNotJSON
	}
	if f.op == gateway.OpDispatch {
		f.guild = guildOf(f.event, f.d)
	}
	return f, nil
}

// guildOf finds the guild that an event belongs to. The guild itself is named by id.
func guildOf(event string, d json.RawMessage) bus.GuildID {
	key := "guild_id"
	switch event {
	case "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE":
		key = "id"
	}
	id, err := bus.ParseGuildID(rawjson.Text(rawjson.Get(d, key)))
	if err != nil {
		return 0
	}
	return id
}
