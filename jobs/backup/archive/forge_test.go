package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"splashtail/internal/secret"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// piece is a section as docs/backup-format.md describes it, with whatever somebody wants to say in it. Its digest is right.
type piece struct {
	codec  byte
	name   string
	body   []byte // as it is stored
	stored int64  // what it says; 0: what it is
	raw    int64
}

// plainPiece is a section that is stored as it is.
func plainPiece(name, body string) piece {
	return piece{name: name, body: []byte(body), raw: int64(len(body))}
}

// zstdPiece is a section that is compressed.
func zstdPiece(t testing.TB, name string, body []byte, window int) piece {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
	check(t, err)
	_, err = z.Write(body)
	check(t, errors.Join(err, z.Close()))
	return piece{codec: 1, name: name, body: out.Bytes(), raw: int64(len(body))}
}

func filePiece(body string) piece {
	sum := sha256.Sum256([]byte(body))
	return plainPiece("files/"+hex.EncodeToString(sum[:]), body)
}

// forgery is a container that was put together by hand. What the funcs leave alone is right.
type forgery struct {
	pieces        []piece
	version, kind uint16
	entries       func([]byte) []byte // of the index
	count         int                 // added to the number of sections that the index says
	length        int64               // added to the length of its entries that it says
	at            int64               // added to the offset of the index
	after         string
}

