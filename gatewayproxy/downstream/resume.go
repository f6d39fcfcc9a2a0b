package downstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"splashtail/bus"
	"splashtail/internal/rawjson"
)

// resume is a RESUME.
type resume struct {
	token   string
	session string
	seq     uint64
}

func readResume(d []byte) resume {
	seq, err := strconv.ParseUint(rawjson.Text(rawjson.Get(d, "seq")), 10, 64)
	if err != nil {
		seq = 0 // null, or no number: nothing was received
	}
	return resume{
		token:   bareToken(rawjson.Text(rawjson.Get(d, "token"))),
		session: rawjson.Text(rawjson.Get(d, "session_id")),
		seq:     seq,
	}
}

// slack is how far a bot's number may be beyond what the stream has: what was sent and
// then lost with a process.
const slack = 1 << 16

// revive takes a session up where the bot is. An error of CodeUnavailable says that it
// cannot be now, any other that it never can.
func (s *Server) revive(ctx context.Context, r resume) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Cold)
	defer cancel()
	if !isSessionID(r.session) || r.seq == 0 {
		return nil, errors.New("no session of ours, or nothing was received in it")
	}
	found, err := s.records.Get(ctx, r.session)
	if err != nil {
		return nil, err
	}
	rec := found.Value
	if rec.Token != s.token {
		return nil, errors.New("the session belongs to another token")
	}
	info, err := bus.InfoOf(ctx, s.b, bus.AllDispatches())
	if err != nil {
		return nil, err
	}
	if rec.Epoch != info.Epoch {
		return nil, errors.New("the stream of events was made anew since")
	}
	upstream, err := s.shards(ctx)
	if err != nil {
		return nil, notYet(err)
	}
	sess := &session{
		id: r.session, rec: rec,
		view:  view{shard: rec.Shard, shards: rec.Shards, upstream: upstream, intents: rec.Intents, version: rec.Version},
		num:   numbering{single: rec.Shards == rec.Ours, base: rec.Base, burst: rec.Burst, parts: rec.Parts, turn: rec.Turn},
		order: orderOf(rec.Order, time.Now()), had: rec.Had,
	}
	if rec.Ours != s.tail.countAt(rec.Base, upstream) {
		return nil, errors.New("the number of shards with Discord was set to another")
	}
	sess.view.turned = len(s.tail.turnsBetween(rec.Base, ^uint64(0))) > 0
	for _, shard := range sess.view.sources() { // a process that has just started
		if err := s.cfg.Guilds.Await(ctx, shard); err != nil {
			return nil, notYet(err)
		}
	}
	ready, _ := s.cfg.Guilds.READY(sess.view.sources()[0])
	sess.view.self = rawjson.Text(rawjson.Get(rawjson.Get(ready, "user"), "id"))
	for _, shard := range sess.view.sources() {
		if !s.tail.seeded(shard) {
			all, _ := s.cfg.Guilds.Snapshot(shard)
			s.tail.seed(shard, all)
		}
	}
	if err := s.aim(ctx, sess, r.seq, info); err != nil {
		return nil, err
	}
	sess.view.upstream, sess.crossed = s.tail.countAt(sess.cursor, upstream), sess.cursor
	return sess, nil
}

func notYet(err error) error {
	return bus.Errorf(bus.CodeUnavailable, "cold", "the shards are not known yet; nothing was changed: %w", err)
}

// aim finds the place from which a session must be read so that the bot misses nothing
// behind the number seq.
func (s *Server) aim(ctx context.Context, sess *session, seq uint64, info bus.StreamInfo) error {
	rec := &sess.rec
	sess.have, sess.target, sess.resuming = max(seq, rec.Burst), info.Last, true
	sess.sent, sess.num.high = seq, sess.have
	if err := s.reconcile(ctx, sess, info); err != nil {
		return err
	}
	if seq < rec.Burst { // it has not had all guilds: they are shown again, and what happened since follows
		sess.shown, _, _ = s.snapshot(sess.view)
	}
	sess.mark = bus.DownstreamMark{Number: rec.Burst, Place: rec.Base}
	if rec.Mark.Place > 0 && seq >= rec.Mark.Sent {
		sess.mark = rec.Mark
	}
	sess.cursor = min(sess.mark.Place, info.Last) // further when the newest events were lost with a process
	if seq > sess.mark.Number+info.Last+slack-min(sess.mark.Place, info.Last) {
		return fmt.Errorf("the number %d was never sent", seq)
	}
	if place, spans := sess.placeOf(sess.have); spans {
		sess.cursor = max(sess.cursor, min(place, info.Last))
	} else {
		ahead, err := s.skipAhead(ctx, sess, seq)
		if err != nil {
			return err
		}
		sess.cursor = max(sess.cursor, ahead)
	}
	if info.First > sess.cursor+1 {
		return s.coversFrom(ctx, sess, info)
	}
	return nil
}

// skipAhead guesses the place of the number seq, which saves reading what the bot has
// had: every event has a place of its own, so it cannot be nearer than this. A guess that
// the stream does not confirm counts for nothing.
func (s *Server) skipAhead(ctx context.Context, sess *session, seq uint64) (uint64, error) {
	m := sess.mark
	if seq <= m.Number {
		return 0, nil
	}
	guess := m.Place + (seq - m.Number)
	page, _, err := bus.ReadPage(ctx, s.b, sess.view.filter(), guess, 1)
	if err != nil || len(page) == 0 {
		return 0, err
	}
	if n, known := sess.num.known(page[0].Value.Session, page[0].Value.Seq); known && n <= seq+1 {
		return page[0].Seq - 1, nil
	}
	return 0, nil
}

// coversFrom looks, where the stream has let go of events behind the session's place,
// whether the oldest that is left follows what the bot has: then nothing of it is missing.
func (s *Server) coversFrom(ctx context.Context, sess *session, info bus.StreamInfo) error {
	gone := fmt.Errorf("the stream has let go of what follows number %d", sess.have)
	if !sess.num.single {
		return gone
	}
	page, _, err := bus.ReadPage(ctx, s.b, sess.view.filter(), info.First, 1)
	if err != nil {
		return err
	}
	if len(page) == 0 {
		return gone
	}
	if n, known := sess.num.known(page[0].Value.Session, page[0].Value.Seq); !known || n > sess.have+1 {
		return gone
	}
	sess.cursor = page[0].Seq - 1
	return nil
}
