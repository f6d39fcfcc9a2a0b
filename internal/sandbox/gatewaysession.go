package sandbox

import (
	"encoding/json"
	"time"
)

// gateway is what the sandbox knows of its gateway. The lock of Discord guards all of it.
type gateway struct {
	sessions map[string]*gatewaySession // also those without a connection, until they expire
}

// gatewaySession is one identified session. Its log is both what the connection still has to send and what a RESUME replays,
// so nothing can be in one and not in the other.
type gatewaySession struct {
	id      string
	app     *application
	shard   int
	shards  int
	version int // of the API: 9 or 10
	intents Intents
	log     ring[sent]
	wake    chan struct{} // has a value when the log grew
}

// sent is one dispatch in a session's log.
type sent struct {
	seq  uint64
	at   time.Time
	name string
	body json.RawMessage
}

// serves says whether a guild's events belong to this session's shard; those of no guild belong to shard 0.
func (s *gatewaySession) serves(guildID ID) bool {
	return int(uint64(guildID)>>22%uint64(s.shards)) == s.shard
}

// readsContent says whether the session sees what messages say. Version 9 does not ask for the intent.
func (s *gatewaySession) readsContent() bool {
	return s.intents&IntentMessageContent != 0 || s.version == 9 && s.app.contentIntent
}

// add appends a dispatch and wakes the connection.
func (s *gatewaySession) add(name string, body json.RawMessage) {
	s.log.add(func(seq uint64) sent { return sent{seq: seq, at: time.Now(), name: name, body: body} })
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
