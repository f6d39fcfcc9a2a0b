package downstream

import (
	"context"
	"fmt"
	"slices"
	"time"

	"splashtail/bus"
)

// A bot over several of our shards is numbered by place in the stream. The newest events
// can be lost with the server, and Discord's RESUMEs bring them again, but those of one
// shard before those of another as it happens: another order, so other places. Therefore
// such a session's record says in which order it had the newest events, before the bot
// has them. At a RESUME that is held against the stream: where they part the numbers go
// on from what the bot has, and what it had already of the events behind is left out.

const (
	// lossWindow is how much of the newest of the stream a crash may take back.
	lossWindow = 2 * time.Second
	// maxOrder bounds what a record says of it; see bus.DownstreamOrder.
	maxOrder = 512
	// orderGroup is how many events at most one write of the record is for.
	orderGroup = 256
	// orderBefore is how many events before its first a session knows the order of.
	orderBefore = 64
)

// order is the newest that a session has read, by place.
type order struct {
	after  uint64 // the place before the first; 0: older ones were let go
	events []ordered
}

type ordered struct {
	place   uint64
	session string
	seq     int64
	at      time.Time // when it was read
}

// add notes an event that is read behind the place before.
func (o *order) add(e ordered, before uint64) bool {
	switch n := len(o.events); {
	case n > 0 && o.events[n-1].place >= e.place:
		return false // noted when it was read the last time
	case n == 0:
		o.after = before
	}
	o.events = append(o.events, e)
	return true
}

// prune lets go of what cannot be lost any more, but for the newest of that: there the
// order and the stream agree.
func (o *order) prune(now time.Time) {
	n := 0
	for n+1 < len(o.events) && (len(o.events)-n > maxOrder || now.Sub(o.events[n+1].at) > lossWindow) {
		n++
	}
	if n > 0 {
		o.events, o.after = slices.Delete(o.events, 0, n), 0
	}
}

// cut lets go of what is behind a place.
func (o *order) cut(place uint64) {
	i := slices.IndexFunc(o.events, func(e ordered) bool { return e.place > place })
	if i == 0 {
		o.after = place
	}
	if i >= 0 {
		o.events = o.events[:i]
	}
}

func (o *order) record() *bus.DownstreamOrder {
	if len(o.events) == 0 {
		return nil
	}
	r := &bus.DownstreamOrder{After: o.after}
	for _, e := range o.events {
		i := slices.Index(r.Sessions, e.session)
		if i < 0 {
			i = len(r.Sessions)
			r.Sessions = append(r.Sessions, e.session)
		}
		r.Events = append(r.Events, bus.Ordered{e.place, uint64(i), uint64(e.seq)})
	}
	return r
}

func orderOf(r *bus.DownstreamOrder, now time.Time) (o order) {
	if r == nil {
		return o
	}
	o.after = r.After
	for _, e := range r.Events {
		if e[1] < uint64(len(r.Sessions)) {
			o.events = append(o.events, ordered{e[0], r.Sessions[e[1]], int64(e[2]), now})
		}
	}
	return o
}

// spans says whether the numbers of a session are places in the stream.
func (n *numbering) spans() bool { return !n.single || n.turn.Place > 0 }

// noteOrder notes events that are about to be passed. The record is written before the
// first of them is sent, see conn.dispatch.
func (c *conn) noteOrder(events []*event) {
	sess, now := c.sess, time.Now()
	if len(events) == 0 || !sess.num.spans() && len(c.s.tail.turnsBetween(sess.crossed, events[len(events)-1].place+1)) == 0 {
		return
	}
	for _, e := range events {
		if sess.order.add(ordered{e.place, e.session, e.seq, now}, sess.cursor) {
			sess.num.fresh = true
		}
	}
	sess.order.prune(now)
}

// newest gives up to n events of the window up to a place, and the place before them.
func (t *tail) newest(place uint64, n int) (events []*event, before uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	end := len(t.events)
	for end > 0 && t.events[end-1].place > place {
		end--
	}
	first := max(0, end-n)
	if before = t.floor; first > 0 {
		before = t.events[first-1].place
	}
	return slices.Clone(t.events[first:end]), before
}

// placeOf is the place up to which a bot has everything, whose number is have; false when
// its numbers are no places.
func (sess *session) placeOf(have uint64) (uint64, bool) {
	switch n := &sess.num; {
	case n.turn.Place > 0 && have >= n.turn.Number:
		return n.turn.Place + have - n.turn.Number, true
	case !n.single:
		return n.base + have - n.burst, true
	}
	return 0, false
}

// reconcile holds the order that the session knows against the stream.
func (s *Server) reconcile(ctx context.Context, sess *session, info bus.StreamInfo) error {
	place, spans := sess.placeOf(sess.have)
	if t := sess.num.turn; sess.had != nil && sess.have < t.Number { // the bot itself has gone back
		if spans && place > t.Place {
			return fmt.Errorf("the events at the number %d were lost and came again in another order", sess.have)
		}
		sess.had = nil
	}
	if !spans || len(sess.order.events) == 0 {
		return nil
	}
	common, lost, err := s.common(ctx, &sess.order, info)
	if err != nil || !lost {
		return err
	}
	known := sess.order.events
	if common == 0 || place > known[len(known)-1].place {
		return fmt.Errorf("how the events up to the number %d came is not known any more", sess.have)
	}
	if place > common {
		had := map[string]int64{}
		for session, seq := range sess.had {
			had[session] = seq
		}
		for _, e := range known {
			if e.place > common && e.place <= place {
				had[e.session] = max(had[e.session], e.seq)
			}
		}
		sess.had, sess.num.turn = had, bus.DownstreamTurn{Place: common, Number: sess.have}
		if sess.rec.Mark.Place > common {
			sess.rec.Mark = bus.DownstreamMark{}
		}
		s.log.Warn("the newest events were lost with the server and stored again; a bot gets those that it lacks", "session", sess.short(), "place", common, "number", sess.have)
	}
	sess.order.cut(common)
	sess.num.fresh = true
	return nil
}

// common gives the last place where an order and the stream agree, and whether they part
// behind it; 0 when they part before what is known. Events that the stream has let go of
// by their age say nothing.
func (s *Server) common(ctx context.Context, o *order, info bus.StreamInfo) (place uint64, lost bool, err error) {
	known := map[uint64]ordered{}
	for _, e := range o.events {
		known[e.place] = e
	}
	last, newest := o.events[len(o.events)-1].place, info.Last
	place = o.after
	for next, more := o.events[0].place, true; more && next <= last; {
		var page []bus.Delivery[bus.Dispatch]
		if page, more, err = bus.ReadPage(ctx, s.b, bus.AllDispatches(), next, pageSize); err != nil {
			return 0, false, err
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			newest, next = max(newest, m.Seq), m.Seq+1
			e, noted := known[m.Seq]
			switch {
			case !noted:
			case e.session != m.Value.Session || e.seq != m.Value.Seq:
				return place, true, nil
			default:
				place = m.Seq
			}
		}
	}
	return place, last > newest, nil
}
