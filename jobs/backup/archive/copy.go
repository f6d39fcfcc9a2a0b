package archive

import (
	"errors"

	"splashtail/jobs/backup/model"
)

// Copy writes everything of an archive into another one, which must be empty, and ends it: with another password, or in
// the newest format. An archive that is not whole is not copied: the copy would say that it is.
func Copy(w *Writer, a *Archive) error {
	m, err := a.Manifest()
	if err != nil {
		return err
	}
	snap, err := a.Snapshot()
	if err != nil {
		return err
	}
	if err := a.holds(FilesOf(&snap)...); err != nil {
		return err
	}
	if err := w.Structure(snap); err != nil {
		return err
	}
	for _, key := range a.Files() {
		if err := copyFile(w, a, key); err != nil {
			return err
		}
	}
	for _, id := range a.Channels() {
		if err := copyMessages(w, a, id); err != nil {
			return err
		}
	}
	counts := w.Counts()
	delete(counts, "sections")
	if err := compareCounts(m.Counts, counts); err != nil {
		return err
	}
	return w.Finish(m)
}

func copyFile(w *Writer, a *Archive, key model.FileKey) error {
	f, _, err := a.File(key)
	if err != nil {
		return err
	}
	defer f.Close() // of a reader: nothing can be lost
	_, _, err = w.File(f, 0)
	if source := (*SourceError)(nil); errors.As(err, &source) {
		return source.Err // the archive's own words
	}
	return err
}

func copyMessages(w *Writer, a *Archive, id model.ID) error {
	for m, err := range a.NewestFirst(id) {
		if err != nil {
			return err
		}
		for f := range m.Files() {
			if err := a.holds(f.File); err != nil {
				return err
			}
		}
		if err := w.Message(id, m); errors.Is(err, ErrInvalid) {
			return damaged("%v", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// holds says which of the files that are named the archive has not; "" names none.
func (a *Archive) holds(keys ...model.FileKey) error {
	for _, key := range keys {
		if key != "" && !a.Has(key) {
			return damaged("the file %.80q that it names is not in it", key)
		}
	}
	return nil
}
