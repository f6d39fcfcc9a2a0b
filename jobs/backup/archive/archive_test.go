package archive_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"splashtail/internal/secret"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// build writes an archive with a little of everything.
func build(t testing.TB, o archive.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	icon, _, err := w.File(bytes.NewReader([]byte("an icon")), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Structure(snapshot(icon)); err != nil {
		t.Fatal(err)
	}
	for i := 3; i > 0; i-- {
		if err := w.Message("20", model.Message{ID: model.ID("30" + string(rune('0'+i))), Content: "hello"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(model.Manifest{Guild: "1", Title: "A guild", Items: []model.Item{{Name: "roles", Kept: true, Count: 1}}}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func snapshot(icon model.FileKey) model.Snapshot {
	at := time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC)
	return model.Snapshot{
		About:    model.About{GuildID: "1", TakenAt: at, Bot: "2", OwnerID: "3"},
		Guild:    model.Guild{Name: "A guild", Icon: icon},
		Roles:    []model.Role{{ID: "1", Name: "@everyone", Permissions: "1024"}},
		Channels: []model.Channel{{ID: "20", Name: "general", Overwrites: []model.Overwrite{{ID: "1", Deny: "2048"}}}},
		Welcome:  &model.WelcomeScreen{Enabled: true},
	}
}

func TestEveryFlippedByteIsDetected(t *testing.T) {
	for name, o := range map[string]archive.Options{"plain": {}, "encrypted": {Password: secret.New("hunter2"), Limits: archive.Limits{Work: 1}}} {
		t.Run(name, func(t *testing.T) {
			whole := build(t, o)
			if r, err := archive.Verify(bytes.NewReader(whole), o); err != nil {
				t.Fatal(err)
			} else if r.Counts["messages"] != 3 || r.Counts["files"] != 1 || r.Manifest.Counts["overwrites"] != 1 {
				t.Fatalf("counts %v, manifest %v", r.Counts, r.Manifest.Counts)
			}
			for i := range whole {
				broken := slices.Clone(whole)
				broken[i] ^= 1 << (i % 8)
				_, err := archive.Verify(bytes.NewReader(broken), o)
				if !ours(err) {
					t.Fatalf("byte %d of %d flipped: %v", i, len(whole), err)
				}
				if err := openAll(broken, o); !ours(err) {
					t.Fatalf("byte %d of %d flipped, read at random: %v", i, len(whole), err)
				}
			}
			for n := range whole {
				if _, err := archive.Verify(bytes.NewReader(whole[:n]), o); !ours(err) {
					t.Fatalf("cut after %d bytes: %v", n, err)
				}
			}
		})
	}
}

// ours tells whether err says that the archive is at fault.
func ours(err error) bool {
	for _, want := range []error{archive.ErrNotBackup, archive.ErrNewer, archive.ErrPassword, archive.ErrDamaged, archive.ErrLimit, archive.ErrNotEncrypted} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// openAll reads an archive at random, all of it.
func openAll(b []byte, o archive.Options) error {
	a, err := archive.Open(bytes.NewReader(b), int64(len(b)), o)
	if err != nil {
		return err
	}
	if _, err := a.Manifest(); err != nil {
		return err
	}
	if _, err := a.Snapshot(); err != nil {
		return err
	}
	for _, id := range a.Channels() {
		for _, err := range a.Messages(id) {
			if err != nil {
				return err
			}
		}
	}
	for _, key := range a.Files() {
		f, _, err := a.File(key)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, f); err != nil {
			return err
		}
		_ = f.Close()
	}
	return nil
}
