package ancestor_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// oldFile writes a file by the rules of the ancestor's format.
type oldFile struct {
	t       testing.TB
	tar     *tar.Writer
	out     bytes.Buffer
	key     cipher.AEAD
	nonce   byte
	sealed  []string
	keyName string
}

func newOldFile(t testing.TB, password, keyName string) *oldFile {
	f := &oldFile{t: t, keyName: keyName}
	f.tar = tar.NewWriter(&f.out)
	if password != "" {
		sum := sha256.Sum256([]byte(password))
		block, err := aes.NewCipher(sum[:])
		f.must(err)
		f.key, err = cipher.NewGCM(block)
		f.must(err)
	}
	return f
}

func (f *oldFile) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *oldFile) raw(name string, b []byte) {
	f.must(f.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(b))}))
	_, err := f.tar.Write(b)
	f.must(err)
}

func (f *oldFile) section(name string, b []byte) {
	if f.key != nil {
		f.nonce++ // fixed, so that the golden files stay as they are
		nonce := bytes.Repeat([]byte{f.nonce}, f.key.NonceSize())
		b = f.key.Seal(slices.Clone(nonce), nonce, b, nil)
		f.sealed = append(f.sealed, name)
	}
	f.raw(name, b)
}

func (f *oldFile) packed(name string, v any) {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.SetCustomStructTag("json")
	e.UseCompactInts(true)
	e.UseCompactFloats(true)
	e.UseInternedStrings(true)
	e.SetSortMapKeys(true)
	f.must(e.Encode(v))
	f.section(name, b.Bytes())
}

func (f *oldFile) end() []byte {
	how := "noencryption"
	if f.key != nil {
		how = "aes256"
		list, err := json.Marshal(f.sealed)
		f.must(err)
		f.raw("sec/encSections", list)
		f.raw(f.keyName, []byte("0"))
	}
	f.raw("sec/sourceType", []byte(how))
	f.raw("meta", []byte(`{"c":"2024-03-01T12:00:00Z","p":"frostpaw-rev6","v":"a1","t":"backup.server","m":{"OperationMode":"jobs"}}`))
	f.must(f.tar.Close())
	return f.out.Bytes()
}

type any2 = map[string]any

// oldBackup is a small backup with everything that the ancestor saved.
func oldBackup(t testing.TB, password, keyName string) []byte {
	f := newOldFile(t, password, keyName)
	f.packed("backup_opts", any2{"BackupMessages": true})
	f.packed("core/guild", any2{"id": "100", "name": "Old guild", "owner_id": "7", "afk_timeout": 300, "afk_channel_id": "",
		"system_channel_id": "201", "features": []string{"COMMUNITY"},
		"roles": []any2{{"id": "101", "name": "Moderators", "permissions": int64(1 << 40), "position": 1, "color": 0xff0000},
			{"id": "100", "name": "@everyone", "permissions": int64(1024), "position": 0}},
		"channels": []any2{{"id": "200", "type": 4, "name": "Text"}, {"id": "201", "type": 0, "name": "general", "parent_id": "200",
			"permission_overwrites": []any2{{"id": "100", "type": 0, "allow": int64(0), "deny": int64(2048)}}}}})
	f.section("assets/guildIcon", []byte("icon bytes"))
	at := time.Date(2024, 2, 29, 10, 0, 0, 5000, time.UTC)
	author := any2{"id": "7", "username": "ann", "global_name": "Ann"}
	msg := func(id, text string, files ...any2) any2 {
		return any2{"message": any2{"id": id, "content": text, "timestamp": at, "edited_timestamp": nil, "author": author,
			"embeds": []any2{{"type": "rich", "title": "A title", "url": ""}, {"type": "link"}}}, "attachment_metadata": files}
	}
	gz := any2{"id": "400", "name": "a.txt", "content_type": "text/plain", "storage_format": "gzip", "size": 5}
	jpg := any2{"id": "401", "name": "a.png", "content_type": "image/png", "storage_format": "jpeg_encoded", "size": 9}
	gone := any2{"id": "402", "name": "b.bin", "storage_format": "", "errors": []string{"Attachment is too large to be saved."}}
	two := msg("302", "second", gz, jpg, gone)
	f.packed("messages/201", []any2{msg("301", "first"), two, msg("303", "third"), two}) // a page that came twice
	f.section("attachments/400", gzipped(t, []byte("hello")))
	f.section("attachments/401", []byte("a picture"))
	return f.end()
}

func gzipped(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
