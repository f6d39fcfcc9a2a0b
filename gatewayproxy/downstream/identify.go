package downstream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
	"splashtail/internal/rawjson"
)

// identify is what counts of an IDENTIFY. Everything else in it, compress and properties
// among it, changes nothing here.
type identify struct {
	token         string
	shard, shards int
	intents       uint64
	presence      json.RawMessage // nil: none, or none that Discord would take
}

// readIdentify reads the forms in which libraries send it: a token with or without Bot in
// front, no shard, numbers as text.
func readIdentify(d []byte) (identify, *closing) {
	id := identify{token: bareToken(rawjson.Text(rawjson.Get(d, "token"))), shards: 1}
	if shard := rawjson.Get(d, "shard"); !rawjson.IsNull(shard) {
		var numbers []int
		for v := range rawjson.Elements(shard) {
			n, err := strconv.Atoi(rawjson.Text(v))
			if err != nil {
				return id, &closing{gateway.CloseInvalidShard, "shard is not two numbers"}
			}
			numbers = append(numbers, n)
		}
		if len(numbers) != 2 || numbers[0] < 0 || numbers[0] >= numbers[1] || numbers[1] > highestShardCount {
			return id, &closing{gateway.CloseInvalidShard, "shard is not [number, count] with number < count"}
		}
		id.shard, id.shards = numbers[0], numbers[1]
	}
	var err error
	if id.intents, err = strconv.ParseUint(rawjson.Text(rawjson.Get(d, "intents")), 10, 64); err != nil {
		return id, &closing{gateway.CloseInvalidIntents, "intents is missing or not a number"}
	}
	if unknown := id.intents &^ gateway.KnownIntents; unknown != 0 {
		return id, &closing{gateway.CloseInvalidIntents, fmt.Sprintf("intents has bits that do not exist: %d", unknown)}
	}
	if p := rawjson.Get(d, "presence"); !rawjson.IsNull(p) {
		id.presence, _ = readPresence(p) // what is no presence is not worth a refusal
	}
	return id, nil
}

// bareToken takes "Bot " off a token.
func bareToken(s string) string {
	if len(s) > 4 && strings.EqualFold(s[:4], "Bot ") {
		return s[4:]
	}
	return s
}

// startError says why a session could not begin; false in op 9 is the answer.
type startError struct {
	result string // for the metrics
	err    error
}

// begin makes a session for a bot. What it will be shown first is in the session.
func (s *Server) begin(ctx context.Context, id identify, version int) (*session, *closing, *startError) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Cold)
	defer cancel()
	upstream, err := s.shards(ctx)
	if err != nil || upstream < 1 {
		return nil, nil, &startError{"cold", err}
	}
	v := view{shard: id.shard, shards: id.shards, upstream: upstream, intents: id.intents, version: version}
	for _, shard := range v.sources() {
		if err := s.cfg.Guilds.Await(ctx, shard); err != nil {
			return nil, nil, &startError{"cold", err}
		}
	}
	ready, known := s.cfg.Guilds.READY(v.sources()[0])
	if !known {
		return nil, nil, &startError{"cold", nil}
	}
	v.self = rawjson.Text(rawjson.Get(rawjson.Get(ready, "user"), "id"))
	if refused := s.refusedIntents(id.intents, ready); refused != 0 {
		return nil, &closing{gateway.CloseDisallowedIntents, fmt.Sprintf("the application may not use the privileged intents %d; allow them in Discord's developer portal", refused)}, nil
	}
	shown, place, since := s.snapshot(v)
	if err := s.tail.await(ctx, place); err != nil || s.tail.countAt(place, upstream) != upstream || s.tail.turning(place) {
		return nil, nil, &startError{"cold", err} // our number of shards changes just now
	}
	sess := &session{
		id: newSessionID(), view: v, crossed: place, cursor: place, since: since, ready: ready, shown: shown,
		num: numbering{single: v.single(), base: place, burst: uint64(1 + len(shown))},
		rec: bus.DownstreamSession{V: 1, Shard: id.shard, Shards: id.shards, Ours: upstream, Intents: id.intents, Version: version,
			Token: s.token, Base: place, Burst: uint64(1 + len(shown)), Since: time.Now().UTC()},
	}
	_, sess.rec.Epoch = s.tail.at()
	if !v.single() {
		before, after := s.tail.newest(place, orderBefore)
		for _, e := range before {
			sess.order.add(ordered{e.place, e.session, e.seq, time.Now()}, after)
		}
	}
	if err := s.store(ctx, sess); err != nil {
		return nil, nil, &startError{"not_stored", err}
	}
	return sess, nil, nil
}

// refusedIntents gives the intents that the application lacks, and warns of those that
// we do not have ourselves.
func (s *Server) refusedIntents(intents uint64, ready []byte) uint64 {
	if have := s.cfg.Intents(); have != 0 && intents&^have != 0 {
		s.log.Warn("a bot asks for events that we do not get from Discord; set GATEWAY_INTENTS", "missing", intents&^have, "intents", have)
	}
	flags, err := strconv.ParseUint(rawjson.Text(rawjson.Get(rawjson.Get(ready, "application"), "flags")), 10, 64)
	if err != nil {
		return 0 // READY does not say
	}
	return gateway.Without(intents, flags)
}

// snapshot gives the guilds that the bot's shard has, and the place that they belong to.
// Shards are asked one after the other: for those that are further, since says up to
// where their events are in what is shown.
func (s *Server) snapshot(v view) (shown []guilds.Guild, place uint64, since map[int]uint64) {
	since = map[int]uint64{}
	for i, shard := range v.sources() {
		all, at := s.cfg.Guilds.Snapshot(shard)
		s.tail.seed(shard, all)
		for _, g := range all {
			if v.single() || v.ofGuild(g.ID) {
				shown = append(shown, g)
			}
		}
		if i == 0 || at < place {
			place = at
		}
		since[shard] = at
	}
	return shown, place, since
}

// newSessionID is a name that nobody can guess.
func newSessionID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// isSessionID says whether a text can be one of ours.
func isSessionID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 && strings.ToLower(s) == s
}

// readyFor changes in Discord's READY only what is about the session.
func readyFor(sess *session, url string) []byte {
	stubs := []byte{'['}
	for i, g := range sess.shown {
		if i > 0 {
			stubs = append(stubs, ',')
		}
		stubs = append(stubs, `{"id":"`+g.ID.String()+`","unavailable":true}`...)
	}
	stubs = append(stubs, ']')
	where, _ := json.Marshal(url) // a string always encodes
	over := []member{
		{"v", json.RawMessage(strconv.Itoa(sess.view.version))}, {"guilds", stubs},
		{"session_id", json.RawMessage(`"` + sess.id + `"`)}, {"resume_gateway_url", where},
		{"shard", json.RawMessage(fmt.Sprintf("[%d,%d]", sess.view.shard, sess.view.shards))},
		{"_trace", nil},
	}
	if !has(sess.ready, "private_channels") {
		over = append(over, member{"private_channels", json.RawMessage(`[]`)}) // Eris and JDA fail without
	}
	return with(sess.ready, over...)
}

// guildFor gives the event that shows a guild after READY.
func guildFor(g guilds.Guild, v view) (name string, d []byte) {
	if g.Unavailable || len(g.JSON) == 0 {
		return "GUILD_DELETE", goneFor(g.ID, true)
	}
	d = with(g.JSON, member{"unavailable", json.RawMessage("false")})
	if v.intents&gateway.IntentGuildPresences == 0 {
		d = withoutPresences(d)
	}
	return "GUILD_CREATE", d
}
