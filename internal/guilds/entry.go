package guilds

import (
	"encoding/json"
	"errors"
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
		e.lost.note(e, v.Event, v.Data, d.Seq, d.Time)
		e.roster.note(v.Event, v.Data)
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
		e.roster.whole = false // what changed before this session is in no event
		for _, m := range e.g.list("members").items {
			e.roster.put(m.raw)
		}
	}
}

// maxGuild bounds the JSON of a guild that is read from a record.
const maxGuild = 64 << 20

func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxGuild))
}

// pack writes a guild, its roster and what was deleted in it into a record. When there is
// no room for all, the guild stays first, then the roster.
func pack(enc *zstd.Encoder, r *bus.GuildSnapshot, data []byte, remains []Remains, who storedRoster) {
	if data != nil {
		r.Data = enc.EncodeAll(data, nil)
	}
	room := maxStored - len(r.Data)
	part := func(empty bool, v any) []byte {
		text, err := json.Marshal(v)
		if empty || err != nil { // raw JSON that is none cannot be encoded
			return nil
		}
		packed := enc.EncodeAll(text, nil)
		if room -= len(packed); room < 0 {
			return nil
		}
		return packed
	}
	r.Roster = part(len(who.Who) == 0 && !who.Whole, who)
	r.Gone = part(len(remains) == 0, remains)
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
	var who storedRoster
	if err := errors.Join(unpart(dec, r.Gone, &e.lost.remains), unpart(dec, r.Roster, &who)); err != nil {
		return nil, fmt.Errorf("what is stored beside a guild is damaged: %w", err)
	}
	e.roster = who.roster()
	e.roster.whole = e.roster.whole && r.Epoch == epoch
	for _, one := range e.lost.remains {
		e.lost.size += one.bytes()
	}
	return e, nil
}

func unpart(dec *zstd.Decoder, packed []byte, into any) error {
	if len(packed) == 0 {
		return nil
	}
	text, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
