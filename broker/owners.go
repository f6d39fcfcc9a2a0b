package broker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// owners is who owns which connect code among all brokers of a bus. A record without a
// session says that its broker is reporting the client gone: whoever wants the code
// waits for the end of that, so that "unlinked" cannot come after the next "linked".
type owners struct {
	records  *bus.Records[bus.Owner]
	live     *bus.Records[bus.LeaseHolder]
	instance string
	log      *slog.Logger
}

// claimed is an ownership that we got.
type claimed struct {
	rev       uint64
	fromOther bool // a client of another broker had it
}

func (o *owners) record(session string) bus.Owner {
	return bus.Owner{V: 1, Instance: o.instance, Session: session, Since: time.Now().UTC()}
}

// claim takes the code over, from whoever has it. It tries until ctx ends.
func (o *owners) claim(ctx context.Context, code bus.ConnectCode, session string) (claimed, error) {
	for {
		c, err := o.claimOnce(ctx, code, session)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return claimed{}, ctx.Err()
		}
		if bus.IsCode(err, bus.CodeConflict) {
			continue // somebody was faster; the last one wins
		}
		o.log.Warn("a connect code cannot be claimed yet; trying again", "code", code, "err", err)
		pause.For(ctx, 250*time.Millisecond)
	}
}

func (o *owners) claimOnce(ctx context.Context, code bus.ConnectCode, session string) (claimed, error) {
	rev, err := o.records.Create(ctx, code.String(), o.record(session))
	if err == nil || !bus.IsCode(err, bus.CodeConflict) {
		return claimed{rev: rev}, err
	}
	e, err := o.records.Get(ctx, code.String())
	if bus.IsCode(err, bus.CodeNotFound) {
		return claimed{}, bus.Errorf(bus.CodeConflict, "changed", "the owner has just left")
	}
	if err != nil {
		return claimed{}, err
	}
	if e.Value.Session == "" {
		o.awaitChange(ctx, code, e.Revision)
	}
	rev, err = o.records.Update(ctx, code.String(), o.record(session), e.Revision)
	return claimed{rev: rev, fromOther: e.Value.Instance != o.instance}, err
}

// leaveTimeout is how long a broker may take to report a client gone; past it, it has
// died on the way.
const leaveTimeout = 3 * time.Second

// awaitChange returns when the record has changed, at the latest after leaveTimeout.
func (o *owners) awaitChange(ctx context.Context, code bus.ConnectCode, rev uint64) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	changed := errors.New("changed")
	seen := false
	err := o.records.Watch(ctx, code.String(), func(e bus.Entry[bus.Owner], live bool) error {
		switch {
		case live && !seen, !live && (e.Deleted || e.Revision != rev):
			return changed
		case !live:
			seen = true
		}
		return nil
	})
	if err != nil && !errors.Is(err, changed) {
		pause.For(ctx, 50*time.Millisecond)
	}
}

// leave marks the code as being given up. CodeConflict: somebody has taken it over.
func (o *owners) leave(ctx context.Context, code bus.ConnectCode, rev uint64) (uint64, error) {
	return o.records.Update(ctx, code.String(), o.record(""), rev)
}

// remove ends an ownership that leave has marked.
func (o *owners) remove(ctx context.Context, code bus.ConnectCode, rev uint64) {
	if err := o.records.Delete(ctx, code.String(), rev); err != nil {
		o.log.Warn("an ownership was not removed; it will be taken for left", "code", code, "err", err)
	}
}

// renew writes our record again. CodeConflict: it is not ours any more.
func (o *owners) renew(ctx context.Context, code bus.ConnectCode, rev uint64) (uint64, error) {
	e, err := o.records.Get(ctx, code.String())
	switch {
	case bus.IsCode(err, bus.CodeNotFound):
		return o.records.Create(ctx, code.String(), o.record("renewed"))
	case err != nil:
		return 0, err
	case e.Revision != rev:
		return 0, bus.Errorf(bus.CodeConflict, "changed", "another broker has it")
	}
	return rev, nil
}

// watch tells of every code that a client of another broker takes, until ctx ends.
func (o *owners) watch(ctx context.Context, taken func(code bus.ConnectCode, rev uint64)) {
	for ctx.Err() == nil {
		err := o.records.Watch(ctx, "*", func(e bus.Entry[bus.Owner], live bool) error {
			if live || e.Deleted || e.Value.Instance == o.instance {
				return nil
			}
			if code, err := bus.ParseConnectCode(e.Key); err == nil {
				taken(code, e.Revision)
			}
			return nil
		})
		if err != nil {
			o.log.Warn("ownerships cannot be watched; trying again", "err", err)
			pause.For(ctx, 250*time.Millisecond)
		}
	}
}

// isLive says which broker processes live.
func (o *owners) liveBrokers(ctx context.Context) (map[string]bool, error) {
	all, err := o.live.All(ctx, "*")
	if err != nil {
		return nil, err
	}
	live := map[string]bool{}
	for _, e := range all {
		live[e.Key] = true
	}
	return live, nil
}
