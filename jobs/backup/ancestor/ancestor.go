// Package ancestor reads backups that the ancestor of this product made (protocol frostpaw-rev6, files named .iblfile), plain
// and encrypted, and writes them into an archive of ours. What comes in is a file from a stranger: nothing of it is
// trusted, every size is bounded, no picture is decoded.
//
// Its format is a tar whose entries are sections: JSON and texts that say how it was made, MessagePack with Discord's own
// objects, and bytes. With a password each section but the first few is AES-256-GCM under SHA-256 of the password. Nothing
// binds a section to its name there, so that such a file says nothing about whether it was changed by who knows the password.
//
// Read first: Open, then convert.go. pack.go reads MessagePack, shapes.go names what is in it.
package ancestor

import (
	"archive/tar"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// Bounds of what is read.
const (
	maxSections = 20_000
	maxNames    = 4 << 20   // bytes of the list of encrypted sections
	maxObjects  = 16 << 20  // bytes of a section that is decoded
	maxBytes    = 64 << 20  // bytes of one attachment
	maxTar      = 512 << 20 // bytes of the file
	maxTotal    = 2 << 30   // bytes of all attachments together, unpacked
	maxName     = 200       // bytes of a section's name
)

// What the ancestor wrote to say what a file is.
const (
	protocol   = "frostpaw-rev6"
	fileType   = "backup.server"
	version    = "a1"
	laterMagic = "iblaef"
)

// File is an opened backup of the ancestor.
type File struct {
	in        io.ReaderAt
	sections  map[string]span
	names     []string // of sections, in the order of the file
	encrypted map[string]bool
	key       cipher.AEAD
	meta      meta
	kept      map[model.ID]unpacked // attachments: messages may share them
	total     int64                 // bytes of them
}

type span struct{ at, size int64 }

type meta struct {
	Created  time.Time `json:"c"`
	Protocol string    `json:"p"`
	Version  string    `json:"v"`
	Type     string    `json:"t"`
}

// Looks tells from the first bytes of a file, 512 or all of them, whether it may be one that Open reads or names.
func Looks(start []byte) bool {
	return bytes.HasPrefix(start, []byte(laterMagic)) || len(start) >= 262 && string(start[257:262]) == "ustar"
}

// Open reads how a backup of size bytes was made. Errors wrap those of package archive.
func Open(in io.ReaderAt, size int64, o archive.Options) (*File, error) {
	start := make([]byte, len(laterMagic))
	if _, err := in.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the backup: %w", err)
	}
	if string(start) == laterMagic {
		return nil, fmt.Errorf("%w: it is of the ancestor's later format (iblaef), which this program does not read; make a new backup", archive.ErrNotBackup)
	}
	if size > maxTar {
		return nil, beyond("it has %d bytes, the limit for its format is %d", size, int64(maxTar))
	}
	f := &File{in: in, sections: map[string]span{}, encrypted: map[string]bool{}, kept: map[model.ID]unpacked{}}
	if err := f.list(size); err != nil {
		return nil, err
	}
	if err := f.checkMeta(); err != nil {
		return nil, err
	}
	return f, f.unlock(o)
}

// list finds where each section is. A later one of the same name wins.
func (f *File) list(size int64) error {
	src := io.NewSectionReader(f.in, 0, size)
	t := tar.NewReader(src)
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged("its list of sections is not whole (%v)", err)
		}
		at, err := src.Seek(0, io.SeekCurrent)
		switch {
		case err != nil:
			return fmt.Errorf("read the backup: %w", err)
		case n >= maxSections:
			return beyond("it has more than %d sections", maxSections)
		case len(h.Name) > maxName:
			return damaged("a section has a name of %d bytes", len(h.Name))
		case h.Typeflag != tar.TypeReg || len(h.PAXRecords) > 0:
			return damaged("section %.60q is no plain file", h.Name)
		case h.Size < 0 || h.Size > size-at:
			return damaged("section %.60q ends after the file", h.Name)
		}
		if _, ok := f.sections[h.Name]; !ok {
			f.names = append(f.names, h.Name)
		}
		f.sections[h.Name] = span{at, h.Size}
	}
}

