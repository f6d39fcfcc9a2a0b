package bot

import (
	"context"
	"strings"
	"testing"
	"time"

	"splashtail/bot/inquiry"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/incident"
	"splashtail/internal/sandbox"
)

// journaled waits until so many deeds of an actor are in the journal.
func (o *office) journaled(actor sandbox.ID, n int) {
	o.T.Helper()
	ctx, cancel := context.WithTimeout(o.T.Context(), 30*time.Second)
	defer cancel()
	seen := make(chan struct{})
	go func() {
		_ = bus.Consume(ctx, o.Bus, bus.Durable{Name: "seen-" + actor.String(), Workers: 1}, bus.JournalOf(o.GuildID()),
			func(bus.Delivery[bus.Deed]) string { return "" }, func(_ context.Context, d bus.Delivery[bus.Deed]) error {
				if d.Value.Actor == bus.UserID(actor) {
					if n--; n == 0 {
						close(seen)
					}
				}
				return nil
			})
	}()
	select {
	case <-seen:
	case <-ctx.Done():
		o.T.Fatal("the journal did not get what was done within 30 s")
	}
}

func TestIncidentsAreShownAndUndone(t *testing.T) {
	o := newOffice(t, nil)
	den := o.ID(o.Discord.AddChannel(o.Guild, "den", sandbox.TextChannel))
	o.OK(o.Discord.As(o.Owner).EditChannel(den, sandbox.Fields{"topic": "the den"}))
	o.journaled(o.Owner, 1)
	before, _ := o.Discord.Snapshot(o.Guild)
	mod := o.Discord.As(o.Mod)
	o.OK(mod.DeleteChannel(den))
	o.ID(mod.CreateRole(o.Guild, "spam", 0))
	o.journaled(o.Mod, 2)

	if _, err := o.Discord.Interact(sandbox.InteractionSpec{App: o.App.ID, Guild: o.Guild, Channel: o.Text, User: o.Member, Command: "incident list"}); err == nil {
		t.Error("a member is shown /incident")
	}
	if s := text(t, o.asks(o.Mod, "incident undo", map[string]any{"incident": "x"})); !strings.Contains(s, "may not") {
		t.Errorf("who is no administrator may undo: %s", s)
	}
	opened := text(t, o.asks(o.Owner, "incident open", map[string]any{"user": o.Mod.String(), "reason": "gone mad"}))
	if !strings.Contains(opened, "deleted the channel") || !strings.Contains(opened, "den") || !strings.Contains(opened, "made the role") {
		t.Errorf("the timeline is %s", opened)
	}
	list, err := o.bot.parts.book.List(t.Context(), o.GuildID())
	if o.OK(err); len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	id := map[string]any{"incident": list[0].ID}
	if s := text(t, o.asks(o.Owner, "incident list", nil)); !strings.Contains(s, list[0].ID) {
		t.Errorf("the list is %s", s)
	}
	asked := o.asks(o.Owner, "incident undo", id)
	if s := text(t, asked); !strings.Contains(s, "Make channels again: 1") || !strings.Contains(s, "Delete roles that were made: 1") || !strings.Contains(s, "den") {
		t.Errorf("the plan is %s", s)
	}
	o.presses(o.Owner, asked.Original, "Undo")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if i, err := o.bot.parts.book.Wait(ctx, o.GuildID(), list[0].ID, func(bus.Undo) {}); err != nil || len(i.Undo.Fails) > 0 {
		t.Errorf("%+v, %v", i, err)
	}
	if s := text(t, o.asks(o.Owner, "incident show", id)); !strings.Contains(s, ": undone") {
		t.Errorf("the answer is %s", s)
	}
	now, _ := o.Discord.Snapshot(o.Guild)
	for _, line := range before.Diff(now) {
		t.Error(line)
	}
	if s := text(t, o.asks(o.Owner, "incident undo", id)); !strings.Contains(s, "undone or being undone") {
		t.Errorf("it can be undone twice: %s", s)
	}
	if s := text(t, o.asks(o.Owner, "incident show", map[string]any{"incident": "nonsense"})); !strings.Contains(s, "no such incident") {
		t.Errorf("an unknown incident is %s", s)
	}
}

// TestEveryLossAndDeedHasWords: in English, which the other languages are held against.
func TestEveryLossAndDeedHasWords(t *testing.T) {
	w, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range inquiry.Keys() {
		if !w.Has(key) {
			t.Errorf("the catalogue lacks %s", key)
		}
	}
	for _, k := range incident.Kinds {
		if !w.Has("loss." + string(k)) {
			t.Errorf("the catalogue lacks loss.%s", k)
		}
	}
}
