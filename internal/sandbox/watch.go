package sandbox

import (
	"context"
	"fmt"
)

// VoiceChanges copies the kept voice changes with a Seq above after, oldest first, at most limit (0 = all kept).
func (d *Discord) VoiceChanges(after uint64, limit int) []VoiceChange {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes.after(after, limit)
}

// LastVoiceChange is the Seq of the newest voice change, zero when there was none.
func (d *Discord) LastVoiceChange() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes.next
}

// subscription is one reader of the voice changes.
type subscription struct{ ch chan VoiceChange }

// offer hands on a change, or ends a subscription that is full. Call it with the lock held.
func (s *subscription) offer(d *Discord, c VoiceChange) {
	select {
	case s.ch <- c:
	default:
		delete(d.subs, s)
		close(s.ch)
	}
}

// SubscribeVoice sends every voice change from now on, in order. A reader that falls more than buffer changes behind is cut
// off: its channel closes, and VoiceChanges has what it missed. Cancel ends the subscription and closes the channel; it may
// be called more than once.
func (d *Discord) SubscribeVoice(buffer int) (changes <-chan VoiceChange, cancel func()) {
	s := &subscription{ch: make(chan VoiceChange, max(buffer, 1))}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.subs[s] = struct{}{}
	return s.ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if _, ok := d.subs[s]; ok {
			delete(d.subs, s)
			close(s.ch)
		}
	}
}

// Await waits until cond is true. It asks again after every request and every change of state, without holding the lock,
// so cond may call any method. The error is that of ctx and means that cond was still false.
func (d *Discord) Await(ctx context.Context, cond func() bool) error {
	for {
		d.mu.Lock()
		wake := d.wake
		d.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return fmt.Errorf("sandbox: what was waited for has not happened: %w", context.Cause(ctx))
		}
	}
}

// AwaitVoice waits until a member is muted and deafened as given.
func (d *Discord) AwaitVoice(ctx context.Context, guildID, userID ID, mute, deaf bool) error {
	return d.Await(ctx, func() bool {
		v, ok := d.VoiceState(guildID, userID)
		return ok && v.Mute == mute && v.Deaf == deaf
	})
}

// AwaitRequests waits until n requests that fit have been decided; nil fits all. It sees only what the log still keeps.
func (d *Discord) AwaitRequests(ctx context.Context, n int, fit func(Request) bool) error {
	return d.Await(ctx, func() bool {
		found := 0
		for _, r := range d.Requests(0, 0) {
			if fit == nil || fit(r) {
				found++
			}
		}
		return found >= n
	})
}
