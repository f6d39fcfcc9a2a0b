package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPracticeWithoutDiscord runs what docs/backups.md says under "Try it without Discord", with a shell, up to the end of the
// restore: a server is made, saved, wrecked and brought back by nothing but curl.
func TestPracticeWithoutDiscord(t *testing.T) {
	t.Parallel()
	s := onFreePorts(t)
	p := start(t, "up", s)
	address := regexp.MustCompile(`"addr":"(http://[^"]*)/api/v10"`).FindStringSubmatch(p.log.String())
	if address == nil {
		t.Fatalf("nothing says where the stand-in for Discord is:\n%s", p.log)
	}
	page := string(must(os.ReadFile("../docs/backups.md"))(t))
	_, section, found := strings.Cut(page, "## Try it without Discord\n")
	if !found {
		t.Fatal("the page has no such section")
	}
	var script strings.Builder
	for line := range strings.Lines(section) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			script.WriteString(code)
		}
	}
	// What people read from an answer and type in is put in here.
	fill := []struct{ from, to string }{
		{"D=http://127.0.0.1:PORT\n", "D=" + address[1] + "\n"},
		{"./splashtail backup list  ", "sees job list backup-create.*completed >/dev/null; ./splashtail backup list  "},
		{"JOB=…", "JOB=$(./splashtail backup list | awk 'NR==2{print $1}')"},
		{"\nroom  ", "\nsees job list restore-plan.*completed >/dev/null; while ! button; do :; done; room  "},
		{`"custom_id":"…"`, `"custom_id":"'$(button)'"`},
		{"./splashtail job log RESTORE", "./splashtail job log $(sees job list backup-restore | awk '/backup-restore/{print $1}')"},
	}
	text := script.String()
	for _, f := range fill {
		if strings.Count(text, f.from) != 1 {
			t.Fatalf("the page has %d times %q", strings.Count(text, f.from), f.from)
		}
		text = strings.Replace(text, f.from, f.to, 1)
	}
	helpers := `set -o pipefail
button() { curl -s $D/sandbox/channels/$ROOM/messages | grep -oE '"custom_id":"1do[^"]*"' | cut -d'"' -f4; }
sees() { while ! ./splashtail $1 $2 | tee seen | grep -q -- "$3"; do :; done; cat seen; }
`
	text = strings.Replace(text, "curl -s $D/sandbox/guilds/$GUILD/wreck", "curl -s $D/sandbox/guilds/$GUILD/snapshot > before\ncurl -s $D/sandbox/guilds/$GUILD/wreck", 1) +
		"\ncurl -s $D/sandbox/guilds/$GUILD/snapshot > after\n"
	dir := t.TempDir()
	noError(t, os.Symlink(splashtail, filepath.Join(dir, "splashtail")))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", helpers+text)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NATS_URL="+s.nats(), "LOG_LEVEL=error")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Delete the role") || !strings.Contains(string(out), "completed") {
		t.Fatalf("%v\n%s\n%s", err, text, out)
	}
	before, after := must(os.ReadFile(filepath.Join(dir, "before")))(t), must(os.ReadFile(filepath.Join(dir, "after")))(t)
	if len(before) < 1000 || string(before) != string(after) {
		t.Errorf("%d bytes before, %d after", len(before), len(after))
	}
}
