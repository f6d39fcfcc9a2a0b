// Package archive writes and reads backups: one documented, versioned file (docs/backup-format.md) that is written in one
// pass, can be read in one pass or at random, and needs the same little memory whatever its size.
//
// What comes in when writing: a model.Snapshot, messages, the bytes of files, in any order and mixed; parts that were
// written earlier. What goes out: sections, each compressed and with a digest that binds its name, and an index at the end
// that binds their order. With a password all of it goes through age, so that nothing, not even a name or a size, shows.
//
//	w, _ := archive.NewWriter(out, archive.Options{Password: p})
//	w.Structure(snapshot)            // once
//	key, n, err := w.File(body, max) // bytes first: an attachment names its key
//	w.Message(channel, message)      // newest first within a channel
//	w.Finish(manifest)
//
// A job that must survive a crash writes one part per finished channel (NewPart … Close) and joins them with Append.
// Readers: Open for a file (random access), Spool for a stream that needs it, NewReader for one pass, Verify for all.
//
// Read first: Options here, then writer.go and open.go; frame.go is the format, byte by byte.
package archive

import (
	"errors"
	"fmt"

	"splashtail/internal/secret"
)

// FormatVersion is the version of the container. It grows when an older reader would misread a file; model.Version is the
// version of what is inside.
const FormatVersion = 1

// Extension ends the names of archives, encrypted or not.
const Extension = ".splashtail"

// Options are what archives are written and read with.
type Options struct {
	Password secret.Value // none: the archive is not encrypted
	Limits   Limits       // zero fields take DefaultLimits
	TempDir  string       // for files too large for memory; empty: the system's
}

// Limits bound what an archive may hold, when writing and when reading: sizes are bytes before compression.
type Limits struct {
	Sections  int   // in one archive
	Line      int   // one value of JSON: a message, a role
	Depth     int   // of JSON in JSON
	Structure int64 // all that a model.Snapshot is decoded from, since that is held in memory
	File      int64 // one file
	Total     int64 // all sections together
	Ratio     int64 // how many times its stored size a section of more than a MiB may be
	Work      int   // the base 2 logarithm of what scrypt costs when writing, and of the most when reading: a password takes 2^Work KiB of memory
}

// DefaultLimits are the limits for archives from strangers.
func DefaultLimits() Limits {
	return Limits{Sections: 100_000, Line: 512 << 10, Depth: 64, Structure: 16 << 20, File: 512 << 20, Total: 64 << 30, Ratio: 256, Work: workFactor}
}

// workFactor is what passwords are stretched with: 32 MiB and about 0.1 s each time.
const workFactor = 15

// What can be wrong with an archive. Errors of this package wrap one of these when the archive is at fault, and none when
// reading or writing it failed.
var (
	ErrNotBackup    = errors.New("this is not a backup of ours")
	ErrNewer        = errors.New("this backup was made by a newer version")
	ErrPassword     = errors.New("the password is wrong")
	ErrNeedsPass    = errors.New("this backup is encrypted: give its password")
	ErrNotEncrypted = errors.New("this backup is not encrypted, but a password was given")
	ErrDamaged      = errors.New("this backup is damaged")
	ErrLimit        = errors.New("this backup is larger than allowed")
)

// ErrInvalid says that what a Writer was given can be in no archive. The archive is as it was before.
var ErrInvalid = errors.New("no backup can hold this")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; use another copy of the file", ErrDamaged, fmt.Sprintf(format, args...))
}

func beyond(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrLimit, fmt.Sprintf(format, args...))
}

// advised adds what to do about a backup that is read and passes a limit, which none of ours does: once, however many hands
// an error goes through.
func advised(err error) error {
	if !errors.Is(err, ErrLimit) || errors.As(err, new(*tooLarge)) {
		return err
	}
	return &tooLarge{err}
}

type tooLarge struct{ err error }

func (e *tooLarge) Error() string {
	return e.err.Error() + "; none that this program makes is, use another copy of the file"
}
func (e *tooLarge) Unwrap() error { return e.err }

func (o Options) limits() Limits {
	l, d := o.Limits, DefaultLimits()
	orInt(&l.Sections, d.Sections)
	orInt(&l.Line, d.Line)
	orInt(&l.Depth, d.Depth)
	orInt(&l.Work, d.Work)
	orInt(&l.Structure, d.Structure)
	orInt(&l.File, d.File)
	orInt(&l.Total, d.Total)
	orInt(&l.Ratio, d.Ratio)
	return l
}

func orInt[T int | int64](v *T, or T) {
	if *v == 0 {
		*v = or
	}
}
