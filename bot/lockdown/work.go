package lockdown

import (
	"context"
	"slices"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// work does what there is to do in a guild now. An error means that it is not done and can
// be tried again.
func (k *Keeper) work(ctx context.Context, key string) error {
	g, err := bus.ParseGuildID(key)
	if err != nil {
		k.cfg.Log.Error("a lockdown is under a key that is no guild; it is left alone", "key", key)
		return nil
	}
	for ctx.Err() == nil {
		e, err := k.records.Get(ctx, key)
		if bus.IsCode(err, bus.CodeNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		t := &task{k: k, g: g, l: e.Value, revision: e.Revision}
		if !t.choose(time.Now()) {
			return nil
		}
		if err := t.step(ctx); err != nil && !bus.IsCode(err, bus.CodeConflict) {
			return err // a conflict is that somebody wishes something else by now
		}
	}
	return ctx.Err()
}

// task is one step of one lock.
type task struct {
	k        *Keeper
	g        bus.GuildID
	l        bus.Lockdown
	revision uint64
	lock     *bus.Lock // in l
}

// choose takes the first lock that has something to do, openings first; false when none
// has.
func (t *task) choose(now time.Time) bool {
	for i := range t.l.Locks {
		lock := &t.l.Locks[i]
		if (lock.Phase == bus.LockClosed || lock.Phase == bus.LockClosing) && !now.Before(lock.Until) {
			open(lock, 0, "the time of the lockdown is over · op="+lock.ID)
		}
		if lock.Phase == bus.LockOpening || lock.Phase == bus.LockClosing && t.lock == nil {
			t.lock = lock
		}
		if lock.Phase == bus.LockOpening {
			break
		}
	}
	return t.lock != nil
}

func (t *task) write(ctx context.Context) (err error) {
	t.revision, err = t.k.records.Update(ctx, t.g.String(), t.l, t.revision)
	return err
}

// step plans a phase, does a part of it, or ends it.
func (t *task) step(ctx context.Context) error {
	var err error
	switch {
	case !t.lock.Planned:
		err = t.plan(ctx)
	case len(t.lock.Todo) == 0:
		return t.finish(ctx)
	case t.lock.Phase == bus.LockClosing:
		err = t.close(ctx)
	default:
		err = t.open(ctx)
	}
	if refused(err) {
		// Discord does not even show the guild to us. It waits for somebody.
		t.k.cfg.Log.Error("a lockdown cannot go on; /lockdown lift tries again", "guild", t.g, "op", t.lock.ID, "err", err)
		t.lock.Phase, t.lock.Failed = bus.LockStuck, []bus.LockFailure{{LockTarget: bus.LockTarget{ID: t.g.String()}, Why: whyRefused}}
		return t.write(ctx)
	}
	return err
}

// refused says whether Discord will say no again.
func refused(err error) bool {
	_, no := discord.Refusal(err)
	return no
}

func (t *task) plan(ctx context.Context) error {
	lock := t.lock
	if lock.Phase == bus.LockClosing {
		v, err := look(ctx, t.k.cfg.Bot, t.g, t.k.cfg.Self())
		if err != nil {
			return err
		}
		p := planFor(v.unlocked(t.l), lock.Scope, lock.Channel)
		lock.Todo, lock.Failed = p.parts[:min(len(p.parts), bus.MaxLockParts)], p.failed
	} else {
		for _, h := range t.l.Holds {
			if bits := h.By[lock.ID]; bits != 0 {
				lock.Todo = append(lock.Todo, bus.LockPart{LockTarget: h.LockTarget, Bits: bits})
			}
		}
		slices.SortStableFunc(lock.Todo, openOrder)
	}
	lock.Planned, lock.Total = true, len(lock.Todo)
	return t.write(ctx)
}

// openOrder keeps the targets of a channel together and the bot's own overwrite behind the
// others there: it is what lets the bot give back the rest.
func openOrder(a, b bus.LockPart) int {
	switch {
	case a.Channel < b.Channel:
		return -1
	case a.Channel > b.Channel:
		return 1
	case a.Member == b.Member:
		return 0
	case a.Member:
		return 1
	}
	return -1
}

// perStep is about how many targets are changed between two looks at the guild.
const perStep = 16

// batch takes the next targets, those of a channel together.
func (t *task) batch() []bus.LockPart {
	todo := t.lock.Todo
	n := min(perStep, len(todo))
	for n < len(todo) && todo[n].Channel != "" && todo[n].Channel == todo[n-1].Channel {
		n++
	}
	return todo[:n]
}

func (t *task) hold(target bus.LockTarget) *bus.Hold {
	for i := range t.l.Holds {
		if t.l.Holds[i].LockTarget == target {
			return &t.l.Holds[i]
		}
	}
	t.l.Holds = append(t.l.Holds, bus.Hold{LockTarget: target})
	return &t.l.Holds[len(t.l.Holds)-1]
}

// close writes down what the next targets are and become, then changes them.
func (t *task) close(ctx context.Context) error {
	batch := t.batch()
	v, err := glance(ctx, t.k.cfg.Bot, t.g, t.lock.Scope != bus.LockRoles)
	if err != nil {
		return err
	}
	var moves []*move
	for _, part := range batch {
		now, there := v.at(part.LockTarget)
		if !there {
			continue
		}
		next := closeTo(t.hold(part.LockTarget), t.lock.ID, part.Bits, now, shut(t.g.String(), part.LockTarget))
		moves = append(moves, &move{LockTarget: part.LockTarget, now: now, next: next})
	}
	if err := t.write(ctx); err != nil {
		return err
	}
	if err := t.carryOut(ctx, t.k.cfg.Bot.As(discord.ClassUrgent), moves); err != nil {
		return err
	}
	for _, m := range moves {
		if m.err != nil {
			drop(t.hold(m.LockTarget), t.lock.ID)
		}
	}
	return t.advance(ctx, len(batch), moves)
}

// open gives the next targets back, then writes down that they are. Those that Discord
// refused are still held.
func (t *task) open(ctx context.Context) error {
	batch := t.batch()
	v, err := glance(ctx, t.k.cfg.Bot, t.g, batch[len(batch)-1].Channel != "")
	if err != nil {
		return err
	}
	var moves []*move
	before := map[bus.LockTarget]int64{}
	for _, part := range batch {
		h := t.hold(part.LockTarget)
		now, there := v.at(part.LockTarget)
		if !there {
			drop(h, t.lock.ID)
			continue
		}
		before[part.LockTarget] = h.By[t.lock.ID]
		next := openTo(h, t.lock.ID, now, shut(t.g.String(), part.LockTarget))
		moves = append(moves, &move{LockTarget: part.LockTarget, now: now, next: next})
	}
	if err := t.carryOut(ctx, t.k.cfg.Bot, moves); err != nil {
		return err
	}
	for _, m := range moves {
		if m.err != nil {
			t.hold(m.LockTarget).By[t.lock.ID] = before[m.LockTarget]
		}
	}
	return t.advance(ctx, len(batch), moves)
}

// advance takes a batch off the list.
func (t *task) advance(ctx context.Context, n int, moves []*move) error {
	for _, m := range moves {
		if m.err != nil {
			t.lock.Failed = append(t.lock.Failed, bus.LockFailure{LockTarget: m.LockTarget, Why: whyRefused})
		}
	}
	t.lock.Todo = t.lock.Todo[n:]
	t.l.Holds = slices.DeleteFunc(t.l.Holds, func(h bus.Hold) bool { return len(h.By) == 0 })
	return t.write(ctx)
}

// finish ends a phase when there is nothing left to do.
func (t *task) finish(ctx context.Context) error {
	lock := t.lock
	t.k.tell(ctx, t.g, t.l, *lock)
	switch {
	case lock.Phase == bus.LockClosing:
		lock.Phase = bus.LockClosed
	case len(lock.Failed) > 0:
		lock.Phase = bus.LockStuck
	default:
		id := lock.ID
		t.l.Locks = slices.DeleteFunc(t.l.Locks, func(l bus.Lock) bool { return l.ID == id })
		if len(t.l.Locks) == 0 {
			return t.k.records.Delete(ctx, t.g.String(), t.revision)
		}
	}
	return t.write(ctx)
}