// forge gives the bytes of an archive of pieces.
func forge(f forgery) []byte {
	b := []byte("splashtail backup\n")
	b = binary.BigEndian.AppendUint16(b, 1+f.version)
	b = binary.BigEndian.AppendUint16(b, f.kind)
	head := slices.Clone(b)
	var entries []byte
	for _, p := range f.pieces {
		stored := int64(len(p.body)) + p.stored
		at := len(b)
		b = append(b, 'S', p.codec)
		b = binary.BigEndian.AppendUint16(b, uint16(len(p.name)))
		b = binary.BigEndian.AppendUint64(b, uint64(stored))
		b = binary.BigEndian.AppendUint64(b, uint64(p.raw))
		b = append(append(b, p.name...), p.body...)
		sum := sha256.Sum256(b[at:])
		b = append(b, sum[:]...)
		entries = append(entries, p.codec)
		entries = binary.BigEndian.AppendUint16(entries, uint16(len(p.name)))
		entries = binary.BigEndian.AppendUint64(entries, uint64(at))
		entries = binary.BigEndian.AppendUint64(entries, uint64(stored))
		entries = binary.BigEndian.AppendUint64(entries, uint64(p.raw))
		entries = append(append(entries, sum[:]...), p.name...)
	}
	if f.entries != nil {
		entries = f.entries(entries)
	}
	at := len(b)
	index := binary.BigEndian.AppendUint32([]byte{'I'}, uint32(len(f.pieces)+f.count))
	index = binary.BigEndian.AppendUint64(index, uint64(int64(len(entries))+f.length))
	index = append(index, entries...)
	sum := sha256.Sum256(slices.Concat(head, index))
	b = append(append(b, index...), sum[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(int64(at)+f.at))
	return append(b, "\nsplashtail end\n"+f.after...)
}

const hunter = "hunter2"

// sealed encrypts bytes with the password hunter2 at little cost.
func sealed(t testing.TB, b []byte) []byte {
	t.Helper()
	to, err := age.NewScryptRecipient(hunter)
	check(t, err)
	to.SetWorkFactor(1)
	return encrypted(t, b, to)
}

func encrypted(t testing.TB, b []byte, to age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	check(t, err)
	_, err = w.Write(b)
	check(t, errors.Join(err, w.Close()))
	return out.Bytes()
}

func withHunter() archive.Options {
	return archive.Options{Password: secret.New(hunter), Limits: archive.Limits{Work: 1}}
}

// manifestOf is a manifest that says what pieces hold.
func manifestOf(counts string) piece {
	return plainPiece("manifest", `{"schema":1,"guild_id":"1","guild_name":"A guild","taken_at":"2026-11-28T20:00:00Z","items":[],"counts":{`+counts+"}}\n")
}

// everyKind is an archive with a section of every kind, as plain pieces.
func everyKind() []piece {
	icon := filePiece("an icon")
	key := strings.TrimPrefix(icon.name, "files/")
	return []piece{
		icon,
		plainPiece("structure/about", `{"guild_id":"1","taken_at":"2026-11-28T20:00:00Z","bot":"2","owner_id":"3","premium_tier":0}`+"\n"),
		plainPiece("structure/guild", `{"name":"A guild","icon":"`+key+`","features":["COMMUNITY"]}`+"\n"),
		plainPiece("structure/roles", `{"id":"1","name":"@everyone","permissions":"1024"}`+"\n"+`{"id":"9","name":"a","icon":"`+key+`"}`+"\n"),
		plainPiece("structure/channels", `{"id":"20","name":"general","permission_overwrites":[{"id":"1","type":0,"allow":"0","deny":"2048"}]}`+"\n"),
		plainPiece("structure/threads", `{"id":"21","parent_id":"20","name":"t"}`+"\n"),
		plainPiece("structure/emojis", `{"id":"30","name":"e","file":"`+key+`"}`+"\n"),
		plainPiece("structure/stickers", `{"id":"31","name":"s"}`+"\n"),
		plainPiece("structure/sounds", `{"sound_id":"32","name":"s","volume":0.5}`+"\n"),
		plainPiece("structure/automod", `{"id":"33","name":"r","trigger_metadata":{"keyword_filter":["x"]},"actions":[{"type":2,"metadata":{"channel_id":"20"}}]}`+"\n"),
		plainPiece("structure/welcome", `{"enabled":true,"welcome_channels":[{"channel_id":"20"}]}`+"\n"),
		plainPiece("structure/onboarding", `{"enabled":true,"prompts":[{"id":"1","options":[{"id":"2","role_ids":["9"]}]}]}`+"\n"),
		plainPiece("structure/events", `{"id":"34","name":"e","scheduled_start_time":"2026-11-28T20:00:00Z"}`+"\n"),
		plainPiece("structure/webhooks", `{"id":"35","channel_id":"20","name":"w"}`+"\n"),
		plainPiece("structure/bans", `{"user":"36"}`+"\n"),
		plainPiece("structure/members", `{"user":"37","roles":["9"]}`+"\n"),
		plainPiece("structure/pins", `{"channel_id":"20","messages":["302"]}`+"\n"),
		plainPiece("structure/later", `{"of":"a later version"}`+"\n"),
		plainPiece("messages/20", `{"id":"302","content":"b","attachments":[{"id":"1","filename":"f","file":"`+key+`"}]}`+"\n"),
		plainPiece("messages/20", `{"id":"301","content":"a","embeds":[{"type":"rich"}],"message_reference":{"message_id":"300"}}`+"\n"),
		plainPiece("later", "x"),
		manifestOf(`"roles":2,"channels":1,"overwrites":1,"threads":1,"emojis":1,"stickers":1,"sounds":1,"automod":1,"events":1,"webhooks":1,` +
			`"bans":1,"members":1,"pins":1,"messages":2,"files":1`),
	}
}

func TestForgedLikeOurs(t *testing.T) {
	for name, b := range map[string][]byte{"plain": forge(forgery{pieces: everyKind()}), "encrypted": sealed(t, forge(forgery{pieces: everyKind()}))} {
		o := archive.Options{}
		if name == "encrypted" {
			o = withHunter()
		}
		r, err := archive.Verify(bytes.NewReader(b), o)
		if err != nil || r.Sections != 22 || r.Snapshot.Onboarding == nil {
			t.Errorf("%s: %+v %v", name, r, err)
		}
		check(t, openAll(b, o))
	}
}

// readEveryWay reads an archive in every way there is. What one way accepts, the others do too, but for what only Verify
// compares, and a copy of it says the same.
func readEveryWay(t *testing.T, b []byte, o archive.Options) {
	t.Helper()
	r, err := archive.Verify(bytes.NewReader(b), o)
	if err != nil && !ours(err) && !errors.Is(err, archive.ErrNeedsPass) {
		t.Fatalf("an error of no kind: %v", err)
	}
	opened := openAll(b, o)
	if opened != nil && !ours(opened) && !errors.Is(opened, archive.ErrNeedsPass) {
		t.Fatalf("read at random, an error of no kind: %v", opened)
	}
	if err != nil {
		return
	}
	if opened != nil {
		t.Fatalf("whole, and yet read at random: %v", opened)
	}
	a, err := archive.Open(bytes.NewReader(b), int64(len(b)), o)
	check(t, err)
	again, err := a.Verify()
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Fatalf("whole, and yet verified once it was open: %v", err)
	}
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, archive.Options{})
	check(t, err)
	if err := archive.Copy(w, a); errors.Is(err, archive.ErrLimit) {
		return // JSON of others may be shorter than ours
	} else if err != nil {
		t.Fatalf("whole, and yet copied: %v", err)
	}
	copied, err := archive.Verify(bytes.NewReader(out.Bytes()), archive.Options{})
	if err != nil {
		t.Fatalf("the copy: %v", err)
	}
	for _, n := range []string{"messages", "files", "roles", "channels", "overwrites", "bans", "pins"} {
		if r.Counts[n] != copied.Counts[n] {
			t.Errorf("%d %s, and %d in the copy", r.Counts[n], n, copied.Counts[n])
		}
	}
}

