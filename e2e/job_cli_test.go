package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"splashtail/internal/sandbox"
)

// TestJobsRunHere goes the way of who has a bot token and no server: a backup, its file, a plan and a restore.
func TestJobsRunHere(t *testing.T) {
	t.Parallel()
	d, _, s := startDiscord(t, sandbox.Config{})
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "splashtail", MembersIntent: true, MessageContentIntent: true}))(t)
	spec := sandbox.SmallGuild(5)
	spec.Bot = app.ID
	made := must(d.Generate(spec))(t)
	c := cli{t: t, dir: t.TempDir(), env: s.with(settings{"DISCORD_BOT_TOKEN": app.Token, "DISCORD_CDN_URL": d.CDNURL()})}
	before, _ := d.Snapshot(made.Guild)
	run := func(kind, dir, args string) string {
		return c.ok("job", "run", kind, "--guild", made.Guild.String(), "--dir", dir, "--args", args)
	}

	run("backup-create", "kept", `{"members":true}`)
	files := must(filepath.Glob(filepath.Join(c.dir, "kept", "files", "*.splashtail")))(t)
	if len(files) != 1 {
		t.Fatalf("the backup is %v", files)
	}
	if out := c.ok("backup", "verify", files[0]); !strings.Contains(out, "whole") {
		t.Errorf("verify says %q", out)
	}
	must(d.Wreck(made.Guild, sandbox.Wreckage{Seed: 3, Delete: 0.3, Change: 0.3, Add: 0.2}))(t)

	// By the directory of the job first, then by the path of the file: both are one backup.
	var plan, same struct{ Hash string }
	noError(t, json.Unmarshal([]byte(run("restore-plan", "plan", `{"source":{"job":"kept"},"mode":"exact"}`)), &plan))
	noError(t, json.Unmarshal([]byte(run("restore-plan", "same", fmt.Sprintf(`{"source":{"job":%q},"mode":"exact"}`, files[0]))), &same))
	if plan.Hash == "" || plan.Hash != same.Hash {
		t.Fatalf("the plans are %q and %q", plan.Hash, same.Hash)
	}
	if out := c.fails("job", "run", "backup-restore", "--guild", made.Guild.String(), "--dir", "wrong", "--args",
		fmt.Sprintf(`{"plan":"plan","hash":"%064d"}`, 1)); !strings.Contains(out, "nothing was changed") {
		t.Errorf("a plan that nobody approved: %s", out)
	}
	run("backup-restore", "back", fmt.Sprintf(`{"plan":"plan","hash":%q,"approved_by":[]}`, plan.Hash))
	after, _ := d.Snapshot(made.Guild)
	for _, difference := range before.Diff(after) {
		t.Error(difference)
	}
}

// TestJobsAreLookedAtAndEnded from the command line of an operator, beside a running process.
func TestJobsAreLookedAtAndEnded(t *testing.T) {
	t.Parallel()
	o := newVault(t)
	c := cli{t: t, dir: t.TempDir(), env: o.s.with(settings{"NATS_URL": o.s.nats()})}
	o.uses("backup create", map[string]any{"name": "Monday"})
	o.sees("✅ done")
	id := o.newest("Monday")
	for _, one := range []struct {
		want string
		args []string
	}{
		{id, []string{"job", "list"}},
		{"backup-create", []string{"job", "show", id}},
		{"Putting the backup together", []string{"job", "log", id}},
	} {
		if out := c.ok(one.args...); !strings.Contains(out, one.want) {
			t.Errorf("%v says %q, want %q in it", one.args, out, one.want)
		}
	}
	if out := c.fails("job", "cancel", id); !strings.Contains(out, "ended already") {
		t.Errorf("cancel says %q", out)
	}
	if out := c.fails("job", "retry", id); !strings.Contains(out, "completed") {
		t.Errorf("retry says %q", out)
	}
}

// cli runs commands of splashtail in one directory.
type cli struct {
	t   *testing.T
	dir string
	env settings
}

// do runs a command and gives what it says on each stream.
func (c cli) do(args ...string) (stdout, stderr string, err error) {
	c.t.Helper()
	cmd := exec.Command(splashtail, args...)
	cmd.Dir, cmd.Env = c.dir, []string{"HOME=" + c.dir}
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (c cli) ok(args ...string) string {
	c.t.Helper()
	out, errs, err := c.do(args...)
	if err != nil {
		c.t.Fatalf("%v: %v\n%s", args, err, errs)
	}
	return out
}

func (c cli) fails(args ...string) string {
	c.t.Helper()
	out, errs, err := c.do(args...)
	if err == nil {
		c.t.Fatalf("%v succeeds: %s", args, out)
	}
	return errs
}
