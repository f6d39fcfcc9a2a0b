package ancestor_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"splashtail/internal/secret"
	"splashtail/jobs/backup/ancestor"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// hostile is an old file that somebody made by hand, and what is said to it.
type hostile struct {
	b        []byte
	password string
	want     error
	says     string
}

// mostMemory is what reading a hostile file may take, in bytes, all garbage counted.
const mostMemory = 256 << 20

// TestHostileOldFiles: what the ancestor never wrote is refused with a sentence that says why, and without memory for what
// the file says of itself.
func TestHostileOldFiles(t *testing.T) {
	for group, cases := range map[string]map[string]hostile{"tar": hostileTars(t), "contents": hostileContents(t), "encryption": hostileEncryption(t)} {
		for name, c := range cases {
			t.Run(group+"/"+name, func(t *testing.T) {
				var before, after runtime.MemStats
				w, err := archive.NewWriter(io.Discard, archive.Options{})
				if err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&before)
				err = convertInto(w, c.b, c.password)
				runtime.ReadMemStats(&after)
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v\nwant %v … %s", err, c.want, c.says)
				}
				if err != nil && strings.ContainsAny(err.Error(), "\x1b\n") {
					t.Errorf("%q is not for a terminal", err)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > mostMemory {
					t.Errorf("it took %d MiB", took>>20)
				}
			})
		}
	}
}

func convertInto(w *archive.Writer, b []byte, password string) error {
	o := archive.Options{}
	if password != "" {
		o.Password = secret.New(password)
	}
	f, err := ancestor.Open(bytes.NewReader(b), int64(len(b)), o)
	if err != nil {
		return err
	}
	return f.Convert(w)
}

