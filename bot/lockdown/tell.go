package lockdown

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
)

func stamp(at time.Time) string { return "<t:" + strconv.FormatInt(at.Unix(), 10) + ":f>" }

// thing is what people know a target as: its channel, or the role.
func thing(t bus.LockTarget) string {
	if t.Channel != "" {
		return "<#" + t.Channel + ">"
	}
	return "<@&" + t.ID + ">"
}

// maxNamed is how many things a sentence names.
const maxNamed = 15

// things names what stands behind failures, each once.
func things(w words.Language, failed []bus.LockFailure) string {
	var list []string
	for _, f := range failed {
		if one := thing(f.LockTarget); !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	text := strings.Join(list[:min(len(list), maxNamed)], ", ")
	if len(list) > maxNamed {
		text = w.T("lockdown.and_more", "list", text, "count", len(list)-maxNamed)
	}
	return text
}

// counts says how many roles or channels a lock holds, and of how many that it meant to.
func counts(l bus.Lockdown, lock bus.Lock) (done, all int) {
	held, meant := map[string]bool{}, map[string]bool{}
	for _, h := range l.Holds {
		if h.By[lock.ID] != 0 {
			held[thing(h.LockTarget)], meant[thing(h.LockTarget)] = true, true
		}
	}
	for _, f := range lock.Failed {
		meant[thing(f.LockTarget)] = true
		delete(held, thing(f.LockTarget))
	}
	return len(held), len(meant)
}

// scope names what a lock closes.
func scope(w words.Language, lock bus.Lock) string {
	if lock.Scope == bus.LockChannel {
		return "<#" + lock.Channel + ">"
	}
	return w.T("choice." + string(lock.Scope))
}

// result is what a phase came to, in words.
func result(w words.Language, l bus.Lockdown, lock bus.Lock) (text string, bad bool) {
	switch {
	case lock.Phase == bus.LockStuck || lock.Phase == bus.LockOpening && len(lock.Failed) > 0:
		return w.T("lockdown.stuck", "scope", scope(w, lock), "list", things(w, lock.Failed)), true
	case lock.Phase == bus.LockOpening && lock.OpenedBy == 0:
		return w.T("lockdown.over", "scope", scope(w, lock)), false
	case lock.Phase == bus.LockOpening:
		return w.T("lockdown.opened", "scope", scope(w, lock)), false
	}
	done, all := counts(l, lock)
	text = w.T("lockdown.closed."+string(lock.Scope), "done", done, "all", all, "until", stamp(lock.Until), "scope", scope(w, lock))
	if len(lock.Failed) > 0 {
		text += "\n" + w.T("lockdown.not", "list", things(w, lock.Failed))
	}
	return text, len(lock.Failed) > 0
}

// tell says in public what came of a phase: where the lock was wished and in the log
// channel. What cannot be said stops nothing.
func (k *Keeper) tell(ctx context.Context, g bus.GuildID, l bus.Lockdown, lock bus.Lock) {
	v, err := k.cfg.Settings(ctx, g)
	if err != nil {
		k.cfg.Log.Warn("the settings of a guild could not be read; its lockdown is told in English", "guild", g, "err", err)
	}
	language := v.Language
	if language == "" {
		if guild, err := k.cfg.Bot.Guild(ctx, g.String()); err == nil {
			language = guild.PreferredLocale
		}
	}
	w := k.cfg.Words.In(language)
	text, bad := result(w, l, lock)
	by := lock.By
	if lock.Phase == bus.LockOpening {
		by = lock.OpenedBy
	}
	c := card.Card{Text: text, Colour: card.Urgent, Footer: "op=" + lock.ID}
	switch {
	case bad:
		c.Colour = card.Bad
	case lock.Phase == bus.LockOpening:
		c.Colour = card.Good
	}
	if by != 0 {
		c.Fields = append(c.Fields, card.Field{Name: w.T("mod.by"), Value: "<@" + by.String() + ">", Inline: true})
	}
	if lock.Phase == bus.LockClosing {
		c.Fields = append(c.Fields, card.Field{Name: w.T("mod.reason"), Value: card.Plainly(cmp.Or(lock.Reason, "-"))})
	}
	for _, channel := range slices.Compact([]string{lock.Told, v.LogChannel}) {
		if channel == "" {
			continue
		}
		// The nonce keeps it one message when this is done again after a crash.
		nonce := string(lock.Phase[0]) + lock.ID
		if _, err := k.cfg.Bot.SendMessage(ctx, channel, c.Message(), nonce); err != nil {
			k.cfg.Log.Warn("a lockdown could not be told", "guild", g, "channel", channel, "op", lock.ID, "err", err)
		}
	}
}
