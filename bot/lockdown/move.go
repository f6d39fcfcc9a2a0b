package lockdown

import (
	"context"
	"errors"
	"sync"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// move is one change at Discord.
type move struct {
	bus.LockTarget
	now, next state
	err       error
}

// sideBySide is how many channels, or roles, are changed at a time.
const sideBySide = 8

// errBefore is for what was not tried since something before it in the channel was refused.
var errBefore = errors.New("what comes before it in the channel was refused")

// carryOut makes changes at Discord: those of a channel one after the other. After one was
// refused there nothing more is closed, and the bot's own overwrite is not taken away. What
// Discord refused stands in the moves; an error is one after which it is not known what
// happened, and all of them can be made again.
func (t *task) carryOut(ctx context.Context, bot *discord.Bot, moves []*move) error {
	groups := map[string][]*move{}
	for _, m := range moves {
		key := m.Channel
		if key == "" {
			key = m.ID
		}
		groups[key] = append(groups[key], m)
	}
	var running sync.WaitGroup
	free := make(chan struct{}, sideBySide)
	for _, group := range groups {
		running.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			before := false
			for _, m := range group {
				if before && (t.lock.Phase == bus.LockClosing || m.Member) {
					m.err = errBefore
					continue
				}
				m.err = send(ctx, bot, t.g, m.LockTarget, m.now, m.next, t.lock.Audit)
				if discord.HasCode(m.err, discord.CodeUnknownRole, discord.CodeUnknownChannel, discord.CodeUnknownOverwrite) {
					m.err = nil // it is gone, and with it what there was to change
				}
				before = before || m.err != nil
			}
		})
	}
	running.Wait()
	for _, m := range moves {
		if m.err != nil && !refused(m.err) && !errors.Is(m.err, errBefore) {
			return m.err
		}
	}
	return nil
}
