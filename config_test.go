package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// update rewrites golden files and rendered docs: go test . -run 'Golden|Docs' -update
var update = flag.Bool("update", false, "rewrite golden files and docs/config.md")

// clean unsets every variable that splashtail reads, so that the machine's environment does not decide a test.
func clean(t *testing.T) {
	t.Helper()
	t.Setenv("COLUMNS", "100")
	for _, e := range entriesOf(t) {
		t.Setenv(e.env(), "")
	}
}

func entriesOf(t *testing.T) []entry {
	t.Helper()
	parser, err := kong.New(&commandLine{}, kong.ExplicitGroups(groups()))
	if err != nil {
		t.Fatal(err)
	}
	return entries(parser.Model)
}

// splashtail calls the program with no components and returns what a shell sees.
func splashtail(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	clean(t)
	for k, v := range env {
		t.Setenv(k, v)
	}
	var out, bad bytes.Buffer
	code = program{args: args, stdout: &out, stderr: &bad, components: components()}.run()
	return code, out.String(), bad.String()
}

// TestClientSecretsNeverPrint: also those that were written in another way than they are read.
func TestClientSecretsNeverPrint(t *testing.T) {
	const hidden = "averylongsecret1234567890"
	for text, want := range map[string]string{
		"bot:" + hidden: "not CLIENT=SECRET, number 1", hidden: "not CLIENT=SECRET, number 1", hidden + "=bot": "fewer than 16 characters, number 1",
		"api=" + hidden + ",bot " + hidden: "not CLIENT=SECRET, number 2", "bot=" + hidden + ",bot=" + hidden: "the client of number 2 twice",
	} {
		for _, command := range []string{"config", "jobs"} {
			code, stdout, stderr := splashtail(t, map[string]string{"JOBS_IPC_SECRETS": text}, command)
			if code != int(exitConfig) || !strings.Contains(stderr, "JOBS_IPC_SECRETS=(hidden") || !strings.Contains(stderr, want) || strings.Contains(stdout+stderr, hidden) {
				t.Errorf("%s of %q: code %d\n%s%s", command, text, code, stdout, stderr)
			}
		}
	}
}

// golden compares got with a file under testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test . -run Golden -update rewrites it):\n%s", path, got)
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	code, stdout, stderr := splashtail(t, map[string]string{
		"DISCORD_BOT_TOKEN":   `"MTk4.quoted.token"`,
		"WORKER_BOT_TOKENS":   "MTk4.a.b, bad\ttoken",
		"DISCORD_API_URL":     "ftp://user:hunter2@example.org",
		"DISCORD_GATEWAY_URL": "wss://",
		"REDIS_ADDR":          "localhost",
		"REDIS_USER":          "splash",
		"NUM_SHARDS":          "2",
		"SHARD_ID":            "2",
		"BROKER_PORT":         "70000",
		"BROKER_BIND":         "not a host",
		"GALACTUS_SECRET":     "short",
		"SEAL_KEY":            "alsoshort",
		"MAX_REQ_5_SEC":       "-1",
		"ACK_TIMEOUT_MS":      "1s",
		"NATS_ADDR":           "0.0.0.0:4222",
		"OPS_ADDR":            ":9464",
		"LOG_LEVEL":           "loud",
		"LOG_FORMAT":          "xml",
	}, "up", "--galactus-port=high")
	if code != int(exitConfig) || stdout != "" {
		t.Errorf("code %d, stdout %q", code, stdout)
	}
	for _, secret := range []string{"quoted", "bad\t", "hunter2", "short\"", "alsoshort"} {
		if strings.Contains(stderr, secret) {
			t.Errorf("%q was printed", secret)
		}
	}
	golden(t, "faults.txt", stderr)
}

