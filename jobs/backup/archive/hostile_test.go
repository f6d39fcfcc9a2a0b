package archive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"splashtail/internal/secret"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// hostile is a file that somebody made by hand, and what is said to it.
type hostile struct {
	b    []byte
	o    archive.Options
	want error
	says string
	only string // "Verify" or "Open": one way of reading alone finds it; empty: both do
}

// mostMemory is what reading a hostile file may take, in bytes, all garbage counted.
const mostMemory = 160 << 20

// TestHostileArchives: what no writer of ours makes is refused by every way of reading, with a sentence that says why, and
// without memory for what the file says of itself.
func TestHostileArchives(t *testing.T) {
	for group, cases := range map[string]map[string]hostile{
		"frame": hostileFrames(), "sections": hostileSections(t), "contents": hostileContents(t), "encryption": hostileEncryption(t),
	} {
		for name, c := range cases {
			t.Run(group+"/"+name, func(t *testing.T) {
				if c.only != "Open" {
					refuse(t, c, "Verify", func() error { _, err := archive.Verify(bytes.NewReader(c.b), c.o); return err })
				}
				if c.only != "Verify" {
					refuse(t, c, "Open", func() error { return openAll(c.b, c.o) })
				}
				if a, err := archive.Open(bytes.NewReader(c.b), int64(len(c.b)), c.o); err == nil && c.only != "Open" {
					refuse(t, c, "Archive.Verify", func() error { _, err := a.Verify(); return err })
				}
				if group == "contents" && c.says != "no key" {
					refuse(t, c, "Copy", func() error { return copyOf(t, c.b) })
				}
			})
		}
	}
}

// copyOf copies an archive without a password to nowhere.
func copyOf(t *testing.T, b []byte) error {
	a, err := archive.Open(bytes.NewReader(b), int64(len(b)), archive.Options{})
	check(t, err)
	w, err := archive.NewWriter(io.Discard, archive.Options{})
	check(t, err)
	return archive.Copy(w, a)
}

