package bot

import (
	"context"
	"fmt"
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
		_ = bus.Consume(ctx, o.Bus, bus.Durable{Name: fmt.Sprintf("seen-%s-%d", actor, n), Workers: 1}, bus.JournalOf(o.GuildID()),
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

// TestIncidentsAreShownAndPlanned: what the button begins is a job, which e2e follows to its end.
func TestIncidentsAreShownAndPlanned(t *testing.T) {
	o := newOffice(t, nil)
	den := o.ID(o.Discord.AddChannel(o.Guild, "den", sandbox.TextChannel))
	o.OK(o.Discord.As(o.Owner).EditChannel(den, sandbox.Fields{"topic": "the den"}))
	o.journaled(o.Owner, 1)
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
	now, _ := o.Discord.Snapshot(o.Guild)
	if s := text(t, o.presses(o.Owner, asked.Original, "Undo")); !strings.Contains(s, "No worker answers") {
		t.Errorf("without a component jobs the answer is %s", s)
	}
	o.ID(mod.CreateRole(o.Guild, "more spam", 0))
	o.journaled(o.Mod, 3)
	asked = o.asks(o.Owner, "incident undo", id)
	o.ID(mod.CreateRole(o.Guild, "even more spam", 0))
	o.journaled(o.Mod, 4)
	if s := text(t, o.presses(o.Owner, asked.Original, "Undo")); !strings.Contains(s, "has changed since the plan was shown") {
		t.Errorf("to a plan of before the answer is %s", s)
	}
	if then, _ := o.Discord.Snapshot(o.Guild); len(then.Roles) != len(now.Roles)+2 || len(then.Channels) != len(now.Channels) {
		t.Errorf("the bot itself undid something: %q", now.Diff(then))
	}
	if s := text(t, o.asks(o.Owner, "incident show", id)); !strings.Contains(s, "not undone") {
		t.Errorf("the answer is %s", s)
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