func TestFaults(t *testing.T) {
	const token = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		want []string // each in the output; none: no fault
	}{
		{"nothing is set", nil, []string{"config"}, nil},
		{"empty counts as unset", map[string]string{"MAX_WORKERS": " ", "REDIS_ADDR": "", "SHARD_ID": ""}, []string{"config"}, nil},
		{"spaces around do not count", map[string]string{"GALACTUS_PORT": " 5858\r", "LOG_LEVEL": "DEBUG"}, []string{"config"}, nil},
		{"tokens as galactus took them", map[string]string{"DISCORD_BOT_TOKEN": token, "WORKER_BOT_TOKENS": token + "1, " + token + "2,"}, []string{"config"}, nil},
		{"two primary tokens", map[string]string{"DISCORD_BOT_TOKEN": token + "," + token + "2"}, []string{"config"}, []string{"DISCORD_BOT_TOKEN=(hidden", "has 2 tokens"}},
		{"a prefixed token", map[string]string{"DISCORD_BOT_TOKEN": "Bot " + token}, []string{"config"}, []string{`begins with "Bot "`}},
		{"a flag beats a bad variable", map[string]string{"MAX_WORKERS": "many"}, []string{"config", "--max-workers=4"}, nil},
		{"a good variable does not hide a bad flag", map[string]string{"MAX_WORKERS": "4"}, []string{"config", "--max-workers=many"}, []string{`MAX_WORKERS="many" (flag) is not a whole number; allowed: 1 to 1024`}},
		{"a shard without a count", map[string]string{"SHARD_ID": "0"}, []string{"config"}, []string{"NUM_SHARDS is missing although SHARD_ID is set"}},
		{"workers without a primary", map[string]string{"WORKER_BOT_TOKENS": token}, []string{"up"}, []string{"DISCORD_BOT_TOKEN is missing although WORKER_BOT_TOKENS is set"}},
		{"a real API without a token", nil, []string{"up", "--discord-api-url=http://127.0.0.1:9/api/v10"}, []string{"DISCORD_BOT_TOKEN is missing although DISCORD_API_URL is set"}},
		{"a scene with real people", map[string]string{"DISCORD_BOT_TOKEN": token}, []string{"up", "--scene"}, []string{"DISCORD_BOT_TOKEN is set; a scene would mute real people"}},
		{"a bus that joins a bus", map[string]string{"NATS_URL": "nats://u:hunter2@h:4222"}, []string{"nats"}, []string{`NATS_URL="nats://(hidden)@h:4222" (environment) is set`}},
		{"an open bus without a password", map[string]string{"NATS_ADDR": "[::]:4222"}, []string{"nats"}, []string{"NATS_PASSWORD is missing"}},
		{"IPv6 loopback is loopback", map[string]string{"NATS_ADDR": "[::1]:4222"}, []string{"config"}, nil},
		{"an unknown flag", nil, []string{"up", "--portt=1"}, []string{"unknown flag --portt", "splashtail --help"}},
		{"no command", nil, nil, []string{"expected one of", "splashtail --help"}},
		{"an unknown command", nil, []string{"webserver"}, []string{"webserver", "splashtail --help"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := splashtail(t, c.env, c.args...)
			wantCode := exitOK
			if c.want != nil {
				wantCode = exitConfig
			}
			if code != int(wantCode) {
				t.Errorf("exit code %d, want %d\n%s", code, wantCode, stderr)
			}
			for _, w := range c.want {
				if !strings.Contains(stderr, w) {
					t.Errorf("no %q in\n%s", w, stderr)
				}
			}
			for _, s := range []string{token, "hunter2"} {
				if strings.Contains(stdout+stderr, s) {
					t.Errorf("a secret was printed:\n%s%s", stdout, stderr)
				}
			}
		})
	}
}