func refuse(t *testing.T, c hostile, how string, read func() error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := read()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
		t.Errorf("%s: %v\nwant %v … %s", how, err, c.want, c.says)
	}
	if err != nil && strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("%s: %q is not for a terminal", how, err)
	}
	if errors.Is(err, archive.ErrLimit) && strings.Count(err.Error(), "use another copy")+strings.Count(err.Error(), "encrypt it anew") != 1 {
		t.Errorf("%s: %v says not what to do", how, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > mostMemory {
		t.Errorf("%s took %d MiB", how, took>>20)
	}
}

func hostileFrames() map[string]hostile {
	ok := manifestOf("")
	of := func(f forgery) []byte { f.pieces = append(f.pieces, ok); return forge(f) }
	noTail := of(forgery{})
	return map[string]hostile{
		"newer format":    {b: of(forgery{version: 1}), want: archive.ErrNewer, says: "update the program"},
		"version 0":       {b: of(forgery{version: 65535}), want: archive.ErrDamaged, says: "number 0"},
		"a part":          {b: of(forgery{kind: 1}), want: archive.ErrNotBackup, says: "unfinished"},
		"unknown kind":    {b: of(forgery{kind: 2}), want: archive.ErrDamaged, says: "kind 2"},
		"other file":      {b: []byte("PK\x03\x04 and so on, longer than a header"), want: archive.ErrNotBackup, says: "begin"},
		"empty":           {want: archive.ErrNotBackup, says: "begin"},
		"cut header":      {b: []byte("splashtail ba"), want: archive.ErrDamaged, says: "13 bytes"},
		"followed":        {b: of(forgery{after: "x"}), want: archive.ErrDamaged},
		"no end":          {b: noTail[:len(noTail)-1], want: archive.ErrDamaged},
		"no sections":     {b: forge(forgery{}), want: archive.ErrDamaged, says: "no manifest"},
		"more counted":    {b: of(forgery{count: 1}), want: archive.ErrDamaged},
		"4e9 counted":     {b: of(forgery{count: -2}), want: archive.ErrDamaged, only: "Verify"},
		"4e9 in index":    {b: of(forgery{count: -2}), want: archive.ErrLimit, says: "the limit is 100000", only: "Open"},
		"longer entries":  {b: of(forgery{length: 1 << 40}), want: archive.ErrDamaged, says: "cannot have", only: "Verify"},
		"negative length": {b: of(forgery{length: -1 << 62}), want: archive.ErrDamaged, says: "cannot have", only: "Verify"},
		"index elsewhere": {b: of(forgery{at: 1}), want: archive.ErrDamaged},
		"index before":    {b: of(forgery{at: -1 << 62}), want: archive.ErrDamaged},
		"index is none":   {b: of(forgery{at: 1 << 62}), want: archive.ErrDamaged},
		"other entries": {b: of(forgery{entries: func(b []byte) []byte { b[1+2+8+8+8] ^= 1; return b }}),
			want: archive.ErrDamaged},
		"entry elsewhere":   {b: of(forgery{entries: func(b []byte) []byte { b[10]++; return b }}), want: archive.ErrDamaged, only: "Verify"},
		"entry is no place": {b: of(forgery{entries: func(b []byte) []byte { b[10]++; return b }}), want: archive.ErrDamaged, says: "its index is not whole", only: "Open"},
		"no entries":        {b: of(forgery{entries: func([]byte) []byte { return nil }, count: -1}), want: archive.ErrDamaged},
		"half an entry":     {b: of(forgery{entries: func(b []byte) []byte { return b[:20] }}), want: archive.ErrDamaged},
		"index too large":   {b: bigIndex(), want: archive.ErrLimit, says: "its index", only: "Open"},
		"no section":        {b: append([]byte("splashtail backup\n\x00\x01\x00\x00X"), make([]byte, 200)...), want: archive.ErrDamaged},
	}
}

// bigIndex is a file of zeros with a tail that makes all of it the index.
func bigIndex() []byte {
	b := make([]byte, 30<<20)
	copy(b, "splashtail backup\n\x00\x01\x00\x00I")
	b = append(b, make([]byte, 32)...)
	return append(binary.BigEndian.AppendUint64(b, 22), "\nsplashtail end\n"...)
}

func hostileSections(t *testing.T) map[string]hostile {
	ok := manifestOf("")
	of := func(p ...piece) []byte { return forge(forgery{pieces: append(p, ok)}) }
	file := filePiece("an icon")
	few := func(l archive.Limits) archive.Options { return archive.Options{Limits: l} }
	lies := func(p piece, raw, stored int64) piece { p.raw += raw; p.stored = stored; return p }
	packed := zstdPiece(t, "messages/20", []byte(`{"id":"1"}`+"\n"), 1<<20)
	zeros := zstdPiece(t, filePiece(string(make([]byte, 4<<20))).name, make([]byte, 4<<20), 1<<20)
	far := zstdPiece(t, "messages/20", bytes.Repeat([]byte(`{"id":"1"}`+"\n"), 60_000), 8<<20)
	wide := zstdPiece(t, filePiece(string(noise(5<<20))).name, noise(5<<20), 4<<20)
	return map[string]hostile{
		"terminal":           {b: of(piece{name: "\x1b[2J\n", codec: 1, raw: 1, body: []byte{1}}), want: archive.ErrDamaged, says: "cannot be unpacked", only: "Verify"},
		"unknown codec":      {b: of(piece{codec: 2, name: "later", body: []byte("x"), raw: 1}), want: archive.ErrDamaged, says: "unknown way"},
		"no name":            {b: of(plainPiece("", "x")), want: archive.ErrDamaged, says: "name of 0 bytes"},
		"long name":          {b: of(plainPiece(strings.Repeat("n", 121), "x")), want: archive.ErrDamaged, says: "name of 121 bytes"},
		"negative":           {b: of(lies(file, -1<<62, -1<<62)), want: archive.ErrDamaged, says: "impossible sizes"},
		"stored and longer":  {b: of(lies(file, 1, 0)), want: archive.ErrDamaged, says: "impossible sizes"},
		"a huge file":        {b: of(lies(file, 1<<33, 1<<33)), want: archive.ErrLimit, says: "the limit is 536870912"},
		"huge when stored":   {b: of(lies(zeros, 0, 1<<40)), want: archive.ErrLimit, says: "the limit is 536870912"},
		"huge lines":         {b: of(lies(packed, 1<<20, 0)), want: archive.ErrLimit, says: "limit for its kind"},
		"huge stored lines":  {b: of(lies(packed, 0, 1<<28)), want: archive.ErrDamaged, says: "impossible sizes"},
		"a bomb":             {b: of(lies(zeros, 500<<20, 0)), want: archive.ErrLimit, says: "more than 256 times"},
		"a bomb of lines":    {b: of(lies(zstdPiece(t, "messages/20", make([]byte, 64<<20), 1<<20), -64<<20+600<<10, 0)), want: archive.ErrDamaged, says: "cannot be unpacked"},
		"longer lines":       {b: of(lies(zstdPiece(t, "messages/20", make([]byte, 2000), 1<<20), -1000, 0)), want: archive.ErrDamaged},
		"shorter lines":      {b: of(lies(packed, 5, 0)), want: archive.ErrDamaged, says: "bytes instead of"},
		"a longer file":      {b: of(lies(zeros, -(3 << 20), 0)), want: archive.ErrDamaged, says: "longer than it says"},
		"a shorter file":     {b: of(lies(zstdPiece(t, filePiece("1234").name, []byte("1234"), 1<<20), 1, 0)), want: archive.ErrDamaged, says: "not what was written"},
		"wide window":        {b: of(far), want: archive.ErrDamaged, says: "cannot be unpacked"},
		"a file's window":    {b: of(wide), want: archive.ErrDamaged, says: "window size"},
		"no zstd":            {b: of(piece{codec: 1, name: "later", body: []byte("xyz"), raw: 3}), want: archive.ErrDamaged, only: "Verify"},
		"a file is no zstd":  {b: of(piece{codec: 1, name: file.name, body: []byte("xyz"), raw: 3}), want: archive.ErrDamaged},
		"another file":       {b: of(plainPiece(file.name, "another")), want: archive.ErrDamaged, says: "not what was written"},
		"a path":             {b: of(plainPiece("files/../../etc/passwd", "x")), want: archive.ErrDamaged, says: "files/../../etc/passwd"},
		"upper case":         {b: of(plainPiece("files/"+strings.ToUpper(strings.TrimPrefix(file.name, "files/")), "an icon")), want: archive.ErrDamaged, says: "file has the name"},
		"channel is a path":  {b: of(plainPiece("messages/../1", "x")), want: archive.ErrDamaged, says: "channel"},
		"file comes twice":   {b: forge(forgery{pieces: []piece{file, file, manifestOf(`"files":2`)}}), want: archive.ErrDamaged, says: "in it twice"},
		"manifest twice":     {b: forge(forgery{pieces: []piece{ok, ok}}), want: archive.ErrDamaged, says: "follows its manifest"},
		"manifest not last":  {b: forge(forgery{pieces: []piece{ok, file}}), want: archive.ErrDamaged, says: "follows its manifest"},
		"no manifest":        {b: forge(forgery{pieces: []piece{file}}), want: archive.ErrDamaged, says: "no manifest"},
		"too many":           {b: of(file, plainPiece("later", "x")), o: few(archive.Limits{Sections: 2}), want: archive.ErrLimit, says: "sections"},
		"together too large": {b: of(plainPiece("later", "1234567890")), o: few(archive.Limits{Total: 9}), want: archive.ErrLimit, says: "more than 9 bytes"},
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func hostileContents(t *testing.T) map[string]hostile {
	of := func(counts string, p ...piece) []byte { return forge(forgery{pieces: append(p, manifestOf(counts))}) }
	newer := plainPiece("manifest", `{"schema":2,"counts":{}}`+"\n")
	var empties []piece
	for range 24 { // pieces of as many empty channels as fit: under 17 MiB, and 2 GiB decoded
		empties = append(empties, zstdPiece(t, "structure/channels", bytes.Repeat([]byte("{}\n"), 700<<10/3), 1<<20))
	}
	nested := func(kind, field string) piece {
		return zstdPiece(t, "structure/"+kind, []byte(`{"`+field+`":[`+strings.Repeat(`{},`, 170_000)+"{}]}\n"), 1<<20)
	}
	var inner, texts []piece
	for range 32 {
		inner = append(inner, nested("channels", "permission_overwrites"))
		texts = append(texts, zstdPiece(t, "structure/members", []byte(`{"roles":[`+strings.Repeat(`"",`, 170_000)+`""]}`+"\n"), 1<<20))
	}
	message := func(s string) piece { return plainPiece("messages/20", s+"\n") }
	return map[string]hostile{
		"terminal's count":   {b: of(`"\u001b[2J":2`), want: archive.ErrDamaged, only: "Verify"},
		"newer schema":       {b: forge(forgery{pieces: []piece{newer}}), want: archive.ErrNewer, says: "update the program"},
		"manifest is a list": {b: forge(forgery{pieces: []piece{plainPiece("manifest", "[]\n")}}), want: archive.ErrDamaged, says: `section "manifest"`},
		"empty channels":     {b: of(`"channels":1`, empties...), want: archive.ErrLimit, says: "its structure"},
		"empty overwrites":   {b: of(`"channels":1`, inner...), want: archive.ErrLimit, says: "its structure"},
		"empty texts":        {b: of(`"members":1`, texts...), want: archive.ErrLimit, says: "its structure"},
		"two guilds":         {b: of("", plainPiece("structure/guild", `{"name":"a"}`+"\n"+`{"name":"b"}`+"\n")), want: archive.ErrDamaged, says: "twice"},
		"two abouts":         {b: of("", plainPiece("structure/about", `{"guild_id":"1"}`+"\n"), plainPiece("structure/about", `{"guild_id":"2"}`+"\n")), want: archive.ErrDamaged, says: "twice"},
		"two welcomes":       {b: of("", plainPiece("structure/welcome", "{}\n"), plainPiece("structure/welcome", "{}\n")), want: archive.ErrDamaged, says: "twice"},
		"a role is a list":   {b: of(`"roles":1`, plainPiece("structure/roles", "[]\n")), want: archive.ErrDamaged, says: "structure/roles"},
		"within a line":      {b: of(`"roles":1`, plainPiece("structure/roles", "{}")), want: archive.ErrDamaged, says: "within a line"},
		"message in a line":  {b: of(`"messages":1`, plainPiece("messages/20", `{"id":"1"}`)), want: archive.ErrDamaged, says: "within a line"},
		"a message is none":  {b: of(`"messages":1`, message(`{"id":"../1"}`)), want: archive.ErrDamaged, says: "the id"},
		"oldest first":       {b: of(`"messages":2`, message(`{"id":"1"}`), message(`{"id":"2"}`)), want: archive.ErrDamaged, says: "comes after", only: "Verify"},
		"message twice":      {b: of(`"messages":2`, message(`{"id":"1"}`), message(`{"id":"1"}`)), want: archive.ErrDamaged, says: "comes after", only: "Verify"},
		"a long line":        {b: of(`"messages":1`, zstdPiece(t, "messages/20", []byte(`{"id":"1","content":"`+strings.Repeat("x", 512<<10)+"\"}\n"), 1<<20)), want: archive.ErrLimit, says: "value of"},
		"deep":               {b: of(`"messages":1`, message(`{"id":"1","embeds":`+strings.Repeat("[", 65)+strings.Repeat("]", 65)+"}")), want: archive.ErrLimit, says: "deeper"},
		"deep structure":     {b: of(`"automod":1`, plainPiece("structure/automod", `{"id":"1","trigger_metadata":`+strings.Repeat(`{"a":`, 65)+"1"+strings.Repeat("}", 66)+"\n")), want: archive.ErrLimit, says: "deeper"},
		"counts less":        {b: of(`"messages":2`, message(`{"id":"1"}`)), want: archive.ErrDamaged, says: "2 messages", only: "Verify"},
		"counts nothing":     {b: of(`"sounds":2`), want: archive.ErrDamaged, says: `2 "sounds"`, only: "Verify"},
		"forwarded file":     {b: of(`"messages":1`, message(`{"id":"1","message_snapshots":[{"message":{"attachments":[{"file":"`+strings.Repeat("ab", 32)+`"}]}}]}`)), want: archive.ErrDamaged, says: "in it", only: "Verify"},
		"a file is missing":  {b: of(`"messages":1`, message(`{"id":"1","attachments":[{"file":"`+strings.Repeat("ab", 32)+`"}]}`)), want: archive.ErrDamaged, says: "in it", only: "Verify"},
		"an icon is missing": {b: of(``, plainPiece("structure/guild", `{"icon":"`+strings.Repeat("ab", 32)+`"}`+"\n")), want: archive.ErrDamaged, says: "in it", only: "Verify"},
		"a file is a path":   {b: of(`"messages":1`, message(`{"id":"1","attachments":[{"file":"../../etc/passwd"}]}`)), want: archive.ErrDamaged, says: "no key", only: "Verify"},
		"long names":         {b: of(`"messages":1`, longNames(t)...), want: archive.ErrDamaged, says: "no key", only: "Verify"},
		"icon is no key":     {b: of(``, plainPiece("structure/guild", `{"icon":"x"}`+"\n")), want: archive.ErrDamaged, says: "no key", only: "Verify"},
	}
}

// longNames are messages that each name another file, by 400 KiB that compress well.
func longNames(t *testing.T) (all []piece) {
	for i := range 500 {
		id := model.ID("9999")[:3] + model.ID(rune('0'+i%10))
		all = append(all, zstdPiece(t, "messages/2"+string(id), []byte(`{"id":"1","attachments":[{"file":"`+strings.Repeat(string(rune('a'+i%26)), 400<<10+i)+"\"}]}\n"), 1<<20))
	}
	return all
}

func hostileEncryption(t *testing.T) map[string]hostile {
	whole := forge(forgery{pieces: everyKind()})
	good := sealed(t, whole)
	x, err := age.GenerateX25519Identity()
	check(t, err)
	costly, err := age.NewScryptRecipient(hunter)
	check(t, err)
	costly.SetWorkFactor(16)
	dear := bytes.Replace(encrypted(t, nil, costly), []byte(" 16\n"), []byte(" 40\n"), 1)
	header := bytes.Index(good, []byte("\n--- ")) + 5 + 43 + 1
	other := sealed(t, forge(forgery{pieces: everyKind()[3:]}))
	return map[string]hostile{
		"wrong password":     {b: good, o: archive.Options{Password: secret.New("hunter3")}, want: archive.ErrPassword},
		"no password":        {b: good, want: archive.ErrNeedsPass, says: "give its password"},
		"not encrypted":      {b: whole, o: withHunter(), want: archive.ErrNotEncrypted, says: "leave the password out"},
		"costly":             {b: dear, o: archive.Options{Password: secret.New(hunter)}, want: archive.ErrLimit, says: "2^40 KiB"},
		"cost is no number":  {b: bytes.Replace(good, []byte(" 1\n"), []byte(" x\n"), 1), o: withHunter(), want: archive.ErrDamaged, says: "no number"},
		"for a key":          {b: encrypted(t, whole, x.Recipient()), o: withHunter(), want: archive.ErrNotBackup, says: "not with a password"},
		"endless header":     {b: []byte("age-encryption.org/v1\n-> scrypt " + strings.Repeat("A", 20<<20)), o: withHunter(), want: archive.ErrDamaged, says: "encryption is not whole"},
		"exchanged contents": {b: slices.Concat(good[:header], other[header:]), o: withHunter(), want: archive.ErrDamaged},
		"cut":                {b: good[:len(good)-20], o: withHunter(), want: archive.ErrDamaged},
		"only a header":      {b: good[:header], o: withHunter(), want: archive.ErrDamaged},
		"nothing inside":     {b: sealed(t, nil), o: withHunter(), want: archive.ErrNotBackup},
		"other inside":       {b: sealed(t, []byte("{\"a\": \"text of forty bytes and some more\"}")), o: withHunter(), want: archive.ErrNotBackup},
		"two layers":         {b: sealed(t, good), o: withHunter(), want: archive.ErrNotBackup},
	}
}

// TestSwappedPiecesOfEncryption exchanges the 64 KiB pieces of two archives with the same password, and within one.
func TestSwappedPiecesOfEncryption(t *testing.T) {
	of := func(seed string) []byte {
		return sealed(t, forge(forgery{pieces: []piece{filePiece(seed + string(noise(200<<10))), manifestOf(`"files":1`)}}))
	}
	a, b := of("a"), of("b")
	const step = 64<<10 + 16
	start := bytes.Index(a, []byte("\n--- ")) + 5 + 43 + 1 + 16
	_, err := archive.Verify(bytes.NewReader(a), withHunter())
	check(t, err)
	check(t, openAll(a, withHunter()))
	for name, broken := range map[string][]byte{
		"another's piece": slices.Concat(a[:start+step], b[start+step:start+2*step], a[start+2*step:]),
		"exchanged":       slices.Concat(a[:start], a[start+step:start+2*step], a[start:start+step], a[start+2*step:]),
		"left out":        slices.Concat(a[:start+step], a[start+2*step:]),
	} {
		if _, err := archive.Verify(bytes.NewReader(broken), withHunter()); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "another copy") {
			t.Errorf("%s: %v", name, err)
		}
		if err := openAll(broken, withHunter()); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s, read at random: %v", name, err)
		}
		if a, err := archive.Open(bytes.NewReader(broken), int64(len(broken)), withHunter()); err == nil {
			if _, err := a.Verify(); !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("%s, opened and verified: %v", name, err)
			}
		}
	}
}

