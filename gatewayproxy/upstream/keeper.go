package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/pause"
)

// shardLease is how long a dead process keeps its shards from the others.
const shardLease = 4 * time.Second

// keep holds a shard of so many whenever this process may, until ctx ends.
func (u *Upstream) keep(ctx context.Context, share *share, count, number int) {
	for ctx.Err() == nil {
		share.await(ctx)
		lease, err := bus.AwaitLease(ctx, u.b, bus.ShardLease(count, number), shardLease, u.cfg.Instance)
		if err != nil {
			return // ctx has ended
		}
		rest := time.Duration(0)
		if release, ok := share.take(); ok {
			if u.hold(ctx, newShard(u, count, number), lease, release) {
				rest = 2 * shardLease
			}
			share.give(release)
		}
		give, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		if err := lease.Release(give); err != nil {
			u.log.Debug("a shard was not given on; the right to it expires", "shard", number, "err", err)
		}
		cancel()
		pause.For(ctx, rest)
	}
}

// hold runs the shard until the right to it is lost, given up, or ctx ends. It says
// whether an operator wants another process to have it.
func (u *Upstream) hold(ctx context.Context, s *shard, lease *bus.Lease, release <-chan struct{}) (away bool) {
	ctx, cancel := lease.Context(ctx)
	defer cancel()
	u.mu.Lock()
	u.held[s.number] = s
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		delete(u.held, s.number)
		u.mu.Unlock()
	}()
	defer s.serve(ctx)()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-release:
			s.log.Info("giving the shard to another process")
		case <-s.released:
		case <-ctx.Done():
			return
		}
		// Between IDENTIFY and READY nobody else could go on with the session.
		s.beginning.Lock()
		defer s.beginning.Unlock()
		cancel()
	}()
	if err := s.run(ctx); err != nil {
		s.log.Error("the shard cannot be held now; trying again", "err", err)
		pause.For(ctx, time.Second)
	}
	cancel()
	<-ended
	select {
	case <-s.released:
		return true
	default:
		return false
	}
}

// serve answers operators and bots whose calls are for this shard, until stop is called.
func (s *shard) serve(ctx context.Context) (stop func()) {
	shards := s.count
	orders, err := bus.Serve(ctx, s.u.b, bus.ShardCall(shards, s.number), s.obey)
	if err != nil {
		s.log.Warn("operators cannot reach the shard", "err", err)
		orders = func() {}
	}
	sends, err := bus.Serve(ctx, s.u.b, bus.GatewaySendCall(shards, s.number), s.forward)
	if err != nil {
		s.log.Warn("bots cannot send commands through the shard", "err", err)
		sends = func() {}
	}
	proofs, err := bus.Serve(ctx, s.u.b, bus.ShardProofCall(shards, s.number), s.answerProof)
	if err != nil {
		s.log.Warn("the number of shards cannot be changed while this process holds the shard", "err", err)
		proofs = func() {}
	}
	return func() { orders(); sends(); proofs() }
}

// forward sends a bot's command to Discord.
func (s *shard) forward(ctx context.Context, q bus.GatewaySend) (bus.GatewaySent, error) {
	data, err := json.Marshal(struct {
		Op int             `json:"op"`
		D  json.RawMessage `json:"d"`
	}{q.Op, q.Data})
	if err != nil {
		return bus.GatewaySent{}, bus.Errorf(bus.CodeInvalid, "bad_payload", "the command was not sent: %w", err)
	}
	if !slices.Contains([]int{gateway.OpPresenceUpdate, gateway.OpVoiceStateUpdate, gateway.OpRequestGuildMembers, gateway.OpRequestSoundboard, gateway.OpRequestChannelInfo}, q.Op) {
		return bus.GatewaySent{}, bus.Errorf(bus.CodeInvalid, "bad_op", "the command was not sent: a bot may not send op %d", q.Op)
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	o := passing{data: data, done: make(chan error, 1)}
	select {
	case s.sends <- o:
	case <-ctx.Done():
		return bus.GatewaySent{}, bus.Errorf(bus.CodeUnavailable, "not_live", "the command was not sent: %w", errNotLive)
	}
	select {
	case err = <-o.done:
	case <-ctx.Done():
		err = bus.Errorf(bus.CodeUnavailable, "unconfirmed", "the command may or may not have been sent: %w", ctx.Err())
	}
	return bus.GatewaySent{V: 1}, err
}

// obey carries out an operator's order and records it.
func (s *shard) obey(ctx context.Context, o bus.ShardOrder) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	var err error
	switch o.Verb {
	case "restart":
		err = s.order(ctx, true)
	case "identify":
		err = s.order(ctx, false)
	case "release":
		s.once.Do(func() { close(s.released) })
	default:
		return nil, bus.Errorf(bus.CodeInvalid, "bad_verb", "%q is not restart, identify or release; nothing was done", o.Verb)
	}
	s.u.record(ctx, s.number, o, err)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s.status())
}

func (s *shard) order(ctx context.Context, keep bool) error {
	select {
	case s.orders <- keep:
		return nil
	case <-ctx.Done():
		return bus.Errorf(bus.CodeUnavailable, "busy", "the shard is just connecting; nothing was done; try again")
	}
}

// record keeps an order in the log of commands.
func (u *Upstream) record(ctx context.Context, shard int, o bus.ShardOrder, err error) {
	subject, serr := bus.CommandSubject(u.cfg.Component, "shard-"+o.Verb)
	if serr != nil {
		return
	}
	c := bus.Command{V: 1, ID: newID(), Component: u.cfg.Component, Verb: "shard-" + o.Verb, Actor: o.Actor,
		Reason: fmt.Sprintf("shard %d: %s", shard, o.Reason), Outcome: "done", At: time.Now().UTC()}
	if err != nil {
		c.Outcome = "failed: " + err.Error()
	}
	if _, err := bus.Publish(ctx, u.b, subject, c, bus.WithID(c.ID)); err != nil {
		u.log.Warn("an order was carried out and not recorded", "shard", shard, "verb", o.Verb, "err", err)
	}
}
