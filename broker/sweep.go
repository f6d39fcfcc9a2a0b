package broker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// sweeper reports the clients of brokers that died: their codes are linked in the stream
// and nobody owns them. One process at a time sweeps. It looks when it begins and
// whenever a broker's life ends, and gives clients the grace to come back first.
type sweeper struct {
	h     *hub
	log   *slog.Logger
	grace time.Duration
	every time.Duration // between looks while somebody is suspected
}

const sweepLease = 3 * time.Second

func (s *sweeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := bus.AwaitLease(ctx, s.h.b, bus.CaptureSweepLease(), sweepLease, s.h.cfg.Instance)
		if err != nil {
			continue // ctx has ended
		}
		held, stop := l.Context(ctx)
		s.hold(held)
		stop()
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		if err := l.Release(release); err != nil {
			s.log.Debug("the lease of the sweeper was not released; it expires", "err", err)
		}
		cancel()
	}
}

// hold sweeps until ctx ends.
func (s *sweeper) hold(ctx context.Context) {
	deaths := make(chan struct{}, 1)
	deaths <- struct{}{} // one before our time, perhaps
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(ctx, deaths)
	}()
	defer func() { <-watched }()
	for {
		select {
		case <-deaths:
			s.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// watch tells when a broker's life ends.
func (s *sweeper) watch(ctx context.Context, deaths chan<- struct{}) {
	for ctx.Err() == nil {
		err := s.h.owners.live.Watch(ctx, "*", func(e bus.Entry[bus.LeaseHolder], live bool) error {
			if live || e.Deleted {
				select {
				case deaths <- struct{}{}:
				default:
				}
			}
			return nil
		})
		if err != nil {
			pause.For(ctx, time.Second)
		}
	}
}

// look watches suspects until each has an owner again or is reported.
func (s *sweeper) look(ctx context.Context) {
	suspect := map[bus.ConnectCode]time.Time{} // since when
	for {
		orphans, err := s.orphans(ctx)
		if err != nil {
			s.log.Warn("clients of dead brokers cannot be looked for; trying again", "err", err)
			if !pause.For(ctx, time.Second) {
				return
			}
			continue
		}
		now := time.Now()
		for code := range suspect {
			if _, still := orphans[code]; !still {
				delete(suspect, code)
			}
		}
		for code, o := range orphans {
			if since, known := suspect[code]; !known {
				suspect[code] = now
			} else if now.Sub(since) >= s.grace {
				s.report(ctx, code, o)
			}
		}
		if len(suspect) == 0 || !pause.For(ctx, s.every) {
			return
		}
	}
}

// orphan is a code that is linked without an owner who lives.
type orphan struct {
	seq uint64 // of its last event about the connection
	rev uint64 // of the dead owner's record; 0: there is none
}

func (s *sweeper) orphans(ctx context.Context) (map[bus.ConnectCode]orphan, error) {
	linked := map[bus.ConnectCode]orphan{}
	err := bus.Latest(ctx, s.h.b, bus.CaptureOf(bus.CaptureConnection), func(d bus.Delivery[bus.CaptureEvent]) error {
		if d.Value.Payload == "true" {
			linked[d.Value.Code] = orphan{seq: d.Seq}
		}
		return nil
	})
	if err != nil || len(linked) == 0 {
		return nil, err
	}
	live, err := s.h.owners.liveBrokers(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.h.owners.records.All(ctx, "*")
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		code, err := bus.ParseConnectCode(e.Key)
		if err != nil {
			continue
		}
		if live[e.Value.Instance] {
			delete(linked, code)
		} else if o, ok := linked[code]; ok {
			o.rev = e.Revision
			linked[code] = o
		}
	}
	return linked, nil
}

// report tells AutoMuteUs that the client is gone. It takes the code first, marked as
// being given up, so that a client that comes back in this moment waits for it.
func (s *sweeper) report(ctx context.Context, code bus.ConnectCode, o orphan) {
	mine := s.h.owners.record("")
	var rev uint64
	var err error
	if o.rev == 0 {
		rev, err = s.h.owners.records.Create(ctx, code.String(), mine)
	} else {
		rev, err = s.h.owners.records.Update(ctx, code.String(), mine, o.rev)
	}
	if err != nil {
		return // somebody came back, or we look again
	}
	id := fmt.Sprintf("swept-%s-%d", code, o.seq)
	s.h.store(ctx, id, bus.CaptureEvent{
		V: 1, Code: code, Kind: bus.CaptureConnection, Payload: "false", Session: s.h.id, At: time.Now().UTC(), Cause: causeSwept,
	})
	s.h.owners.remove(ctx, code, rev)
	s.log.Info("the client of a broker that died did not come back", "code", code)
}
