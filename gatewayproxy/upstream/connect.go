package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/bus"
)

// This file leads from a shard without a connection to one, and says how that ended.

// connect opens a connection, begins or resumes the session, and stays until the end.
func (s *shard) connect(ctx context.Context) end {
	var p *permit
	resume := s.mem.session != nil
	if !resume {
		s.show(stateWaiting, "")
		var err error
		if p, err = s.u.gate.permit(ctx, s.number, s.count); err != nil {
			return s.noPermit(ctx, err)
		}
	}
	e := s.open(ctx, p)
	e.resume = resume
	return e
}

func (s *shard) noPermit(ctx context.Context, err error) end {
	if ctx.Err() != nil {
		return end{cause: causeStop}
	}
	var limited *bus.Error
	if errors.As(err, &limited) && limited.Code == bus.CodeLimited {
		return end{cause: causeBudget, until: time.Now().Add(limited.RetryAfter), err: err}
	}
	return end{cause: causeDial, err: err}
}

// open dials, and with a permit identifies; without one it resumes.
func (s *shard) open(ctx context.Context, p *permit) end {
	used := false
	defer func() {
		if p != nil && !used {
			p.cancel(ctx)
		}
	}()
	s.show(stateConnecting, "")
	dialCtx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	address, err := s.address(dialCtx)
	if err != nil {
		return s.ended(ctx, end{cause: causeDial, err: fmt.Errorf("how to connect is not known: %w", err)})
	}
	w, err := dialWire(dialCtx, address, s.u.cfg.compress())
	if err != nil {
		return s.ended(ctx, end{cause: causeDial, err: err})
	}
	defer s.wires.Go(w.gone)
	defer w.leave()
	l := &link{s: s, wire: w, lastFrame: time.Now()}
	if e, ok := l.hello(dialCtx); !ok {
		return s.ended(ctx, e)
	}
	if p == nil {
		s.show(stateResuming, "")
		err = l.resume(ctx)
	} else {
		s.show(stateIdentifying, "")
		s.beginning.Lock()
		l.begins = true
		defer l.begun()
		if ctx.Err() != nil {
			return end{cause: causeStop}
		}
		if err := p.spend(ctx, s.count); err != nil {
			return s.noPermit(ctx, err)
		}
		used = true
		err = l.identify(ctx)
		s.u.resting.Go(func() { p.sent(s.u.work) })
	}
	if err != nil {
		return s.ended(ctx, end{cause: causeClosed, err: err})
	}
	e := l.run(ctx)
	if !l.liveSince.IsZero() {
		e.live, e.lasted = true, time.Since(l.liveSince)
	}
	return s.ended(ctx, e)
}

func (s *shard) ended(ctx context.Context, e end) end {
	if ctx.Err() != nil {
		return end{cause: causeStop}
	}
	return e
}
