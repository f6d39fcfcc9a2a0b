package export_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

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
		"other JSON":      {`{"a": 1}`, archive.ErrNotBackup},
		"no JSON":         {`{hello`, archive.ErrNotBackup},
		"newer":           {`{"format": "splashtail-json", "version": 2}`, archive.ErrNewer},
		"cut":             {string(doc[:len(doc)-10]), archive.ErrDamaged},
		"followed":        {string(doc) + "{}", archive.ErrDamaged},
		"changed file":    {strings.Replace(string(doc), "MDEy", "MDEz", 1), archive.ErrDamaged},
		"no base64":       {strings.Replace(string(doc), "MDEy", "M*Ey", 1), archive.ErrDamaged},
		"a long value":    {`{"format": "splashtail-json", "x": "` + strings.Repeat("x", 2<<20) + `"}`, archive.ErrLimit},
		"wrong order":     {strings.Replace(string(doc), `"31"`, `"29"`, 1), archive.ErrDamaged},
		"no id":           {strings.Replace(string(doc), `"31"`, `"x"`, 1), archive.ErrDamaged},
		"no time":         {strings.Replace(string(doc), `"taken_at":"0001`, `"taken_at":"x`, 1), archive.ErrDamaged},
		"newer schema":    {strings.Replace(string(doc), `"schema":1`, `"schema":2`, 1), archive.ErrNewer},
		"two structures":  {strings.Replace(string(doc), `"structure": `, `"structure": {}, "structure": `, 1), archive.ErrDamaged},
		"no manifest":     {`{"format": "splashtail-json"}`, archive.ErrDamaged},
		"nothing":         {`{}`, archive.ErrNotBackup},
		"a list":          {`[]`, archive.ErrNotBackup},
		"other format":    {`{"format": "splashtail"}`, archive.ErrNotBackup},
		"files is a list": {strings.Replace(string(doc), `"files": {`, `"files": [], "x": {`, 1), archive.ErrDamaged},
		"empty channels":  {`{"format": "splashtail-json", "structure": {"channels": [` + strings.Repeat("{},", 5<<20) + `{}]}}`, archive.ErrLimit},
		"a long name":     {`{"format": "splashtail-json", "` + strings.Repeat("x", 2<<20) + `": 1}`, archive.ErrLimit},
		"spaces":          {`{"format": "splashtail-json",` + strings.Repeat(" ", 2<<20) + `"x": 1}`, archive.ErrLimit},
		"deep":            {`{"format": "splashtail-json", "x": ` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, archive.ErrDamaged},
		"deep message":    {strings.Replace(string(doc), `"content":"first"`, `"content":"first","embeds":`+strings.Repeat("[", 65)+strings.Repeat("]", 65), 1), archive.ErrLimit},
		"a mark before":   {"\ufeff" + string(doc), errNone},
		"spaces after":    {string(doc) + " \n\t", errNone},
		"unknown fields":  {strings.Replace(string(doc), `"version": 1`, `"version": 1, "later": {}`, 1), errNone},
	} {
		if len(c.text) == len(doc) && c.text == string(doc) {
			t.Errorf("%s: it is the document as it was", name)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := read([]byte(c.text))
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 320<<20 { // twenty times the longest text, all garbage counted
			t.Errorf("%s: it took %d MiB", name, took>>20)
		}
		switch {
		case c.want == errNone:
			check(t, err)
		case err == nil, c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestSourceFails: a source that breaks, at any place, is not the document's fault, and makes no archive.
func TestSourceFails(t *testing.T) {
	doc := everything(t)
	reset := errors.New("connection reset")
	for _, at := range []int{0, 2, 10, len(doc) / 2, len(doc) - 2, len(doc)} {
		var out bytes.Buffer
		w, err := archive.NewWriter(&out, archive.Options{})
		check(t, err)
		err = export.Read(io.MultiReader(bytes.NewReader(doc[:at]), iotest.ErrReader(reset)), w)
		if !errors.Is(err, reset) || errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrNotBackup) {
			t.Errorf("after %d bytes: %v", at, err)
		}
		if _, err := archive.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), archive.Options{}); err == nil {
			t.Errorf("after %d bytes: an archive was made", at)
		}
	}
}

var errNone = errors.New("none")