// tarOf is a tar of entries with a name and a type, each with a few bytes.
func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = 2
		}
		err := w.WriteHeader(&h)
		if err == nil && h.Size > 0 {
			_, err = io.WriteString(w, "{}")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func hostileTars(t *testing.T) map[string]hostile {
	meta := func(text string) []byte {
		f := newOldFile(t, "", "")
		f.raw("sec/sourceType", []byte("noencryption"))
		f.raw("meta", []byte(text))
		f.must(f.tar.Close())
		return f.out.Bytes()
	}
	source := func(how string) []byte {
		f := newOldFile(t, "", "")
		if how != "" {
			f.raw("sec/sourceType", []byte(how))
		}
		f.raw("meta", []byte(`{"p":"frostpaw-rev6","v":"a1","t":"backup.server"}`))
		f.must(f.tar.Close())
		return f.out.Bytes()
	}
	many := make([]tar.Header, 20_001)
	for i := range many {
		many[i] = tar.Header{Name: fmt.Sprint("attachments/", i), Typeflag: tar.TypeReg}
	}
	longer := oldBackup(t, "", "")
	longer = longer[:len(longer)-1024-450] // within the bytes of the last section
	return map[string]hostile{
		"no tar":            {b: []byte("hello"), want: archive.ErrDamaged, says: "list of sections"},
		"no meta":           {b: tarOf(t, tar.Header{Name: "x", Typeflag: tar.TypeReg}), want: archive.ErrNotBackup, says: "meta"},
		"meta is no JSON":   {b: meta("x"), want: archive.ErrDamaged, says: "no JSON"},
		"huge meta":         {b: meta(strings.Repeat(" ", 65<<10)), want: archive.ErrLimit, says: "the limit is 65536"},
		"other protocol":    {b: meta(`{"p":"frostpaw-rev7","v":"a1","t":"backup.server"}`), want: archive.ErrNotBackup, says: "frostpaw-rev7"},
		"other version":     {b: meta(`{"p":"frostpaw-rev6","v":"a2","t":"backup.server"}`), want: archive.ErrNotBackup, says: `"a2"`},
		"other type":        {b: meta(`{"p":"frostpaw-rev6","v":"a1","t":"backup.user"}`), want: archive.ErrNotBackup, says: "backup.user"},
		"later format":      {b: append([]byte("iblaef"), make([]byte, 80)...), want: archive.ErrNotBackup, says: "make a new backup"},
		"no source type":    {b: source(""), want: archive.ErrDamaged, says: "whether it is encrypted"},
		"unknown source":    {b: source("rot13"), want: archive.ErrDamaged, says: "rot13"},
		"a link":            {b: tarOf(t, tar.Header{Name: "meta", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), want: archive.ErrDamaged, says: "no plain file"},
		"a directory":       {b: tarOf(t, tar.Header{Name: "meta/", Typeflag: tar.TypeDir}), want: archive.ErrDamaged, says: "no plain file"},
		"PAX":               {b: tarOf(t, tar.Header{Name: "meta", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"A.b": "c"}}), want: archive.ErrDamaged, says: "no plain file"},
		"a long name":       {b: tarOf(t, tar.Header{Name: strings.Repeat("n", 900_000), Typeflag: tar.TypeReg, Format: tar.FormatGNU}), want: archive.ErrDamaged, says: "name of 900000 bytes"},
		"too many":          {b: tarOf(t, many...), want: archive.ErrLimit, says: "more than 20000 sections"},
		"ends in a section": {b: longer, want: archive.ErrDamaged, says: "ends after the file"},
	}
}

// TestOldFileTooLarge: a file that says to be larger than the format allows is not read.
func TestOldFileTooLarge(t *testing.T) {
	_, err := ancestor.Open(bytes.NewReader(oldBackup(t, "", "")), 512<<20+1, archive.Options{})
	if !errors.Is(err, archive.ErrLimit) || !strings.Contains(err.Error(), "the limit for its format is 536870912") {
		t.Error(err)
	}
}

func hostileContents(t *testing.T) map[string]hostile {
	with := func(guild []byte, messages ...[]byte) []byte {
		f := newOldFile(t, "", "")
		if guild != nil {
			f.section("core/guild", guild)
		}
		for i, m := range messages {
			f.section(fmt.Sprint("messages/", i+1), m)
		}
		return f.end()
	}
	guild := packedOf(t, any2{"id": "1"})
	field := func(name string, v ...byte) []byte { // a guild with one more field
		return with(slices.Concat([]byte{0x82, 0xa2, 'i', 'd', 0xa1, '1', 0xa0 | byte(len(name))}, []byte(name), v))
	}
	times := func(n int, b ...byte) []byte { return bytes.Repeat(b, n) }
	count := func(n int) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	long := slices.Concat([]byte{0x92, 0xdb}, count(1<<20), times(1<<20, 'x'), []byte{0xdd}, count(1<<20)) // a text, and a list that says it a million times
	path := newOldFile(t, "", "")
	path.section("core/guild", guild)
	path.section("messages/../1", packedOf(t, []any2{}))
	escape := newOldFile(t, "", "")
	escape.section("core/guild", guild)
	escape.section("messages/\x1b[2J\n", packedOf(t, []any2{}))
	id := newOldFile(t, "", "")
	id.section("core/guild", guild)
	id.packed("messages/1", []any2{{"message": any2{"id": "x"}}})
	return map[string]hostile{
		"no guild":          {b: with(nil), want: archive.ErrDamaged, says: `"core/guild" is missing`},
		"no id":             {b: with(packedOf(t, any2{"name": "a"})), want: archive.ErrDamaged, says: "no id"},
		"a list":            {b: with([]byte{0x90}), want: archive.ErrDamaged, says: "something else"},
		"nothing":           {b: with([]byte{}), want: archive.ErrDamaged, says: "missing"},
		"followed":          {b: with(append(slices.Clone(guild), 0)), want: archive.ErrDamaged, says: "follows"},
		"nested":            {b: with(times(1<<20, 0x91)), want: archive.ErrDamaged, says: "deeper than 32"},
		"a long list":       {b: field("roles", slices.Concat([]byte{0xdd}, count(1<<31-1))...), want: archive.ErrDamaged, says: "bytes are left"},
		"a long text":       {b: field("name", slices.Concat([]byte{0xdb}, count(2<<20), times(2<<20, 'x'))...), want: archive.ErrDamaged, says: "the limit is 1048576"},
		"cut text":          {b: field("name", 0xa5, 'a'), want: archive.ErrDamaged, says: "missing"},
		"empty channels":    {b: field("channels", slices.Concat([]byte{0xdd}, count(3<<19), times(3<<19, 0x80))...), want: archive.ErrLimit, says: "more memory"},
		"empty texts":       {b: field("features", slices.Concat([]byte{0xdd}, count(3<<19), times(3<<19, 0xa0))...), want: archive.ErrLimit, says: "more memory"},
		"empty messages":    {b: with(guild, slices.Concat([]byte{0xdd}, count(3<<19), times(3<<19, 0x80))), want: archive.ErrLimit, says: "more memory"},
		"too many values":   {b: with(guild, slices.Concat([]byte{0xdd}, count(15<<20), times(15<<20, 0xc0))), want: archive.ErrDamaged, says: "more than 2097152 values"},
		"a text repeated":   {b: with(guild, append(long, bytes.Repeat([]byte{0xd4, 0x80, 0}, 1<<20)...)), want: archive.ErrDamaged, says: "grows beyond"},
		"no such text":      {b: field("name", 0xd4, 0x80, 9), want: archive.ErrDamaged, says: "not there before"},
		"unknown extension": {b: field("name", 0xd4, 5, 9), want: archive.ErrDamaged, says: "no extension 5"},
		"no number":         {b: field("afk_timeout", 0xca, 0x7f, 0xc0, 0, 0), want: archive.ErrDamaged, says: "no number"},
		"year 292277":       {b: field("name", 0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0), want: archive.ErrDamaged, says: "year"},
		"time of 5 bytes":   {b: field("name", 0xc7, 5, 0xff, 0, 0, 0, 0, 0), want: archive.ErrDamaged, says: "a time has 5 bytes"},
		"a name is none":    {b: with([]byte{0x81, 0x01, 0x01}), want: archive.ErrDamaged, says: "a name is no text"},
		"0xc1":              {b: field("name", 0xc1), want: archive.ErrDamaged, says: "0xc1"},
		"a huge section":    {b: with(make([]byte, 16<<20+1)), want: archive.ErrLimit, says: "the limit is 16777216"},
		"channel is a path": {b: path.end(), want: archive.ErrDamaged, says: "../1"},
		"terminal":          {b: escape.end(), want: archive.ErrDamaged, says: "belong to the channel"},
		"a message is none": {b: id.end(), want: archive.ErrDamaged, says: "a message has the id"},
	}
}

func hostileEncryption(t *testing.T) map[string]hostile {
	const right = "sec/encKeyHashMethod"
	sealed := func(change func(f *oldFile)) []byte {
		f := newOldFile(t, "hunter2", right)
		change(f)
		return f.end()
	}
	guild := packedOf(t, any2{"id": "1"})
	method := newOldFile(t, "hunter2", right)
	method.section("core/guild", guild)
	method.raw(right, []byte("1"))
	method.keyName = "sec/other"
	return map[string]hostile{
		"wrong password": {b: oldBackup(t, "hunter2", right), password: "hunter3", want: archive.ErrPassword, says: `or section "core/guild" is damaged; give`},
		"no password":    {b: oldBackup(t, "hunter2", right), want: archive.ErrNeedsPass},
		"not encrypted":  {b: oldBackup(t, "", ""), password: "hunter2", want: archive.ErrNotEncrypted, says: "leave the password out"},
		"other method":   {b: method.end(), password: "hunter2", want: archive.ErrDamaged, says: "unknown way"},
		"no method":      {b: oldBackup(t, "hunter2", "sec/other"), password: "hunter2", want: archive.ErrDamaged, says: "how its password is used"},
		"left out of the list": {b: sealed(func(f *oldFile) {
			f.section("core/guild", guild)
			f.raw("messages/2", packedOf(t, []any2{}))
		}), password: "hunter2", want: archive.ErrDamaged, says: "not encrypted, though the others are"},
		"short section": {b: sealed(func(f *oldFile) {
			f.section("core/guild", guild)
			f.raw("messages/2", []byte("short"))
			f.sealed = append(f.sealed, "messages/2")
		}), password: "hunter2", want: archive.ErrDamaged, says: "ends too early"},
		"changed section": {b: sealed(func(f *oldFile) {
			f.section("core/guild", guild)
			f.raw("messages/2", make([]byte, 40))
			f.sealed = append(f.sealed, "messages/2")
		}), password: "hunter2", want: archive.ErrDamaged, says: "not what was written"},
	}
}

// TestHostileAttachments: attachments that are bombs, or no such thing, cost themselves and nothing else, and each is named
// with its reason; one that is named many times is unpacked once.
func TestHostileAttachments(t *testing.T) {
	f := newOldFile(t, "", "")
	f.packed("core/guild", any2{"id": "1"})
	var files []any2
	add := func(storage string, b []byte) {
		id := fmt.Sprint(400 + len(files))
		files = append(files, any2{"id": id, "name": strings.Repeat("n", 2000) + ".x", "storage_format": storage})
		if b != nil {
			f.section("attachments/"+id, b)
		}
	}
	want := []string{"unknown way", "cannot be read", "not gzip", "cannot be unpacked", "cannot be unpacked", "60000 by 2000 pixels", "60000 by 2000 pixels", "60000 by 2000 pixels", "the limit is 67108864"}
	add("zip", []byte("x"))
	add("gzip", nil)
	add("gzip", []byte("x"))
	cut := gzipped(t, []byte("hello"))
	add("gzip", cut[:len(cut)-6])
	add("gzip", gzipped(t, make([]byte, 65<<20)))
	add("jpeg_encoded", picture(t, "jpeg", 60_000, 2000))
	add("uncompressed", picture(t, "png", 60_000, 2000))
	add("uncompressed", picture(t, "gif", 60_000, 2000))
	add("uncompressed", make([]byte, 64<<20+1))
	add("gzip", gzipped(t, []byte("good")))
	var messages []any2
	for i := range 300 { // each names the bomb again
		messages = append(messages, any2{"message": any2{"id": fmt.Sprint(1000 + i)}, "attachment_metadata": files[4:5]})
	}
	f.packed("messages/2", append(messages, any2{"message": any2{"id": "3"}, "attachment_metadata": files}))
	a, err := convert(f.end(), "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Manifest()
	if err != nil || len(m.Missing) != 300+len(want) {
		t.Fatalf("%d are missing, %v", len(m.Missing), err)
	}
	for i, w := range want {
		if got := m.Missing[300+i]; !strings.Contains(got.Why, w) || len(got.What) > 310 {
			t.Errorf("%d bytes: %s\nwant %s", len(got.What), got.Why, w)
		}
	}
	if len(a.Files()) != 1 {
		t.Errorf("%d files are kept", len(a.Files()))
	}
}

// TestManyMissing: what is missing may be more than a manifest holds; then the end of the list is counted.
func TestManyMissing(t *testing.T) {
	f := newOldFile(t, "", "")
	f.packed("core/guild", any2{"id": "1"})
	var messages []any2
	for i := range 1200 {
		messages = append(messages, any2{"message": any2{"id": fmt.Sprint(1000 + i)}, "attachment_metadata": []any2{
			{"id": "4", "name": strings.Repeat("ü", 290), "storage_format": "", "errors": []string{strings.Repeat("ß", 250)}},
		}})
	}
	f.packed("messages/2", messages)
	a, err := convert(f.end(), "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Manifest()
	if err != nil || len(m.Missing) == 0 || len(m.Missing)+m.Dropped != 1200 || m.Missing[0].ID != model.ID("4") {
		t.Errorf("%d named, %d counted, %v", len(m.Missing), m.Dropped, err)
	}
}
