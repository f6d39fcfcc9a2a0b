package guilds

import (
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"splashtail/bus"
	"splashtail/internal/rawjson"
)

// effect is what an event did to a guild.
type effect int

const (
	nothing effect = iota
	changed
	gone // the bot is no longer in it
)

// take applies an event of the guild, in the stream's order and once.
func (e *entry) take(d bus.Delivery[bus.Dispatch], self string) effect {
	v := d.Value
	switch {
	case v.Event == "GUILD_CREATE":
		e.create(d, self)
	case v.Event == "GUILD_DELETE":
		// An outage is told from a removal, as Discord does, by the member unavailable.
		if string(rawjson.Get(v.Data, "unavailable")) != "true" {
			return gone
		}
		e.shard, e.unavailable = v.Shard, true
	case e.g == nil:
		return nothing
	default:
		e.lost.note(e.g, v.Event, v.Data, d.Seq, d.Time)
		if !e.g.apply(v.Event, v.Data, self) {
			return nothing
		}
	}
	e.changed = d.Seq
	return changed
}

// create takes the guild as GUILD_CREATE shows it; what it was during an outage stays.
func (e *entry) create(d bus.Delivery[bus.Dispatch], self string) {
	e.shard = d.Value.Shard
	e.unavailable = string(rawjson.Get(d.Value.Data, "unavailable")) == "true"
	if !e.unavailable {
		e.g, e.created = made(d.Value.Data, self), d.Seq
	}
}

// maxGuild bounds the JSON of a guild that is read from a record.
const maxGuild = 64 << 20

func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxGuild))
}

// pack writes a guild and what was deleted in it into a record. When there is no room for
// both, the guild stays.
func pack(enc *zstd.Encoder, r *bus.GuildSnapshot, data []byte, remains []Remains) {
	if data != nil {
		r.Data = enc.EncodeAll(data, nil)
	}
	if len(remains) == 0 {
		return
	}
	list, err := json.Marshal(remains)
	if err != nil {
		return // only raw JSON that is none cannot be encoded
	}
	if r.Gone = enc.EncodeAll(list, nil); len(r.Data)+len(r.Gone) > maxStored {
		r.Gone = nil
	}
}

// unpack reads a record. Places of another life of the stream mean nothing and become 0.
func unpack(dec *zstd.Decoder, r bus.GuildSnapshot, epoch string) (*entry, error) {
	e := &entry{shard: r.Shard, unavailable: r.Unavailable}
	if r.Epoch == epoch {
		e.changed, e.created = r.Stream, r.Created
	}
	if len(r.Data) > 0 {
		data, err := dec.DecodeAll(r.Data, nil)
		if err != nil {
			return nil, fmt.Errorf("a stored guild is damaged: %w", err)
		}
		e.g = parse(data)
	}
	if len(r.Gone) == 0 {
		return e, nil
	}
	list, err := dec.DecodeAll(r.Gone, nil)
	if err == nil {
		err = json.Unmarshal(list, &e.lost.remains)
	}
	if err != nil {
		return nil, fmt.Errorf("what was deleted in a stored guild is damaged: %w", err)
	}
	for _, one := range e.lost.remains {
		e.lost.size += one.bytes()
	}
	return e, nil
}
