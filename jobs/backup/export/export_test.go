package export_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/export"
	"splashtail/jobs/backup/model"
)

// document is an export with files of several pieces.
func document(t testing.TB) []byte {
	t.Helper()
	var whole, out bytes.Buffer
	w, err := archive.NewWriter(&whole, archive.Options{})
	check(t, err)
	key, _, err := w.File(strings.NewReader(strings.Repeat("0123456789", 10_000)), 0)
	check(t, err)
	empty, _, err := w.File(strings.NewReader(""), 0)
	check(t, err)
	check(t, w.Structure(model.Snapshot{Guild: model.Guild{Name: "A guild", Icon: key}, Roles: []model.Role{{ID: "1", Name: "<b>"}}}))
	check(t, w.Message("20", model.Message{ID: "31", Content: "second", Attachments: []model.Attachment{{ID: "4", File: empty}}}))
	check(t, w.Message("20", model.Message{ID: "30", Content: "first"}))
	check(t, w.Finish(model.Manifest{Title: "A guild"}))
	a, err := archive.Open(bytes.NewReader(whole.Bytes()), int64(whole.Len()), archive.Options{})
	check(t, err)
	check(t, export.Write(&out, a))
	return out.Bytes()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(b []byte) (*archive.Archive, error) {
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, archive.Options{})
	if err != nil {
		return nil, err
	}
	if err := export.Read(bytes.NewReader(b), w); err != nil {
		return nil, err
	}
	if _, err := archive.Verify(bytes.NewReader(out.Bytes()), archive.Options{}); err != nil {
		return nil, err
	}
	return archive.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), archive.Options{})
}

func TestRoundTrip(t *testing.T) {
	doc := document(t)
	a, err := read(doc)
	check(t, err)
	var again bytes.Buffer
	check(t, export.Write(&again, a))
	if !bytes.Equal(doc, again.Bytes()) {
		t.Errorf("other JSON came back:\n%.400s\n%.400s", doc, again.Bytes())
	}
}

func TestRefuses(t *testing.T) {
	doc := document(t)
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"other JSON":     {`{"a": 1}`, archive.ErrNotBackup},
		"no JSON":        {`{hello`, archive.ErrNotBackup},
		"newer":          {`{"format": "splashtail-json", "version": 2}`, archive.ErrNewer},
		"cut":            {string(doc[:len(doc)-10]), archive.ErrDamaged},
		"followed":       {string(doc) + "{}", archive.ErrDamaged},
		"changed file":   {strings.Replace(string(doc), "MDEy", "MDEz", 1), archive.ErrDamaged},
		"no base64":      {strings.Replace(string(doc), "MDEy", "M*Ey", 1), archive.ErrDamaged},
		"a long value":   {`{"format": "splashtail-json", "x": "` + strings.Repeat("x", 2<<20) + `"}`, archive.ErrLimit},
		"wrong order":    {strings.Replace(string(doc), `"31"`, `"29"`, 1), nil},
		"unknown fields": {strings.Replace(string(doc), `"version": 1`, `"version": 1, "later": {}`, 1), errNone},
	} {
		_, err := read([]byte(c.text))
		switch {
		case c.want == errNone:
			check(t, err)
		case err == nil, c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

var errNone = errors.New("none")

func FuzzRead(f *testing.F) {
	f.Add(document(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = read(b) // no panic is all that is asked
	})
}