// TestSourceFails: a source that breaks is not the archive's fault, in whatever way it is read.
func TestSourceFails(t *testing.T) {
	reset := errors.New("connection reset")
	// A large file keeps the structure and the end in different pieces of the encryption, of which the last stays in memory.
	all := everyKind()
	plain := forge(forgery{pieces: slices.Concat(all[:20], []piece{filePiece(string(noise(300 << 10)))}, all[20:])})
	for name, o := range map[string]archive.Options{"plain": {}, "encrypted": withHunter()} {
		whole := plain
		if name == "encrypted" {
			whole = sealed(t, plain)
		}
		for _, at := range []int{0, 10, 100, len(whole) / 2, len(whole) - 1, len(whole)} {
			_, err := archive.Verify(io.MultiReader(bytes.NewReader(whole[:at]), broken{reset}), o)
			if !errors.Is(err, reset) || ours(err) {
				t.Errorf("%s, after %d bytes: %v", name, at, err)
			}
			if _, err := archive.Spool(io.MultiReader(bytes.NewReader(whole[:at]), broken{reset}), o); !errors.Is(err, reset) {
				t.Errorf("%s, spooled %d bytes: %v", name, at, err)
			}
		}
		r := &failsLater{Reader: bytes.NewReader(whole)}
		a, err := archive.Open(r, int64(len(whole)), o)
		check(t, err)
		r.err = reset
		if _, err := a.Verify(); !errors.Is(err, reset) || ours(err) {
			t.Errorf("%s, verified once it was open: %v", name, err)
		}
		if _, err := a.Snapshot(); !errors.Is(err, reset) || ours(err) {
			t.Errorf("%s, read once it was open: %v", name, err)
		}
	}
}

