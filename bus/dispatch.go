package bus

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Dispatch is one event of Discord's gateway as it came, but for secrets that people typed, which are sealed. It travels raw: Data is the
// message, where it belongs stands in the subject, and where it came from in headers.
type Dispatch struct {
	Shard   int
	Guild   GuildID // 0: an event of no guild
	Event   string  // Discord's name, such as GUILD_AUDIT_LOG_ENTRY_CREATE
	Session string  // of the gateway connection that brought it
	Seq     int64   // Discord's number of it in that session
	Data    json.RawMessage
}

// The headers of a dispatch.
const (
	headerSession = "Splashtail-Session"
	headerSeq     = "Splashtail-Seq"
)

// ID is the message id of the dispatch: one that Discord repeats after a RESUME is not
// stored twice within the stream's window.
func (d Dispatch) ID() string { return d.Session + ":" + strconv.FormatInt(d.Seq, 10) }

// DispatchSubject is where a dispatch goes: dispatch.<shard>.<guild or 0>.<EVENT>. An
// event whose name is no plain word cannot be stored; Discord has none.
func DispatchSubject(d Dispatch) (Subject[Dispatch], error) {
	if d.Shard < 0 || !isToken(d.Event) {
		return Subject[Dispatch]{}, Errorf(CodeInvalid, "bad_subject", "shard %d or event %q cannot be part of a subject; the event was not stored", d.Shard, d.Event)
	}
	return Subject[Dispatch]{join(rootDispatch, strconv.Itoa(d.Shard), d.Guild.String(), d.Event)}, nil
}

// ParseDispatchSubject is the inverse of DispatchSubject: it gives shard, guild and event.
func ParseDispatchSubject(s string) (Dispatch, error) {
	t, err := split(s, 4, rootDispatch)
	if err != nil {
		return Dispatch{}, err
	}
	shard, err := strconv.Atoi(t[1])
	if err != nil || shard < 0 || strconv.Itoa(shard) != t[1] {
		return Dispatch{}, Errorf(CodeInvalid, "bad_subject", "%q is no shard number", t[1])
	}
	d := Dispatch{Shard: shard, Event: t[3]}
	if t[2] != "0" {
		if d.Guild, err = ParseGuildID(t[2]); err != nil {
			return Dispatch{}, err
		}
	}
	return d, nil
}

// AllDispatches takes every event of every shard.
func AllDispatches() Filter[Dispatch] {
	return filterOf[Dispatch](streamDispatch, join(rootDispatch, "*", "*", "*"))
}

// DispatchesOfShard takes the events of one shard; without names all of them.
func DispatchesOfShard(shard int, events ...string) Filter[Dispatch] {
	return dispatches(strconv.Itoa(shard), "*", events)
}

// DispatchesOfGuild takes the events of one guild; without names all of them.
func DispatchesOfGuild(g GuildID, events ...string) Filter[Dispatch] {
	return dispatches("*", g.String(), events)
}

// DispatchesNamed takes the named events of every shard and guild.
func DispatchesNamed(events ...string) Filter[Dispatch] { return dispatches("*", "*", events) }

func dispatches(shard, guild string, events []string) Filter[Dispatch] {
	if len(events) == 0 {
		events = []string{"*"}
	}
	patterns := make([]string, len(events))
	for i, e := range events {
		patterns[i] = join(rootDispatch, shard, guild, e)
	}
	return filterOf[Dispatch](streamDispatch, patterns...)
}

// pack puts a dispatch into a message.
func (d Dispatch) pack() ([]byte, nats.Header) {
	h := nats.Header{headerSession: {d.Session}, headerSeq: {strconv.FormatInt(d.Seq, 10)}}
	if life, brief := briefEvents[d.Event]; brief {
		h[jetstream.MsgTTLHeader] = []string{life.String()}
	}
	return d.Data, h
}

// briefEvents are of no use later and by far the most frequent; they leave the stream
// early, so that the rest can stay long.
var briefEvents = map[string]time.Duration{
	"PRESENCE_UPDATE": 2 * time.Minute,
	"TYPING_START":    time.Minute,
}

// unpack reads a dispatch out of a message.
func (d *Dispatch) unpack(subject string, h nats.Header, data []byte) error {
	parsed, err := ParseDispatchSubject(subject)
	if err != nil {
		return err
	}
	seq, err := strconv.ParseInt(h.Get(headerSeq), 10, 64)
	if err != nil {
		return Errorf(CodeInvalid, "bad_payload", "a stored dispatch on %s has no sequence: %w", subject, err)
	}
	if !json.Valid(data) {
		return Errorf(CodeInvalid, "bad_payload", "a stored dispatch on %s is not JSON", subject)
	}
	*d = parsed
	d.Session, d.Seq, d.Data = h.Get(headerSession), seq, data
	return nil
}