func (f *File) checkMeta() error {
	b, err := f.stored("meta", 64<<10)
	if err != nil {
		return fmt.Errorf("%w: its section meta cannot be read (%w)", archive.ErrNotBackup, err)
	}
	if err := json.Unmarshal(b, &f.meta); err != nil {
		return damaged("its section meta is no JSON (%v)", err)
	}
	if f.meta.Protocol != protocol || f.meta.Type != fileType || f.meta.Version != version {
		return fmt.Errorf("%w: it says protocol %.30q, type %.30q, version %.10q; what is read is %s, %s, %s", archive.ErrNotBackup,
			f.meta.Protocol, f.meta.Type, f.meta.Version, protocol, fileType, version)
	}
	return nil
}

// unlock makes the key when the file is encrypted and tries it.
func (f *File) unlock(o archive.Options) error {
	how, err := f.stored("sec/sourceType", 64)
	if err != nil {
		return damaged("it does not say whether it is encrypted")
	}
	switch string(how) {
	case "noencryption":
		if !o.Password.IsZero() {
			return fmt.Errorf("%w: leave the password out if you trust where the file comes from", archive.ErrNotEncrypted)
		}
		return nil
	case "aes256":
	default:
		return damaged("it is encrypted in an unknown way, %.30q", how)
	}
	if o.Password.IsZero() {
		return archive.ErrNeedsPass
	}
	if err := f.readKeyMethod(); err != nil {
		return err
	}
	list, err := f.stored("sec/encSections", maxNames)
	if err != nil {
		return damaged("it does not list what is encrypted")
	}
	var names []string
	if err := json.Unmarshal(list, &names); err != nil {
		return damaged("its list of what is encrypted is no JSON (%v)", err)
	}
	for _, name := range names {
		f.encrypted[name] = true
	}
	sum := sha256.Sum256([]byte(o.Password.Reveal()))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return err
	}
	if f.key, err = cipher.NewGCM(block); err != nil {
		return err
	}
	_, err = f.read("core/guild", maxObjects)
	return err
}

// readKeyMethod wants the only method there was. Its writer and its reader spelt the section's name differently, so both
// names are known.
func (f *File) readKeyMethod() error {
	for _, name := range []string{"sec/encKeyHashMethod", "sec/encKeyhashMethod"} {
		if how, err := f.stored(name, 16); err == nil {
			if string(bytes.TrimSpace(how)) != "0" {
				return damaged("its password is used in an unknown way, %.16q", how)
			}
			return nil
		}
	}
	return damaged("it does not say how its password is used")
}

var errNoSection = errors.New("there is no such section")

// stored gives the bytes of a section as they are in the file.
func (f *File) stored(name string, most int64) ([]byte, error) {
	s, ok := f.sections[name]
	if !ok {
		return nil, fmt.Errorf("%.60q: %w", name, errNoSection)
	}
	if s.size > most {
		return nil, beyond("section %.60q has %d bytes, the limit is %d", name, s.size, most)
	}
	b := make([]byte, s.size)
	if _, err := io.ReadFull(io.NewSectionReader(f.in, s.at, s.size), b); err != nil {
		return nil, fmt.Errorf("read section %.60q: %w", name, err)
	}
	return b, nil
}

// read gives the bytes of a section, decrypted.
func (f *File) read(name string, most int64) ([]byte, error) {
	b, err := f.stored(name, most)
	if err != nil || f.key == nil {
		return b, err
	}
	// A section that the list leaves out would be read without the password vouching for it.
	if !f.encrypted[name] {
		return nil, damaged("section %.60q is not encrypted, though the others are", name)
	}
	n := f.key.NonceSize()
	if len(b) < n {
		return nil, damaged("section %.60q ends too early", name)
	}
	plain, err := f.key.Open(b[n:n], b[:n], b[n:], nil)
	if err != nil && name == "core/guild" {
		return nil, fmt.Errorf("%w, or section %.60q is damaged; give the right one, or use another copy of the file", archive.ErrPassword, name)
	} else if err != nil {
		return nil, damaged("section %.60q is not what was written", name)
	}
	return plain, nil
}

// below lists the sections whose names begin with prefix, without it, sorted.
func (f *File) below(prefix string) []string {
	var all []string
	for _, name := range f.names {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			all = append(all, rest)
		}
	}
	slices.Sort(all)
	return all
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; use another copy of the file", archive.ErrDamaged, fmt.Sprintf(format, args...))
}

func beyond(format string, args ...any) error {
	return fmt.Errorf("%w: %s; use another copy of the file", archive.ErrLimit, fmt.Sprintf(format, args...))
}