func TestConfigTellsWhereAValueCameFrom(t *testing.T) {
	env := map[string]string{"REDIS_ADDR": "redis.internal:6379", "REDIS_PASS": "hunter2hunter2", "BROKER_PORT": "9000",
		"DISCORD_BOT_TOKEN": "primary.token", "NATS_URL": "nats://u:hunter2@h:4222"}
	args := []string{"config", "--broker-port=9001"}
	code, stdout, stderr := splashtail(t, env, args...)
	if code != 0 || stderr != "" {
		t.Fatalf("code %d: %s", code, stderr)
	}
	golden(t, "config.txt", stdout)

	code, stdout, _ = splashtail(t, env, append(args, "--json")...)
	var rows []settingJSON
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 {
		t.Fatal(code, err)
	}
	for _, want := range []settingJSON{
		{Name: "BROKER_PORT", Value: "9001", From: fromFlag},
		{Name: "REDIS_ADDR", Value: "redis.internal:6379", From: fromEnvironment},
		{Name: "REDIS_PASS", Value: "(set, hidden)", From: fromEnvironment},
		{Name: "MAX_REQ_5_SEC", Value: "7", From: fromDefault},
		{Name: "NUM_SHARDS", Value: "", From: fromDefault},
		{Name: "NATS_URL", Value: "nats://(hidden)@h:4222", From: fromEnvironment},
	} {
		if !slices.ContainsFunc(rows, func(r settingJSON) bool {
			return r.Name == want.Name && r.Value == want.Value && r.From == want.From
		}) {
			t.Errorf("no row %+v", want)
		}
	}
	if strings.Contains(stdout, "hunter2") || strings.Contains(stdout, "primary.token") {
		t.Error("a secret was printed")
	}
}

// TestSettingsAreWhole holds for every field of Settings, so that a new one cannot be half done.
func TestSettingsAreWhole(t *testing.T) {
	all := entriesOf(t)
	if len(all) < 25 {
		t.Fatalf("only %d settings found", len(all))
	}
	for _, e := range all {
		if want := strings.ToLower(strings.ReplaceAll(e.env(), "_", "-")); e.flag.Name != want {
			t.Errorf("%s has the flag --%s, want --%s", e.env(), e.flag.Name, want)
		}
		if e.flag.Group == nil || e.flag.Group.Title == e.flag.Group.Key {
			t.Errorf("%s stands in no group", e.env())
		}
		if !strings.HasSuffix(e.flag.Help, ".") {
			t.Errorf("%s: help is a sentence: %q", e.env(), e.flag.Help)
		}
		if e.flag.Default != "" {
			if err := e.parse(e.flag.Default, e.rule()); err != nil {
				t.Errorf("%s: its own default %v", e.env(), err)
			}
		}
	}
}

// TestAncestorNames: whoever ran galactus keeps the same environment file.
func TestAncestorNames(t *testing.T) {
	var names []string
	for _, e := range entriesOf(t) {
		names = append(names, e.env())
	}
	for _, name := range strings.Fields(`DISCORD_BOT_TOKEN WORKER_BOT_TOKENS REDIS_ADDR REDIS_USER REDIS_PASS GALACTUS_PORT
		BROKER_PORT NUM_SHARDS SHARD_ID MAX_REQ_5_SEC ACK_TIMEOUT_MS TASK_TIMEOUT_MS MAX_WORKERS`) {
		if !slices.Contains(names, name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestDocsConfigIsFresh(t *testing.T) {
	code, stdout, stderr := splashtail(t, nil, "config", "--markdown")
	if code != 0 {
		t.Fatal(stderr)
	}
	path := filepath.Join("docs", "config.md")
	if *update {
		if err := os.WriteFile(path, []byte(stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if stdout != string(want) {
		t.Error("docs/config.md is stale; run: make docs")
	}
}

func FuzzSettingsNeverPanicAndNeverPrintSecrets(f *testing.F) {
	f.Add("127.0.0.1:6379", "hunter2hunter2hunter2")
	f.Add("[::1]:0", "https://u:p@h/")
	f.Add("1..2", "Bot x")
	f.Fuzz(func(t *testing.T, text, hidden string) {
		if text == "" || len(hidden) < 16 || strings.Contains(text, hidden) {
			return
		}
		for _, s := range []setting{&Text{}, &Dir{}, &Number{}, &Port{}, &Millis{}, &Host{}, &HostPort{}, &URL{}, &Choice{}, &Tokens{}} {
			s.parse(text, "1..64")
			_ = s.String() + s.allowed("1..64") + shown(s)
		}
		for _, s := range []setting{&Secret{}, &Key{}, &Tokens{}, &ClientSecrets{}} {
			s.told().text = hidden
			err := s.parse(hidden, "16..4096")
			if out := s.String() + shown(s); strings.Contains(out, hidden) || err != nil && strings.Contains(err.Error(), hidden) {
				t.Errorf("%T printed what it holds: %q", s, out)
			}
		}
	})
}
