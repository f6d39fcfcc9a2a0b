package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"splashtail/internal/supervise"
)

func TestHelpGolden(t *testing.T) {
	code, stdout, stderr := splashtail(t, nil, "--help")
	if code != 0 || stderr != "" {
		t.Fatalf("code %d: %s", code, stderr)
	}
	golden(t, "help.txt", stdout)
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, name := range []string{"up", "broker", "muteproxy", "gatewayproxy", "bot", "commands sync", "nats", "config", "version"} {
		code, stdout, stderr := splashtail(t, nil, append(strings.Fields(name), "--help")...)
		if code != 0 || stderr != "" || !strings.Contains(stdout, "Usage: splashtail "+name) {
			t.Errorf("%s: code %d\n%s%s", name, code, stdout, stderr)
		}
	}
}

func TestHelpWorksWhenSettingsAreBroken(t *testing.T) {
	env := map[string]string{"BROKER_PORT": "x"}
	for _, args := range [][]string{{"--help"}, {"up", "--help"}, {"version"}} {
		if code, _, stderr := splashtail(t, env, args...); code != 0 {
			t.Errorf("%q: code %d: %s", args, code, stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := splashtail(t, nil, "version")
	if code != 0 || !regexp.MustCompile(`^splashtail \S+ go\S+ \w+/\w+\n$`).MatchString(stdout) {
		t.Errorf("%d %q", code, stdout)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want exitCode
	}{
		{nil, exitOK},
		{errors.New("redis is gone"), exitFailure},
		{faults{{name: "X", what: "is odd"}}, exitConfig},
		{&usageError{errors.New("unknown flag")}, exitConfig},
		{errForced, exitForced},
		{fmt.Errorf("broker: %w", supervise.ErrSlowStop), exitSlow},
	} {
		if got := codeFor(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
		if exitMeanings()[c.want] == "" {
			t.Errorf("code %d has no meaning", c.want)
		}
	}
}
