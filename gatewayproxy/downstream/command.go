package downstream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
	"splashtail/internal/rawjson"
)

const (
	maxOutbox     = 64 // commands of one bot that wait to be sent
	maxAsked      = 64 // member requests that are remembered
	maxVoice      = 512
	maxNonce      = 32 // bytes; Discord ignores longer ones
	maxGuildsOnce = 16 // guilds in one request, a habit of some libraries
	// fullEvery is how often Discord answers a request for all members of a guild.
	fullEvery = 30 * time.Second
)

// outgoing is a command on its way to who holds the shard.
type outgoing struct {
	shards, shard int
	send          bus.GatewaySend
	guild         bus.GuildID // of a member request
	nonce         string      // the bot's
}

// answer is an event for one bot that is in no stream; it has the number of the event
// before it.
type answer struct {
	event string
	d     []byte
}

func (c *conn) answer(a answer) error {
	if c.sess == nil {
		return nil
	}
	return c.dispatch(a.event, max(c.sess.sent, 1), a.d)
}

// command checks a command and passes it on. What Discord would not understand ends the
// connection, as there; what is none of this bot's business is dropped.
func (c *conn) command(op int, d []byte) error {
	switch op {
	case gateway.OpPresenceUpdate:
		p, err := readPresence(d)
		if err != nil {
			return &closing{gateway.CloseDecode, "the presence is malformed: " + err.Error()}
		}
		c.s.presence.set(c.sess.view.sources(), p)
		c.count(op, "taken")
		return nil
	case gateway.OpVoiceStateUpdate:
		return c.voiceState(d)
	case gateway.OpRequestGuildMembers:
		return c.members(d)
	}
	return c.forward(op, d)
}

func (c *conn) count(op int, outcome string) {
	c.s.m.commands.WithLabelValues(strconv.Itoa(op), outcome).Inc()
}

// forward passes on a request whose answers come to everybody.
func (c *conn) forward(op int, d []byte) error {
	key := "guild_id"
	if op == gateway.OpRequestSoundboard {
		key = "guild_ids"
	}
	ids, err := guildIDs(rawjson.Get(d, key))
	if err != nil {
		return &closing{gateway.CloseDecode, key + " is malformed"}
	}
	for _, id := range ids {
		value := `"` + id.String() + `"`
		if op == gateway.OpRequestSoundboard {
			value = "[" + value + "]"
		}
		c.send(outgoing{shard: c.shardOf(id), send: bus.GatewaySend{Op: op, Data: with(d, member{key, json.RawMessage(value)})}})
	}
	return nil
}

// voiceState remembers who asked: what Discord answers about the voice server is for
// that bot only.
func (c *conn) voiceState(d []byte) error {
	ids, err := guildIDs(rawjson.Get(d, "guild_id"))
	if err != nil || len(ids) != 1 {
		return &closing{gateway.CloseDecode, "guild_id is malformed"}
	}
	channel := json.RawMessage("null")
	if v := rawjson.Get(d, "channel_id"); !rawjson.IsNull(v) {
		id, err := bus.ParseGuildID(rawjson.Text(v)) // a snowflake like any other
		if err != nil {
			return &closing{gateway.CloseDecode, "channel_id is malformed"}
		}
		channel = json.RawMessage(`"` + id.String() + `"`)
	}
	flag := func(key string) json.RawMessage {
		if string(rawjson.Get(d, key)) == "true" {
			return json.RawMessage("true")
		}
		return json.RawMessage("false")
	}
	sess := c.sess
	c.s.voice.take(ids[0], sess.id)
	if !slices.Contains(sess.rec.Voice, ids[0]) {
		sess.rec.Voice = append(sess.rec.Voice, ids[0])
		if len(sess.rec.Voice) > maxVoice {
			sess.rec.Voice = sess.rec.Voice[1:]
		}
		c.keep()
	}
	c.send(outgoing{shard: c.shardOf(ids[0]), send: bus.GatewaySend{Op: gateway.OpVoiceStateUpdate, Data: with([]byte("{}"),
		member{"guild_id", json.RawMessage(`"` + ids[0].String() + `"`)}, member{"channel_id", channel},
		member{"self_mute", flag("self_mute")}, member{"self_deaf", flag("self_deaf")})}})
	return nil
}

// members asks for members under a name of ours, by which the answers find back to this
// bot, and only to it.
func (c *conn) members(d []byte) error {
	ids, err := guildIDs(rawjson.Get(d, "guild_id"))
	if err != nil {
		return &closing{gateway.CloseDecode, "guild_id is malformed"}
	}
	request, full, err := readMembers(d)
	if err != nil {
		return &closing{gateway.CloseDecode, err.Error()}
	}
	theirs := rawjson.Text(rawjson.Get(d, "nonce"))
	if len(theirs) > maxNonce {
		theirs = ""
	}
	sess := c.sess
	for _, id := range ids {
		if full {
			if again := c.s.full.again(time.Now(), id); again > 0 {
				if err := c.answer(rateLimited(id, theirs, again)); err != nil {
					return err
				}
				c.count(gateway.OpRequestGuildMembers, "limited")
				continue
			}
		}
		ours := newNonce(sess.id)
		sess.rec.Asked = append(sess.rec.Asked, bus.DownstreamNonce{Ours: ours, Theirs: theirs})
		if len(sess.rec.Asked) > maxAsked {
			sess.rec.Asked = sess.rec.Asked[1:]
		}
		c.send(outgoing{shard: c.shardOf(id), guild: id, nonce: theirs, send: bus.GatewaySend{Op: gateway.OpRequestGuildMembers, Data: with(request,
			member{"guild_id", json.RawMessage(`"` + id.String() + `"`)}, member{"nonce", json.RawMessage(`"` + ours + `"`)})}})
	}
	c.keep() // another process that goes on with the session must know the answers
	return nil
}