type failsLater struct {
	*bytes.Reader
	err error
}

func (f *failsLater) ReadAt(b []byte, at int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.Reader.ReadAt(b, at)
}

// TestHostileParts: a part is joined as it was written or not at all.
func TestHostileParts(t *testing.T) {
	x, err := archive.NewPartKey(secret.New(hunter))
	check(t, err)
	part := func(p ...piece) []byte { return forge(forgery{kind: 1, pieces: p}) }
	for name, c := range map[string]struct {
		b    []byte
		key  archive.PartKey
		want error
		says string
	}{
		"a structure":   {part(plainPiece("structure/roles", "{}\n")), archive.PartKey{}, nil, "has a structure"},
		"a manifest":    {part(manifestOf("")), archive.PartKey{}, nil, "has a manifest"},
		"not a part":    {forge(forgery{pieces: []piece{manifestOf("")}}), archive.PartKey{}, archive.ErrNotBackup, "whole one"},
		"not encrypted": {part(), x, archive.ErrNotEncrypted, ""},
		"encrypted":     {sealed(t, part()), archive.PartKey{}, archive.ErrNeedsPass, ""},
		"cut":           {part(filePiece("a"))[:80], archive.PartKey{}, archive.ErrDamaged, "too early"},
		"another key":   {sealed(t, part()), x, archive.ErrPassword, ""},
	} {
		w, err := archive.NewWriter(io.Discard, archive.Options{})
		check(t, err)
		err = w.Append(bytes.NewReader(c.b), c.key)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v … %s", name, err, c.want, c.says)
		}
		if again := w.Finish(model.Manifest{}); again == nil {
			t.Errorf("%s: and yet an archive was made of it", name)
		}
	}
}
