package muteproxy

import (
	"context"
	"time"

	"splashtail/bus"
)

// settleApplied notes that the newest wish is fulfilled by the state that Discord
// confirmed last.
func (g *guild) settleApplied(u bus.UserID, m *memberWork) {
	rec := m.entry.Value
	a := *m.applied
	a.WishID = rec.Wish.ID
	a.GameSeen = rec.Applied != nil && rec.Applied.GameSeen
	rec.Applied, rec.Failed = &a, nil
	m.applied = &a
	g.settle(u, m, rec)
}

// fail notes that no lane could fulfil the newest wish, with the last refusal as the
// reason. An unmute that is owed to somebody whom we muted is tried again later.
func (g *guild) fail(now time.Time, u bus.UserID, m *memberWork) {
	rec := m.entry.Value
	reason := m.last.reason
	if reason == "" {
		reason = "no_lane"
	}
	f := &bus.VoiceFailed{WishID: rec.Wish.ID, Code: m.last.code, Reason: reason, At: now.UTC()}
	if m.owed(now) {
		if rec.Failed != nil && rec.Failed.WishID == rec.Wish.ID {
			f.Tries = rec.Failed.Tries + 1
		}
		f.RetryAt = now.Add(owedDelay(f.Tries)).UTC()
		m.due, m.tried = f.RetryAt, nil
	}
	rec.Failed = f
	g.settle(u, m, rec)
	g.w.m.metrics.failed.WithLabelValues(reason).Inc()
	err := bus.PublishLater(g.w.m.bus, bus.MuteFailedSubject(g.id), bus.MuteFailed{V: 1, Guild: g.id, User: u, State: rec.Wish.VoiceState, Code: f.Code, Reason: reason, At: f.At})
	if err != nil {
		g.w.m.log.Debug("a failed wish was not reported", "err", err)
	}
}

// owed says whether the member was silenced by us and is to be freed, so that giving
// up would leave them silent.
func (m *memberWork) owed(now time.Time) bool {
	wish := m.entry.Value.Wish
	silenced := m.applied != nil && !m.applied.Free()
	gone := m.last.reason == "unknown_member" || m.last.reason == "rejected"
	return wish.Free() && silenced && !gone && now.Sub(wish.At) < owedFor
}

// settle makes the outcome known at once and writes it. The write is lost to a newer
// wish, which is right, and to a crash, after which the wish is sent once more.
func (g *guild) settle(u bus.UserID, m *memberWork, rec bus.VoiceRecord) {
	m.entry.Value = rec
	who, rev := member{g.id, u}, m.entry.Revision
	g.w.settle(who, rec)
	g.w.working.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		next, err := g.w.store.Update(ctx, who.key(), rec, rev)
		if err == nil {
			g.w.learn(who, bus.Entry[bus.VoiceRecord]{Key: who.key(), Revision: next, Value: rec})
		} else if !bus.IsCode(err, bus.CodeConflict) {
			g.w.m.log.Warn("an outcome could not be written; the wish may be sent once more", "guild", g.id, "user", u, "err", err)
			g.w.unwritten(who, rec.Wish.ID)
		}
	})
}

// unwritten keeps a wish in mind whose outcome no watch will tell of: one that is owed is
// tried again all the same.
func (w *wishes) unwritten(who member, wish string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known[who].Value.Wish.ID == wish {
		w.route(who)
	}
}

// seen is told that the gateway showed a member. A wish that waits for them, or that
// failed because they were not in voice, is tried at once when they are.
func (w *wishes) seen(who member) {
	w.mu.Lock()
	e, known := w.known[who]
	w.mu.Unlock()
	if s, ok := w.m.voices.look(who); !known || !awaits(e.Value) || !ok || !s.inVoice {
		return
	}
	w.amend(who, func(rec *bus.VoiceRecord) bool {
		// The failure may not be written yet; this write then takes the place of that one.
		rec.Failed = nil
		return rec.Wish.ID == e.Value.Wish.ID
	})
}

// awaits says whether the newest wish failed because its member was not in voice.
func awaits(r bus.VoiceRecord) bool {
	f := r.Failed
	return f != nil && f.WishID == r.Wish.ID && f.Reason == reasonNotInVoice && time.Since(r.Wish.At) < owedFor
}

// amend changes a stored record, as it is when the change is written; change says whether
// there is anything to write.
func (w *wishes) amend(who member, change func(*bus.VoiceRecord) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		e, err := w.store.Get(ctx, who.key())
		if bus.IsCode(err, bus.CodeNotFound) {
			return
		}
		if err == nil {
			rec := e.Value
			if !change(&rec) {
				return
			}
			_, err = w.store.Update(ctx, who.key(), rec, e.Revision) // the watch brings it back to us
		}
		switch {
		case err == nil:
			return
		case !bus.IsCode(err, bus.CodeConflict):
			w.m.log.Warn("a wish could not be sent again; a new one will be", "guild", who.guild, "user", who.user, "err", err)
			return
		}
	}
}
