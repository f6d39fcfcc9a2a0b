package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"filippo.io/age"

	"splashtail/internal/secret"
)

// PartKey is what the parts of one backup are encrypted with; the zero PartKey: with nothing. Stretching a password for
// every part would take longer than reading the channel, so parts have a random key, and the password seals that.
type PartKey struct {
	id     *age.X25519Identity
	sealed string
}

// NewPartKey makes a key and seals it with the password. Without a password it gives the zero PartKey.
func NewPartKey(password secret.Value) (PartKey, error) {
	if password.IsZero() {
		return PartKey{}, nil
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return PartKey{}, fmt.Errorf("make a key for the parts: %w", err)
	}
	to, err := age.NewScryptRecipient(password.Reveal())
	if err != nil {
		return PartKey{}, fmt.Errorf("prepare the password: %w", err)
	}
	to.SetWorkFactor(workFactor)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		return PartKey{}, fmt.Errorf("seal the key of the parts: %w", err)
	}
	if _, err := io.WriteString(w, id.String()); err != nil {
		return PartKey{}, fmt.Errorf("seal the key of the parts: %w", err)
	}
	if err := w.Close(); err != nil { // writes the rest
		return PartKey{}, fmt.Errorf("seal the key of the parts: %w", err)
	}
	return PartKey{id, b.String()}, nil
}

// Sealed is the key as it may be noted: only the password opens it. It is no text: note it as bytes.
func (k PartKey) Sealed() []byte { return []byte(k.sealed) }

// String hides the key.
func (k PartKey) String() string { return "(key of parts)" }

// GoString hides the key.
func (k PartKey) GoString() string { return k.String() }

// OpenPartKey gives the key back that Sealed told. An empty one gives the zero PartKey.
func OpenPartKey(sealed []byte, password secret.Value) (PartKey, error) {
	if len(sealed) == 0 {
		return PartKey{}, nil
	}
	k, err := newIntake(bytes.NewReader(sealed), byPassword, Options{Password: password})
	if err != nil {
		return PartKey{}, err
	}
	text, err := io.ReadAll(io.LimitReader(k.in, 1<<10))
	if err != nil {
		return PartKey{}, k.fault(err)
	}
	id, err := age.ParseX25519Identity(string(text))
	if err != nil {
		return PartKey{}, damaged("the sealed key of its parts is no key")
	}
	return PartKey{id, string(sealed)}, nil
}

// NewPart begins a part: what one step of a backup has read, kept until the archive is put together. It is ended with
// Close. Options.Password is not used.
func NewPart(w io.Writer, key PartKey, o Options) (*Writer, error) {
	if key.id == nil {
		return newWriter(w, nil, partKind, o)
	}
	return newWriter(w, key.id.Recipient(), partKind, o)
}

// Close ends a part. What it has written to is not closed.
func (w *Writer) Close() error {
	if w.kind != partKind {
		return errors.New("an archive is ended with Finish, which writes its manifest")
	}
	return w.end()
}

// Append copies everything of a part but files that the archive has already. A part that cannot be read to its end makes
// the archive useless: begin again with whole parts.
func (w *Writer) Append(part io.Reader, key PartKey) error {
	if err := w.flush(); err != nil {
		return err
	}
	r, err := newReader(part, key.identify, partKind, w.o)
	for err == nil {
		var s *Section
		if s, err = r.Next(); err == nil {
			err = w.copySection(s)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if w.err == nil {
		w.err = fmt.Errorf("a part of the backup: %w", err)
	}
	return w.err
}

func (k PartKey) identify(start []byte, _ Options) (age.Identity, error) {
	encrypted := bytes.HasPrefix(start, []byte(ageStart))
	switch {
	case encrypted && k.id == nil:
		return nil, ErrNeedsPass
	case encrypted:
		return k.id, nil
	case k.id != nil:
		return nil, ErrNotEncrypted
	}
	return nil, nil
}

// copySection takes over what a part has.
func (w *Writer) copySection(s *Section) error {
	if s.body != nil {
		if w.files[s.file()] {
			return nil
		}
		if err := w.put(s.entry, s.body.stored); err != nil {
			return err
		}
		return s.body.passed()
	}
	if s.IsManifest() {
		return errors.New("it has a manifest; that belongs into the archive itself")
	}
	if name, ok := strings.CutPrefix(s.name, structureName); ok {
		return fmt.Errorf("it has a structure (%s); that belongs into the archive itself", name)
	}
	e, stored := w.pack(s.name, s.lines)
	if err := w.put(e, bytes.NewReader(stored)); err != nil {
		return err
	}
	if s.channel() != "" {
		w.counts["messages"] += bytes.Count(s.lines, []byte{'\n'})
	}
	return nil
}

// passed verifies a file whose stored bytes somebody else has read.
func (f *fileReader) passed() error {
	if err := f.skip(); err != nil {
		return err
	}
	f.end = io.EOF
	return nil
}

// failingAt remembers the error of the source below.
type failingAt struct {
	r   io.ReaderAt
	err atomic.Pointer[error]
}

func (f *failingAt) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.r.ReadAt(b, at)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (f *failingAt) failed() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}
