package downstream

import (
	"context"
	"encoding/json"
	"time"

	"splashtail/bus"
	"splashtail/internal/guilds"
)

// session is a bot's session while a connection of this process serves it. It is a place
// in the stream and what is needed to number and filter what comes behind it. One
// goroutine owns it, that of the connection.
type session struct {
	id   string
	rec  bus.DownstreamSession
	view view
	num  numbering

	cursor uint64 // everything up to this place was looked at
	sent   uint64 // the number of the last event that was sent; the bot's own after a RESUME
	have   uint64 // numbers up to here are with the bot already

	ready json.RawMessage // Discord's READY, until ours was sent
	shown []guilds.Guild  // still to be shown
	since map[int]uint64  // per shard: up to where its events are in what was shown; nil: nowhere

	resuming bool   // until RESUMED was sent, which it is
	target   uint64 // behind this place

	reborn map[bus.GuildID]bool // known to the bot, and about to come again with a new session of ours

	crossed uint64 // the place of the last turn that the view has taken in

	order order            // of what was read last, when the numbers are places
	had   map[string]int64 // see bus.DownstreamSession

	mark bus.DownstreamMark // confirmed by the bot
	next bus.DownstreamMark // to be confirmed by its next heartbeat
	kept time.Time          // when the record was written
}

// short names the session in logs and metrics.
func (s *session) short() string { return s.id[:12] }

// store writes the session's record, which then lives for Config.Keep.
func (s *Server) store(ctx context.Context, sess *session) error {
	sess.rec.Parts, sess.rec.Mark, sess.rec.Turn = sess.num.parts, sess.mark, sess.num.turn
	sess.rec.Order, sess.rec.Had = sess.order.record(), sess.had
	if _, err := s.records.PutFor(ctx, sess.id, sess.rec, s.cfg.Keep); err != nil {
		return err
	}
	sess.num.fresh, sess.kept = false, time.Now()
	return nil
}

// confirm takes in the number that a heartbeat names. What the bot had at the last
// heartbeat or before is behind it for good, so that a RESUME need not read that again,
// even when it has left the stream.
func (sess *session) confirm(number uint64) {
	if sess.resuming || len(sess.shown) > 0 || sess.ready != nil {
		return
	}
	if sess.next.Place > 0 && number >= sess.next.Sent {
		sess.mark = sess.next
	}
	sess.next = bus.DownstreamMark{Sent: sess.sent, Number: sess.num.top(), Place: sess.cursor}
}

// nonce gives what the bot called a member request, by our name for it.
func (sess *session) nonce(ours string) (theirs string, asked bool) {
	for _, a := range sess.rec.Asked {
		if a.Ours == ours {
			return a.Theirs, true
		}
	}
	return "", false
}
