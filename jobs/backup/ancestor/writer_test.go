package ancestor_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
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

func (f *oldFile) packed(name string, v any) { f.section(name, packedOf(f.t, v)) }

// packedOf is MessagePack as the ancestor's library wrote it.
func packedOf(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.SetCustomStructTag("json")
	e.UseCompactInts(true)
	e.UseCompactFloats(true)
	e.UseInternedStrings(true)
	e.SetSortMapKeys(true)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
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
	f.packed("core/guild", oldGuild())
	f.section("assets/guildIcon", []byte("icon bytes"))
	gz := any2{"id": "400", "name": "a.txt", "content_type": "text/plain", "storage_format": "gzip", "size": 5}
	jpg := any2{"id": "401", "name": "a.png", "content_type": "image/png", "storage_format": "jpeg_encoded", "size": 9}
	gone := any2{"id": "402", "name": "b.bin", "storage_format": "", "errors": []string{"Attachment is too large to be saved."}}
	two := oldMessage("302", "second", gz, jpg, gone)
	f.packed("messages/201", []any2{oldMessage("301", "first"), two, oldMessage("303", "third"), two}) // a page that came twice
	f.section("attachments/400", gzipped(t, []byte("hello")))
	f.section("attachments/401", []byte("a picture"))
	return f.end()
}

func oldGuild() any2 {
	return any2{"id": "100", "name": "Old guild", "owner_id": "7", "afk_timeout": 300, "afk_channel_id": "",
		"system_channel_id": "201", "features": []string{"COMMUNITY"},
		"roles": []any2{{"id": "101", "name": "Moderators", "permissions": int64(1 << 40), "position": 1, "color": 0xff0000},
			{"id": "100", "name": "@everyone", "permissions": int64(1024), "position": 0}},
		"channels": []any2{{"id": "200", "type": 4, "name": "Text"}, {"id": "201", "type": 0, "name": "general", "parent_id": "200",
			"permission_overwrites": []any2{{"id": "100", "type": 0, "allow": int64(0), "deny": int64(2048)}}}}}
}

func oldMessage(id, text string, files ...any2) any2 {
	at := time.Date(2024, 2, 29, 10, 0, 0, 5000, time.UTC)
	author := any2{"id": "7", "username": "ann", "global_name": "Ann"}
	return any2{"message": any2{"id": id, "content": text, "timestamp": at, "edited_timestamp": nil, "author": author,
		"embeds": []any2{{"type": "rich", "title": "A title", "url": ""}, {"type": "link"}}}, "attachment_metadata": files}
}

// picture is the begin of a picture that says how large it is.
func picture(t testing.TB, kind string, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	small := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black, color.White})
	w, h := binary.BigEndian.AppendUint16(nil, uint16(width)), binary.BigEndian.AppendUint16(nil, uint16(height))
	var err error
	switch kind {
	case "jpeg":
		err = jpeg.Encode(&out, small, nil)
		at := bytes.Index(out.Bytes(), []byte{0xff, 0xc0}) + 5
		copy(out.Bytes()[at:], slices.Concat(h, w))
	case "gif":
		err = gif.Encode(&out, small, nil)
		copy(out.Bytes()[6:], []byte{w[1], w[0], h[1], h[0]})
	case "png":
		err = png.Encode(&out, small)
		ihdr := out.Bytes()[12:33]
		copy(ihdr[4:], slices.Concat([]byte{0, 0}, w, []byte{0, 0}, h))
		binary.BigEndian.PutUint32(ihdr[17:], crc32.ChecksumIEEE(ihdr[:17]))
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
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