// everything is a document with a value of every kind and small files.
func everything(t testing.TB) []byte {
	t.Helper()
	var whole, out bytes.Buffer
	w, err := archive.NewWriter(&whole, archive.Options{})
	check(t, err)
	key, _, err := w.File(strings.NewReader("an icon"), 0)
	check(t, err)
	id, text, at := model.ID("20"), "text", time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC)
	check(t, w.Structure(model.Snapshot{
		About: model.About{GuildID: "1", TakenAt: at}, Guild: model.Guild{Name: "A guild", Icon: key, RulesChannel: &id, Description: &text},
		Roles:    []model.Role{{ID: "1", Name: "@everyone", Permissions: "1024", Tags: &model.RoleTags{Bot: "2"}}},
		Channels: []model.Channel{{ID: "20", Parent: &id, Topic: &text, Overwrites: []model.Overwrite{{ID: "1", Deny: "2048"}}, Tags: []model.ForumTag{{ID: "3"}}}},
		Threads:  []model.Thread{{ID: "21", Parent: "20", CreatedAt: at}}, Emojis: []model.Emoji{{ID: "30", File: key, Roles: []model.ID{"1"}}},
		Stickers: []model.Sticker{{ID: "31"}}, Sounds: []model.Sound{{ID: "32", Volume: 0.5}},
		AutoMod:    []model.AutoModRule{{ID: "33", Trigger: []byte(`{"a":[1]}`), Actions: []model.AutoModAction{{Metadata: &model.AutoModMetadata{Channel: "20"}}}}},
		Welcome:    &model.WelcomeScreen{Channels: []model.WelcomeChannel{{Channel: "20"}}},
		Onboarding: &model.Onboarding{Prompts: []model.Prompt{{ID: "1", Options: []model.PromptOption{{ID: "2", Roles: []model.ID{"1"}}}}}},
		Events:     []model.Event{{ID: "34", Start: at, End: &at, Recurrence: []byte(`{}`)}}, Webhooks: []model.Webhook{{ID: "35", Name: &text}},
		Bans: []model.Ban{{User: "36"}}, Members: []model.Member{{User: "37", Roles: []model.ID{"1"}}}, Pins: []model.Pins{{Channel: "20", Messages: []model.ID{"31"}}},
	}))
	check(t, w.Message("20", model.Message{ID: "31", At: at, Embeds: []byte(`[{"type":"rich"}]`), Attachments: []model.Attachment{{ID: "4", File: key}}, Reply: &model.Reply{Message: "30"}}))
	check(t, w.Message("20", model.Message{ID: "30", Content: "first"}))
	m := model.Manifest{Title: "A guild", TakenAt: at, Items: []model.Item{{Name: "roles", Kept: true}}}
	m.Miss("a file", "5", "It is gone.")
	check(t, w.Finish(m))
	a, err := archive.Open(bytes.NewReader(whole.Bytes()), int64(whole.Len()), archive.Options{})
	check(t, err)
	check(t, export.Write(&out, a))
	return out.Bytes()
}

// FuzzRead holds that no document makes the reader panic or hang, that what is wrong has an error that says so, and that
// what was read is written and read as the same.
func FuzzRead(f *testing.F) {
	all := string(everything(f))
	f.Add([]byte(all))
	for _, cut := range []string{`"manifest"`, `"structure"`, `"messages"`, `"files"`} {
		f.Add([]byte(all[:strings.Index(all, cut)] + `"later":1}`))
	}
	f.Add([]byte("\ufeff" + all))
	f.Add([]byte(strings.Replace(all, "YW4", "YW4=\",\"", 1)))
	f.Add([]byte(`{"format":"splashtail-json","version":1,"manifest":{},"messages":{"1":[{"id":"2"}],"1":[{"id":"1"}]},"files":{"x":[""]}}`))
	f.Add([]byte(`{"format":"splashtail-json","structure":{},"structure":{}}`))
	f.Add([]byte(`{"format":"splashtail-json","manifest":{"taken_at":"x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out, text, again bytes.Buffer
		w, err := archive.NewWriter(&out, archive.Options{})
		check(t, err)
		if err := export.Read(bytes.NewReader(b), w); err != nil {
			for _, known := range []error{archive.ErrNotBackup, archive.ErrNewer, archive.ErrDamaged, archive.ErrLimit} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("an error of no kind: %v", err)
		}
		a, err := archive.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), archive.Options{})
		check(t, err)
		check(t, export.Write(&text, a))
		w, err = archive.NewWriter(&again, archive.Options{})
		check(t, err)
		check(t, export.Read(bytes.NewReader(text.Bytes()), w))
		if !bytes.Equal(out.Bytes(), again.Bytes()) {
			a, err := archive.Open(bytes.NewReader(again.Bytes()), int64(again.Len()), archive.Options{})
			check(t, err)
			var other bytes.Buffer
			check(t, export.Write(&other, a))
			if !bytes.Equal(text.Bytes(), other.Bytes()) {
				t.Errorf("other JSON came back:\n%s\n%s", text.Bytes(), other.Bytes())
			}
		}
	})
}
