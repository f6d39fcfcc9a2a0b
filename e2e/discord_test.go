package e2e

import (
	"context"
	"testing"

	"splashtail/internal/sandbox"
)

// startDiscord runs a Discord on loopback with a primary bot, and gives the settings that lead to it.
func startDiscord(t testing.TB, cfg sandbox.Config) (*sandbox.Discord, sandbox.Application, settings) {
	t.Helper()
	d := sandbox.New(cfg)
	runUntilEnd(t, d.Run)
	<-d.Ready()
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "primary"}))(t)
	return d, app, settings{"DISCORD_API_URL": d.URL(), "DISCORD_BOT_TOKEN": app.Token}
}

// must gives the value of a call that cannot fail here.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		noError(t, err)
		return v
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runUntilEnd runs a service until the test has ended.
func runUntilEnd(t testing.TB, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("a service of the test ended with %v", err)
		}
	})
}
