package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"splashtail/jobs/backup/model"
)

// memoryFile is the size up to which a file waits in memory for its section; a larger one waits in a temporary file.
const memoryFile = 1 << 20

// SourceError says that the bytes of a file could not be read to their end. The archive is as it was before.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return "the file could not be read: " + e.Err.Error() }
func (e *SourceError) Unwrap() error { return e.Err }

// File adds the bytes of r, unless the archive has them already, and gives their key and how many they are. Nothing is
// written before r has ended, so that a source that breaks (SourceError) or is longer than most bytes (an error that wraps
// ErrLimit; 0: as long as the limits allow) leaves the archive as it was.
func (w *Writer) File(r io.Reader, most int64) (model.FileKey, int64, error) {
	if w.err != nil {
		return "", 0, w.err
	}
	if most <= 0 || most > w.l.File {
		most = w.l.File
	}
	h := sha256.New()
	src := &counting{r: io.TeeReader(io.LimitReader(r, most+1), h)}
	head, err := io.ReadAll(io.LimitReader(src, memoryFile+1))
	if err != nil {
		return "", src.n, &SourceError{err}
	}
	// Before anything is packed: lines that wait are packed through the same buffer.
	if err := w.flush(); err != nil {
		return "", src.n, err
	}
	if len(head) <= memoryFile {
		if int64(len(head)) > most {
			return "", src.n, beyond("a file has more than %d bytes", most)
		}
		key := fileKey(h.Sum(nil))
		e, stored := w.pack(filesName+string(key), head)
		return w.keep(key, e, bytes.NewReader(stored))
	}
	spooled, err := w.spool(io.MultiReader(bytes.NewReader(head), src))
	if err != nil {
		return "", src.n, err
	}
	defer spooled.drop()
	if src.n > most {
		return "", src.n, beyond("a file has more than %d bytes", most)
	}
	key := fileKey(h.Sum(nil))
	e := entry{codec: zstdCodec, name: filesName + string(key), stored: spooled.size, raw: src.n}
	var body io.Reader = spooled
	if e.stored >= e.raw || e.raw/e.stored >= w.l.Ratio/2 {
		dec, err := newDecoder(spooled)
		if err != nil {
			return "", src.n, err
		}
		defer dec.Close()
		e.codec, e.stored, body = storedCodec, e.raw, dec
	}
	return w.keep(key, e, body)
}

// keep writes a file's section unless there is one.
func (w *Writer) keep(key model.FileKey, e entry, body io.Reader) (model.FileKey, int64, error) {
	if w.files[key] {
		return key, e.raw, nil
	}
	if err := w.put(e, body); err != nil {
		return "", e.raw, err
	}
	return key, e.raw, nil
}

func fileKey(sum []byte) model.FileKey { return model.FileKey(hex.EncodeToString(sum)) }

func validKey(k model.FileKey) bool {
	b, err := hex.DecodeString(string(k))
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == string(k)
}

// spooled is a temporary file that nobody else can open by name.
type spooled struct {
	*os.File
	size int64
}

func newSpooled(dir string) (*spooled, error) {
	f, err := os.CreateTemp(dir, "splashtail-backup-*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	_ = os.Remove(f.Name()) // where that is refused, drop does it
	return &spooled{File: f}, nil
}

func (s *spooled) drop() {
	_ = s.Close()
	_ = os.Remove(s.Name())
}

// spool compresses r into a temporary file and stands at its begin.
func (w *Writer) spool(r io.Reader) (*spooled, error) {
	s, err := newSpooled(w.o.TempDir)
	if err != nil {
		return nil, err
	}
	src := &failing{r: r}
	w.enc.Reset(s)
	_, err = io.Copy(w.enc, src)
	err = errors.Join(err, w.enc.Close())
	if err == nil {
		s.size, err = s.Seek(0, io.SeekCurrent)
	}
	if err == nil {
		_, err = s.Seek(0, io.SeekStart)
	}
	if err != nil {
		s.drop()
		if src.err != nil {
			return nil, &SourceError{src.err}
		}
		return nil, fmt.Errorf("keep a file for a moment: %w", err)
	}
	return s, nil
}

// counting counts what is read.
type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// failing remembers the error of the reader below, to tell it from errors of what stands above it.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
