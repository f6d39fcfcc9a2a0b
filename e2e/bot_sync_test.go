package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"splashtail/internal/sandbox"
)

// TestCommandsAreSyncedBesideARunningProcess: the command line says how to reach a bus that another process has embedded,
// and by that way it makes the commands, of all kinds, and at a second time changes nothing.
func TestCommandsAreSyncedBesideARunningProcess(t *testing.T) {
	t.Parallel()
	d, app, discord := startDiscord(t, sandbox.Config{})
	owner := must(d.AddUser("owner"))(t)
	guild := must(d.AddGuild("guild", owner))(t)
	noError(t, d.AddMember(guild, app.ID))
	s := onFreePorts(t).with(discord)
	hub := start(t, "nats", s)
	sync := func(s settings, flags ...string) (string, error) {
		cmd := exec.Command(splashtail, append([]string{"commands", "sync", "--guild", guild.String()}, flags...)...)
		cmd.Dir = t.TempDir()
		for name, value := range s {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), app.Token) {
			t.Errorf("the token is shown: %s", out)
		}
		return string(out), err
	}
	if out, err := sync(s); err == nil || !strings.Contains(out, "is in use by another splashtail") || !strings.Contains(out, "NATS_URL") {
		t.Errorf("beside an embedded bus: %v\n%s", err, out)
	}
	beside := s.with(settings{"NATS_URL": s.nats()})
	if out, err := sync(beside, "--dry-run"); err != nil || !strings.Contains(out, "would be done: create") || len(d.Commands(app.ID, guild)) != 0 {
		t.Errorf("a dry run: %v\n%s", err, out)
	}
	if out, err := sync(beside); err != nil || !strings.Contains(out, "done: create") {
		t.Errorf("the first time: %v\n%s", err, out)
	}
	names := strings.Join(d.Commands(app.ID, guild), ", ")
	for _, want := range []string{"ping", "limits", "Quarantine", "Delete this author's messages"} {
		if !strings.Contains(names, want) {
			t.Errorf("%q is not among the commands: %s", want, names)
		}
	}
	if out, err := sync(beside); err != nil || strings.Contains(out, "create") || !strings.Contains(out, "unchanged: ") {
		t.Errorf("the second time: %v\n%s", err, out)
	}
	hub.stop()
}
