package create

import (
	"errors"
	"sync"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// TestAWriteThatFailsFailsTheBackup: whichever file of the job cannot be stored, before a byte of it or behind the last one, the
// backup ends in that error and says of no archive that it is done (B9: errors of writing a section were ignored).
func TestAWriteThatFailsFailsTheBackup(t *testing.T) {
	t.Parallel()
	r, _ := made(t, sandbox.GuildSpec{Seed: 5, Roles: 4, Channels: 7, Members: 5, Messages: 20, Emojis: 1})
	errFull := errors.New("the store is full")
	for _, when := range []string{"put", "stored"} {
		for n := 1; ; n++ {
			run := r.run()
			var mu sync.Mutex
			left := n
			run.crash = func(act, _ string) error {
				mu.Lock()
				defer mu.Unlock()
				if act != when {
					return nil
				}
				if left--; left != 0 {
					return nil
				}
				return errFull
			}
			w := New(r.tools)
			w.BackupArgs = bus.BackupArgs{Messages: 100, Members: true}
			err := w.Run(t.Context(), run)
			if left > 0 { // it has fewer files
				if err != nil || n < 4 {
					t.Fatalf("a backup with %d files: %v", n-left, err)
				}
				break
			}
			if !errors.Is(err, errFull) || run.outcome != nil {
				t.Errorf("%s of the file %d failed, and the backup ended with %v and says %s", when, n, err, run.outcome)
			}
		}
	}
}
