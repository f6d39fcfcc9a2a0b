package lockdown

import "splashtail/bus"

// state is what a role or an overwrite grants. Of a role, only Allow is used.
type state struct {
	exists      bool
	allow, deny int64
}

// set gives the state with some bits as in another.
func (s state) set(bits int64, as state) state {
	s.allow = s.allow&^bits | as.allow&bits
	s.deny = s.deny&^bits | as.deny&bits
	return s
}

// differs gives those of some bits that are not as in another state.
func (s state) differs(bits int64, other state) int64 {
	return bits & ((s.allow ^ other.allow) | (s.deny ^ other.deny))
}

// shut is how the bits of a target are while it is locked: a role lacks them, @everyone's
// overwrite denies them, another role's no longer allows them, and the bot's own allows
// them, since what the bot lacks in a channel it could not give back.
func shut(guild string, t bus.LockTarget) state {
	const all = ^int64(0)
	switch {
	case t.Member:
		return state{true, all, 0}
	case t.Channel != "" && t.ID == guild:
		return state{true, 0, all}
	}
	return state{true, 0, 0}
}

// held is all that locks keep changed at a target.
func held(h bus.Hold) int64 {
	var all int64
	for _, bits := range h.By {
		all |= bits
	}
	return all
}

// closeTo lets a lock close some bits of a target and gives what the target has to become.
// A bit that is not shut, whatever other locks did, takes what it is now as what it goes
// back to. One that is shut already is the lock's only if it is some lock's: what people
// closed themselves stays closed. Doing it again changes nothing.
func closeTo(h *bus.Hold, lock string, bits int64, now, shut state) state {
	open := now.differs(bits, shut)
	was := state{true, h.Allow, h.Deny}.set(open, now)
	mine := open | bits&held(*h)
	if open != 0 && !now.exists {
		h.Created = true
	}
	h.Allow, h.Deny = was.allow, was.deny
	if mine != 0 {
		if h.By == nil {
			h.By = map[string]int64{}
		}
		h.By[lock] |= mine
	}
	next := now.set(open, shut)
	next.exists = now.exists || open != 0
	return next
}

// openTo ends what a lock holds of a target and gives what the target has to become. Doing
// it again changes nothing, also when the target has become that already.
func openTo(h *bus.Hold, lock string, now, shut state) state {
	mine := h.By[lock]
	delete(h.By, lock)
	if !now.exists {
		return now // somebody removed it, which is a change like any other
	}
	free := mine &^ held(*h)
	next := now.set(free&^now.differs(free, shut), state{true, h.Allow, h.Deny})
	if len(h.By) == 0 && h.Created && next.allow == 0 && next.deny == 0 {
		next.exists = false
	}
	return next
}

// drop ends what a lock holds of a target that it could not change.
func drop(h *bus.Hold, lock string) { delete(h.By, lock) }
