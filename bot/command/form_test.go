package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"splashtail/bot/access"
	"splashtail/bot/bottest"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/formsecret"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// TestAFormAsksBeforeTheCommandRuns: the command gets its options and what was typed, once,
// and what was typed into a secret input is in no stream, record or log.
func TestAFormAsksBeforeTheCommandRuns(t *testing.T) {
	t.Parallel()
	const password = "correct horse"
	w := bottest.New(t)
	w.Feed()
	var logged bytes.Buffer
	catalogue, err := words.Load()
	w.OK(err)
	got := make(chan string, 10)
	registry, err := command.NewRegistry(catalogue, command.Command{Name: "help", Group: "general", Access: access.Everyone(),
		Options: []command.Option{{Name: "command", Kind: command.Text}},
		Form: func(_ context.Context, u *command.Use) (*command.Form, error) {
			if !u.Given("command") {
				return nil, nil
			}
			return &command.Form{Title: strings.Repeat("A long title ", 10), Inputs: []command.Input{{Name: "password", Label: "Password", Min: 5, Max: 50, Secret: true}, {Name: "note", Label: "Note", Long: true, Optional: true}}}, nil
		},
		Handle: func(ctx context.Context, u *command.Use) error { return u.Reply(ctx, card.Card{Text: "no form"}) },
		Submitted: func(ctx context.Context, u *command.Use, typed map[string]string) error {
			got <- u.Text("command") + "/" + typed["password"] + "/" + typed["note"]
			return u.Reply(ctx, card.Card{Text: "thanks"})
		}})
	w.OK(err)
	router, err := command.NewRouter(command.Config{Bot: w.Bot, Token: secret.New(w.App.Token), Instance: "one"}, registry, w.Bus,
		slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	w.OK(err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	<-router.Ready()
	_, err = command.Syncer{Bot: w.Bot, Bus: w.Bus, App: w.Self()}.Sync(t.Context(), w.GuildID(), registry.Payload(nil))
	w.OK(err)
	use := func(spec sandbox.InteractionSpec) (*sandbox.Interaction, sandbox.InteractionState) {
		t.Helper()
		spec.App, spec.Guild, spec.Channel, spec.User = w.App.ID, w.Guild, w.Text, w.Member
		i, err := w.Discord.Interact(spec)
		w.OK(err)
		bounded, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		s, err := i.Reply(bounded)
		w.OK(err)
		return i, s
	}
	if _, s := use(sandbox.InteractionSpec{Command: "help"}); !strings.Contains(s.Original.Text(), "no form") {
		t.Errorf("%+v", s)
	}
	opened, s := use(sandbox.InteractionSpec{Command: "help", Options: map[string]any{"command": "ban"}})
	if s.Modal == nil || len(s.Modal.Inputs) != 2 || len([]rune(s.Modal.Title)) != 45 {
		t.Fatalf("%+v", s)
	}
	sent := sandbox.InteractionSpec{Modal: opened, Fields: map[string]string{formsecret.Input("password"): password}}
	if _, s := use(sent); !strings.Contains(s.Original.Text(), "thanks") || <-got != "ban/"+password+"/" {
		t.Errorf("%+v", s)
	}
	if _, s := use(sent); !strings.Contains(s.Original.Text(), "already sent") || len(got) != 0 {
		t.Errorf("a second time: %+v", s)
	}
	_, _ = use(sandbox.InteractionSpec{Command: "help", Options: map[string]any{"command": "kick"}}) // waits for its form
	acts, err := bus.OpenRecords(t.Context(), w.Bus, bus.PendingActs())
	w.OK(err)
	all, err := acts.All(t.Context(), ">")
	w.OK(err)
	kept, err := json.Marshal(all)
	w.OK(err)
	stop()
	w.OK(<-ended)
	if streams, seen := bustest.Holding(t, w.Bus, password); len(streams) > 0 || seen < 5 {
		t.Errorf("of %d messages those in %v have it", seen, streams)
	}
	if len(all) != 1 || strings.Contains(string(kept), password) || strings.Contains(logged.String(), password) {
		t.Errorf("kept: %s\nlogged: %s", kept, logged.String())
	}
}