// FuzzSections holds that no contents of sections whose digests are right make a reader panic, hang or disagree with
// another, plain and encrypted.
func FuzzSections(f *testing.F) {
	all := everyKind()
	for i, p := range all[:len(all)-1] {
		f.Add(p.name, p.body, all[(i+1)%len(all)].name, all[(i+1)%len(all)].body, all[len(all)-1].body, uint8(i), int64(0))
		f.Add(p.name, p.body, p.name, p.body, manifestOf("").body, uint8(i), int64(0))
	}
	big := bytes.Repeat([]byte(`{"id":"302","content":"`+strings.Repeat("x", 200)+"\"}\n"), 2000)
	f.Add("messages/20", big, "structure/roles", bytes.Repeat([]byte("{}\n"), 9000), manifestOf(`"roles":9000`).body, uint8(1), int64(0))
	f.Add("messages/20", []byte("{}\n"), "files/", []byte("x"), manifestOf("").body, uint8(2), int64(1)<<40)
	f.Add("structure/guild", []byte("[[[[[[[[\n"), "messages/x", []byte("{\"id\":\"1\"}"), []byte("{}"), uint8(4), int64(-1))
	f.Add("files/x", []byte(strings.Repeat("\x00", 3000)), "files/y", []byte("y"), manifestOf(`"files":2`).body, uint8(27), int64(0))
	f.Add("files/x", []byte(strings.Repeat("\x00", 3000)), strings.Repeat("n", 121), []byte("y"), manifestOf(`"files":1`).body, uint8(11), int64(0))
	f.Add("later", []byte("x"), "later", []byte("y"), manifestOf("").body, uint8(16+32+2), int64(0))
	f.Add("messages/20", []byte("{\"id\":\"1\"}\n"), "structure/bans", []byte("{\"user\":\"5\",\"reason\":[]}\n"), manifestOf(`"messages":1`).body, uint8(1), int64(0))
	f.Fuzz(func(t *testing.T, name1 string, body1 []byte, name2 string, body2, manifest []byte, how uint8, lie int64) {
		first, second := plainPiece(name1, string(body1)), plainPiece(name2, string(body2))
		if how&1 != 0 {
			first = zstdPiece(t, name1, body1, 1<<20)
		}
		if how&2 != 0 {
			second.codec = 1 + how>>5 // and it is no such thing
		}
		if how&8 != 0 {
			first.name = filePiece(string(body1)).name
		}
		second.raw += lie
		if how&4 != 0 {
			second.stored = lie
		}
		whole := forge(forgery{pieces: []piece{first, second, plainPiece("manifest", string(manifest))}})
		if how&16 != 0 {
			readEveryWay(t, sealed(t, whole), withHunter())
			return
		}
		readEveryWay(t, whole, archive.Options{})
		readAsPart(t, forge(forgery{kind: 1, pieces: []piece{first, second}}))
	})
}

// readAsPart joins a part; when that goes well, the archive is whole.
func readAsPart(t *testing.T, part []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, archive.Options{})
	check(t, err)
	if err := w.Append(bytes.NewReader(part), archive.PartKey{}); err != nil {
		return
	}
	check(t, w.Finish(model.Manifest{}))
	a, err := archive.NewReader(bytes.NewReader(out.Bytes()), archive.Options{})
	check(t, err)
	for err == nil { // that a file is what its key says, is known when it is read: neither here nor when it was joined
		_, err = a.Next()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatalf("of a part that was joined: %v", err)
	}
}

// FuzzRead holds that no bytes make a reader panic, hang or disagree with another.
func FuzzRead(f *testing.F) {
	f.Add(build(f, archive.Options{}))
	f.Add(forge(forgery{pieces: everyKind()}))
	f.Add(forge(forgery{pieces: []piece{zstdPiece(f, "messages/20", []byte("{\"id\":\"1\"}\n"), 1<<20), manifestOf(`"messages":1`)}}))
	f.Add(forge(forgery{version: 1, pieces: everyKind()}))
	f.Add(forge(forgery{kind: 1, pieces: everyKind()}))
	f.Add(forge(forgery{count: 1 << 31, pieces: everyKind()[:1]}))
	f.Add(forge(forgery{length: -1 << 62, pieces: everyKind()[:1]}))
	f.Add(forge(forgery{at: 1<<63 - 1 - 4096, pieces: everyKind()[:1]}))
	f.Fuzz(func(t *testing.T, b []byte) { readEveryWay(t, b, archive.Options{}) })
}

// FuzzEncrypted holds the same for encrypted ones: of bytes that are the file, and of bytes that were encrypted.
func FuzzEncrypted(f *testing.F) {
	whole := forge(forgery{pieces: everyKind()})
	f.Add(sealed(f, whole), false)
	f.Add(sealed(f, whole[:200]), false)
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAA 62\nAAAA\n--- AAAA\n"), false)
	f.Add([]byte("age-encryption.org/v1\n-> X25519 AAAA\nAAAA\n--- AAAA\n"), false)
	f.Add(whole, false)
	f.Add(whole, true)
	f.Add(whole[:len(whole)-9], true)
	f.Add(sealed(f, whole), true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, inside bool) {
		if inside {
			b = sealed(t, b)
		}
		readEveryWay(t, b, withHunter())
	})
}
