package archive_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"splashtail/internal/secret"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// TestRandomRoundTrip writes random messages and files, half of them in parts, and reads the same back.
func TestRandomRoundTrip(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := archive.Options{Limits: archive.Limits{Work: 1}}
		if seed%2 == 1 {
			o.Password = secret.New("hunter2")
		}
		key, err := archive.NewPartKey(o.Password)
		check(t, err)
		if key, err = archive.OpenPartKey(key.Sealed(), o.Password); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w, err := archive.NewWriter(&out, o)
		check(t, err)
		want := snapshot("")
		check(t, w.Structure(want))
		files, messages := map[model.FileKey][]byte{}, map[model.ID][]model.Message{}
		for c := range 4 {
			id := model.ID(fmt.Sprint(20 + c))
			if c%2 == 0 {
				fill(t, r, w, id, files, messages)
				continue
			}
			var part bytes.Buffer
			p, err := archive.NewPart(&part, key, o)
			check(t, err)
			fill(t, r, p, id, files, messages)
			check(t, p.Close())
			check(t, w.Append(bytes.NewReader(part.Bytes()), key))
		}
		check(t, w.Finish(model.Manifest{Title: "A guild"}))
		report, err := archive.Verify(bytes.NewReader(out.Bytes()), o)
		check(t, err)
		if report.Counts["files"] != len(files) {
			t.Errorf("seed %d: %d files, want %d", seed, report.Counts["files"], len(files))
		}
		same(t, out.Bytes(), o, want, files, messages)
		var again bytes.Buffer
		a, err := archive.Spool(bytes.NewReader(out.Bytes()), o)
		check(t, err)
		w, err = archive.NewWriter(&again, archive.Options{})
		check(t, err)
		check(t, archive.Copy(w, a))
		check(t, a.Close())
		same(t, again.Bytes(), archive.Options{}, want, files, messages)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill writes random messages with files; some files come twice, some are large, some compress too well.
func fill(t *testing.T, r *rand.Rand, w *archive.Writer, id model.ID, files map[model.FileKey][]byte, messages map[model.ID][]model.Message) {
	t.Helper()
	for i := 300; i > 0; i-- {
		m := model.Message{ID: model.ID(fmt.Sprint(1000 + i)), Content: string(bytes.Repeat([]byte{'a' + byte(r.IntN(26))}, r.IntN(4000)))}
		if r.IntN(20) == 0 {
			body := make([]byte, []int{0, 10, 100_000, 1<<20 + 1, 3 << 20}[r.IntN(5)])
			if r.IntN(2) == 0 {
				for i := range body {
					body[i] = byte(r.Uint32())
				}
			}
			key, n, err := w.File(bytes.NewReader(body), 0)
			check(t, err)
			files[key] = body
			m.Attachments = []model.Attachment{{ID: "1", File: key, Size: n}}
		}
		check(t, w.Message(id, m))
		messages[id] = append(messages[id], m)
	}
}

func same(t *testing.T, b []byte, o archive.Options, want model.Snapshot, files map[model.FileKey][]byte, messages map[model.ID][]model.Message) {
	t.Helper()
	a, err := archive.Open(bytes.NewReader(b), int64(len(b)), o)
	check(t, err)
	if got, err := a.Snapshot(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("snapshot %+v %v, want %+v", got, err, want)
	}
	for id, want := range messages {
		var got []model.Message
		for m, err := range a.Messages(id) {
			check(t, err)
			got = append(got, m)
		}
		slices.Reverse(got)
		if x, y := text(t, got), text(t, want); !bytes.Equal(x, y) {
			t.Errorf("channel %s: other messages came back", id)
		}
	}
	for key, want := range files {
		f, _, err := a.File(key)
		check(t, err)
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
			t.Errorf("file %s of %d bytes: %v", key[:8], len(want), err)
		}
		check(t, f.Close())
	}
}

func text(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	check(t, err)
	return b
}

// TestSwappedSections exchanges two sections of the same size, and one archive's section for another's.
func TestSwappedSections(t *testing.T) {
	write := func(first, second string) []byte {
		var out bytes.Buffer
		w, err := archive.NewWriter(&out, archive.Options{})
		check(t, err)
		for _, body := range []string{first, second} {
			_, _, err = w.File(bytes.NewReader([]byte(body)), 0)
			check(t, err)
		}
		check(t, w.Finish(model.Manifest{}))
		return out.Bytes()
	}
	const head, size = 22, 20 + 70 + 8 + 32 // of the header, and of a section with 8 stored bytes
	b := write("abcdefgh", "12345678")
	swapped := slices.Concat(b[:head], b[head+size:head+2*size], b[head:head+size], b[head+2*size:])
	other := slices.Concat(b[:head], write("ABCDEFGH", "x")[head:head+size], b[head+size:])
	for name, broken := range map[string][]byte{"swapped": swapped, "another's": other, "followed": append(slices.Clone(b), 0)} {
		if _, err := archive.Verify(bytes.NewReader(broken), archive.Options{}); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailedFileLeavesTheArchive(t *testing.T) {
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, archive.Options{})
	check(t, err)
	reset := errors.New("connection reset")
	for _, n := range []int{10, 2 << 20} {
		if _, _, err := w.File(io.MultiReader(bytes.NewReader(make([]byte, n)), broken{reset}), 0); !errors.As(err, new(*archive.SourceError)) || !errors.Is(err, reset) {
			t.Errorf("%d bytes, then a reset: %v", n, err)
		}
		if _, _, err := w.File(bytes.NewReader(make([]byte, n)), int64(n-1)); !errors.Is(err, archive.ErrLimit) {
			t.Errorf("%d bytes of at most %d: %v", n, n-1, err)
		}
	}
	check(t, w.Structure(snapshot("")))
	check(t, w.Finish(model.Manifest{}))
	_, err = archive.Verify(bytes.NewReader(out.Bytes()), archive.Options{})
	check(t, err)
}

// TestLostLinesLoseTheArchive: when messages that were taken find no room, what is written later cannot make up for it.
func TestLostLinesLoseTheArchive(t *testing.T) {
	w, err := archive.NewWriter(io.Discard, archive.Options{Limits: archive.Limits{Total: 3000}})
	check(t, err)
	check(t, w.Message("20", model.Message{ID: "1", Content: string(make([]byte, 300))})) // six bytes of JSON each
	check(t, w.Message("21", model.Message{ID: "1", Content: string(make([]byte, 300))}))
	if err := w.Message("22", model.Message{ID: "1"}); !errors.Is(err, archive.ErrLimit) {
		t.Errorf("the messages of 21 do not fit: %v", err)
	}
	if err := w.Finish(model.Manifest{}); !errors.Is(err, archive.ErrLimit) {
		t.Errorf("an archive that lost messages was finished: %v", err)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
