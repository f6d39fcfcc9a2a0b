package create

import (
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// TestGeneratedGuild backs a made-up guild up and holds the counts of the manifest against the guild (acceptance 37).
func TestGeneratedGuild(t *testing.T) {
	t.Parallel()
	r, g := made(t, sandbox.SmallGuild(3))
	run := r.run()
	done := r.backup(run, bus.BackupArgs{Name: "before the party", Members: true, Messages: 500, Attachments: true})
	b := r.open(run, done)
	t.Logf("%+v\n%+v", done, b.manifest)
	if b.total() != g.Messages {
		t.Errorf("%d messages of %d", b.total(), g.Messages)
	}
}