// newNonce is our name for a request: 22 bytes of the 32 that Discord takes.
func newNonce(session string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return session[:5] + "-" + hex.EncodeToString(b[:])
}

// rateLimited is Discord's answer to a request that comes too early.
func rateLimited(id bus.GuildID, nonce string, again time.Duration) answer {
	meta := with([]byte(`{"guild_id":"`+id.String()+`"}`), member{"nonce", quoted(nonce)})
	d := with([]byte(`{"opcode":8}`), member{"retry_after", json.RawMessage(strconv.FormatFloat(again.Seconds(), 'f', 3, 64))}, member{"meta", meta})
	return answer{"RATE_LIMITED", d}
}

// guildIDs reads one id or a list, as text or as numbers beyond 2^53.
func guildIDs(v json.RawMessage) ([]bus.GuildID, error) {
	all := []json.RawMessage{v}
	if len(v) > 0 && v[0] == '[' {
		all = slices.Collect(rawjson.Elements(v))
	}
	if len(all) == 0 || len(all) > maxGuildsOnce {
		return nil, errors.New("no guild, or too many")
	}
	var ids []bus.GuildID
	for _, one := range all {
		id, err := bus.ParseGuildID(rawjson.Text(one))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// readMembers brings a request for members into the form that Discord documents, without
// its guild and nonce. full says that it asks for all members.
func readMembers(d []byte) (request []byte, full bool, err error) {
	request = []byte("{}")
	users := rawjson.Get(d, "user_ids")
	if !rawjson.IsNull(users) {
		list := []byte{'['}
		one := []json.RawMessage{users}
		if users[0] == '[' {
			one = slices.Collect(rawjson.Elements(users))
		}
		for i, u := range one {
			id, err := bus.ParseUserID(rawjson.Text(u))
			if err != nil {
				return nil, false, errors.New("user_ids is malformed")
			}
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, `"`+id.String()+`"`...)
		}
		request = with(request, member{"user_ids", append(list, ']')})
	}
	limit := "0"
	if v := rawjson.Get(d, "limit"); !rawjson.IsNull(v) {
		n, err := strconv.ParseUint(rawjson.Text(v), 10, 32)
		if err != nil {
			return nil, false, errors.New("limit is malformed")
		}
		limit = strconv.FormatUint(n, 10)
	}
	if rawjson.IsNull(users) {
		query := rawjson.Text(rawjson.Get(d, "query"))
		text, _ := json.Marshal(query) // a string always encodes
		request = with(request, member{"query", text})
		full = query == "" && limit == "0"
	}
	request = with(request, member{"limit", json.RawMessage(limit)})
	if string(rawjson.Get(d, "presences")) == "true" {
		request = with(request, member{"presences", json.RawMessage("true")})
	}
	return request, full, nil
}

// shardOf is our shard that has a guild.
func (c *conn) shardOf(id bus.GuildID) int { return guilds.ShardOf(id, c.sess.view.upstream) }

// send puts a command in the bot's line. They are sent one after the other.
func (c *conn) send(o outgoing) {
	o.send.V, o.send.From, o.shards = 1, c.sess.short(), c.sess.view.upstream
	if c.outbox == nil {
		c.outbox = make(chan outgoing, maxOutbox)
		c.sending.Go(c.sendAll)
	}
	select {
	case c.outbox <- o:
	default:
		c.count(o.send.Op, "dropped")
		c.log.Warn("a bot's command was dropped: too many wait", "session", c.sess.short(), "op", o.send.Op)
	}
}

func (c *conn) sendAll() {
	for {
		var o outgoing
		select {
		case o = <-c.outbox:
		case <-c.ctx.Done():
			return
		}
		_, err := bus.Do(c.ctx, c.s.b, bus.GatewaySendCall(o.shards, o.shard), o.send)
		if err == nil {
			c.count(o.send.Op, "sent")
			continue
		}
		if c.ctx.Err() != nil {
			return
		}
		e := bus.AsError(err)
		c.count(o.send.Op, string(e.Code))
		c.log.Warn("a bot's command did not reach Discord", "session", o.send.From, "op", o.send.Op, "shard", o.shard, "err", err)
		if o.send.Op == gateway.OpRequestGuildMembers {
			c.later(rateLimited(o.guild, o.nonce, max(e.RetryAfter, time.Second)))
		}
	}
}

// later hands an answer to the connection's goroutine.
func (c *conn) later(a answer) {
	select {
	case c.answers <- a:
	case <-c.ctx.Done():
	}
}

// sendPresence is how presences reach Discord.
func (s *Server) sendPresence(ctx context.Context, shard int, d json.RawMessage) error {
	shards, err := s.cfg.Shards(ctx)
	if err != nil {
		return err
	}
	_, err = bus.Do(ctx, s.b, bus.GatewaySendCall(shards, shard), bus.GatewaySend{V: 1, Op: gateway.OpPresenceUpdate, Data: d})
	return err
}
