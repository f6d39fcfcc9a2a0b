package ancestor_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"splashtail/internal/secret"
	"splashtail/jobs/backup/ancestor"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

// convert reads an old file and gives it as an archive of ours.
func convert(b []byte, password string) (*archive.Archive, error) {
	o := archive.Options{}
	if password != "" {
		o.Password = secret.New(password)
	}
	f, err := ancestor.Open(bytes.NewReader(b), int64(len(b)), o)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, archive.Options{})
	if err != nil {
		return nil, err
	}
	if err := f.Convert(w); err != nil {
		return nil, err
	}
	if _, err := archive.Verify(bytes.NewReader(out.Bytes()), archive.Options{}); err != nil {
		return nil, err
	}
	return archive.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), archive.Options{})
}

func TestReadsOldFiles(t *testing.T) {
	for name, c := range map[string]struct{ password, keyName string }{
		"plain":      {},
		"encrypted":  {"hunter2", "sec/encKeyHashMethod"},
		"misspelled": {"hunter2", "sec/encKeyhashMethod"},
	} {
		t.Run(name, func(t *testing.T) {
			path := "testdata/" + name + ".iblfile"
			if *update {
				if err := os.WriteFile(path, oldBackup(t, c.password, c.keyName), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			a, err := convert(b, c.password)
			if err != nil {
				t.Fatal(err)
			}
			checkOld(t, a)
		})
	}
}

func checkOld(t *testing.T, a *archive.Archive) {
	s, err := a.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if s.Guild.Name != "Old guild" || s.Guild.AFKChannel != nil || *s.Guild.SystemChannel != "201" || s.Guild.AFKTimeout != 300 {
		t.Errorf("guild %+v", s.Guild)
	}
	if len(s.Roles) != 2 || s.Roles[0].Name != "@everyone" || s.Roles[1].Permissions != "1099511627776" {
		t.Errorf("roles %+v", s.Roles)
	}
	if c := s.Channels[1]; *c.Parent != "200" || c.Overwrites[0].Deny != "2048" || c.Overwrites[0].Allow != "0" {
		t.Errorf("channel %+v", c)
	}
	var all []model.Message
	for m, err := range a.Messages("201") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	if len(all) != 3 || all[0].Content != "first" || all[2].ID != "303" || all[1].At.Nanosecond() != 5000 || *all[1].Author.GlobalName != "Ann" {
		t.Fatalf("messages %+v", all)
	}
	if string(all[1].Embeds) != `[{"title":"A title","type":"rich"}]` {
		t.Errorf("embeds %s", all[1].Embeds)
	}
	files := all[1].Attachments
	if len(files) != 3 || files[1].Name != "a.jpg" || files[2].Skipped == "" {
		t.Fatalf("attachments %+v", files)
	}
	for key, want := range map[model.FileKey]string{s.Guild.Icon: "icon bytes", files[0].File: "hello", files[1].File: "a picture"} {
		f, _, err := a.File(key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || string(got) != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
}

func TestRefusesWhatIsWrong(t *testing.T) {
	plain, sealed := oldBackup(t, "", ""), oldBackup(t, "hunter2", "sec/encKeyHashMethod")
	bomb := newOldFile(t, "", "")
	bomb.packed("core/guild", any2{"id": "1"})
	bomb.packed("messages/2", []any2{{"message": any2{"id": "3"}, "attachment_metadata": []any2{{"id": "4", "storage_format": "gzip"}}}})
	bomb.section("attachments/4", gzipped(t, make([]byte, 80<<20)))
	if a, err := convert(bomb.end(), ""); err != nil {
		t.Error(err)
	} else if m, err := a.Manifest(); err != nil || len(m.Missing) != 1 {
		t.Errorf("a file that unpacks to 80 MiB: %v %v", m.Missing, err)
	}
	deep := newOldFile(t, "", "")
	deep.section("core/guild", bytes.Repeat([]byte{0x91}, 1<<20))
	for name, c := range map[string]struct {
		b        []byte
		password string
		want     error
	}{
		"wrong password": {sealed, "hunter3", archive.ErrPassword},
		"no password":    {sealed, "", archive.ErrNeedsPass},
		"not encrypted":  {plain, "hunter2", archive.ErrNotEncrypted},
		"later format":   {[]byte("iblaef" + string(make([]byte, 80))), "", archive.ErrNotBackup},
		"cut":            {plain[:len(plain)/2], "", archive.ErrDamaged},
		"nested":         {deep.end(), "", archive.ErrDamaged},
		"other tar":      {otherTar(t), "", archive.ErrNotBackup},
	} {
		if _, err := convert(c.b, c.password); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func otherTar(t testing.TB) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: "x", Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readOld reads an old file, whatever it is: what is wrong has an error that says so, and what is converted is whole.
func readOld(t *testing.T, b []byte, password string) {
	t.Helper()
	o := archive.Options{}
	if password != "" {
		o.Password = secret.New(password)
	}
	w, out := newWriter(t)
	f, err := ancestor.Open(bytes.NewReader(b), int64(len(b)), o)
	if err == nil {
		err = f.Convert(w)
	}
	if err == nil {
		if _, err := archive.Verify(bytes.NewReader(out.Bytes()), archive.Options{}); err != nil {
			t.Fatalf("converted, and yet: %v", err)
		}
		return
	}
	for _, known := range []error{archive.ErrNotBackup, archive.ErrPassword, archive.ErrNeedsPass, archive.ErrNotEncrypted, archive.ErrDamaged, archive.ErrLimit} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("an error of no kind: %v", err)
}

func newWriter(t testing.TB) (*archive.Writer, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return w, &out
}

// FuzzConvert holds that no bytes make the reader panic or hang.
func FuzzConvert(f *testing.F) {
	f.Add(oldBackup(f, "", ""), false)
	f.Add(oldBackup(f, "hunter2", "sec/encKeyHashMethod"), true)
	f.Add(oldBackup(f, "hunter2", "sec/encKeyhashMethod"), true)
	f.Add(otherTar(f), false)
	f.Add([]byte("iblaef"), false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		password := ""
		if sealed {
			password = "hunter2"
		}
		readOld(t, b, password)
	})
}

// FuzzSections holds the same for the contents of sections, plain and encrypted with AES.
func FuzzSections(f *testing.F) {
	guild := packedOf(f, oldGuild())
	for i, storage := range []string{"", "remote", "uncompressed", "gzip", "jpeg_encoded", "other"} {
		file := any2{"id": "400", "name": "a.txt", "content_type": "text/plain", "storage_format": storage, "size": 5, "errors": []string{"gone"}}
		body := [][]byte{{}, []byte("hello"), gzipped(f, []byte("hello")), picture(f, "jpeg", 2, 2), picture(f, "jpeg", 60_000, 2)}[i%5]
		messages := packedOf(f, []any2{oldMessage("301", "first", file), oldMessage("300", "second", file, file)})
		f.Add(guild, messages, body, "201", "400", i%2 == 0)
		f.Add(guild, messages, body, "201", "guildIcon", i%2 == 0)
	}
	f.Add([]byte{0x81, 0xa2, 'i', 'd', 0xa1, '1'}, []byte{0x90}, []byte{}, "../x", "y", false)
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff}, []byte{0xdd, 0xff, 0xff, 0xff, 0xff}, []byte{}, "3", "4", true)
	f.Add(guild, bytes.Repeat([]byte{0x91}, 40), []byte{}, "1", "2", false)
	f.Add(guild, []byte{0x91, 0x81, 0xa7, 'm', 'e', 's', 's', 'a', 'g', 'e', 0x81, 0xa2, 'i', 'd', 0xc7, 1, 0x80, 0}, []byte{}, "1", "2", false)
	for _, number := range [][]byte{{0xca, 0x7f, 0xc0, 0, 0}, {0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}, {0xcf, 255, 255, 255, 255, 255, 255, 255, 255}, {0xd0, 0x80}, {0xd3, 128, 0, 0, 0, 0, 0, 0, 0},
		{0xc4, 1, 65}, {0xc0}, {0xc1}, {0xc3}, {0xe0}, {0xd6, 0xff, 0, 0, 0, 0}, {0xd7, 0xff, 255, 255, 255, 255, 0, 0, 0, 0}, {0xc7, 12, 0xff, 0, 0, 0, 0, 127, 0, 0, 0, 0, 0, 0, 0}, {0xd9, 3, 'a', 'b', 'c'}} {
		f.Add(slices.Concat([]byte{0x82, 0xa2, 'i', 'd', 0xa1, '1', 0xa4, 'n', 'a', 'm', 'e'}, number), number, []byte{}, "1", "2", false)
	}
	f.Fuzz(func(t *testing.T, guild, messages, body []byte, channel, file string, sealed bool) {
		password, keyName := "", ""
		if sealed {
			password, keyName = "hunter2", "sec/encKeyHashMethod"
		}
		for _, name := range []string{"messages/" + channel, "attachments/" + file} {
			if len(name) > 90 || strings.ContainsRune(name, 0) || strings.HasSuffix(name, "/") {
				return // the test writes no such tar
			}
		}
		old := newOldFile(t, password, keyName)
		old.section("core/guild", guild)
		old.section("messages/"+channel, messages)
		if file == "guildIcon" {
			old.section("assets/guildIcon", body)
		} else {
			old.section("attachments/"+file, body)
		}
		readOld(t, old.end(), password)
	})
}
