package bot

import (
	"testing"

	"splashtail/internal/sandbox"
)

// types lets somebody press the button that opens a form, fill it in and send it.
func (o *office) types(who sandbox.ID, m *sandbox.Message, label string, fields map[string]string) sandbox.InteractionState {
	o.T.Helper()
	button, ok := m.Button(label)
	if !ok {
		o.T.Fatalf("there is no button %q in %+v", label, m.Components)
	}
	opened, err := o.Discord.Interact(sandbox.InteractionSpec{App: o.App.ID, Guild: o.Guild, Channel: o.Text, User: who, CustomID: button.CustomID, Message: m.ID})
	o.OK(err)
	s, err := opened.Await(o.T.Context(), func(s sandbox.InteractionState) bool { return s.Answered || s.Expired })
	if err != nil || s.Modal == nil {
		o.T.Fatalf("no form was shown: %+v, %v", s, err)
	}
	return o.uses(sandbox.InteractionSpec{User: who, Modal: opened, Fields: fields})
}

// TestRemovingAllLimitsAsksForTheName: another text changes nothing and can be mended, the
// right one removes all, once, whichever process gets it.
func TestRemovingAllLimitsAsksForTheName(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.start("two")
	o.has(o.asks(o.Owner, "limits clear", nil), "There are no limits")
	for _, name := range []string{"One", "Two"} {
		o.has(o.asks(o.Owner, "limits add", limit(name, "ban", 2, "kick_user")), "At 2")
	}
	ask := o.asks(o.Owner, "limits clear", nil)
	o.has(ask, "All 2 limits")
	o.has(o.types(o.Owner, ask.Original, "Remove 2 limits", map[string]string{"typed": "skeld"}), "That is not it")
	if got := o.limits(); len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	stop := o.startFor()
	defer stop()
	o.has(o.types(o.Owner, ask.Original, "Remove 2 limits", map[string]string{"typed": " Skeld "}), "2 limits are removed")
	if got := o.limits(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
