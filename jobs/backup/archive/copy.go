package archive

// Copy writes everything of an archive into another one and ends it: with another password, or in the newest format.
func Copy(w *Writer, a *Archive) error {
	m, err := a.Manifest()
	if err != nil {
		return err
	}
	snap, err := a.Snapshot()
	if err != nil {
		return err
	}
	if err := w.Structure(snap); err != nil {
		return err
	}
	for _, key := range a.Files() {
		f, _, err := a.File(key)
		if err == nil {
			_, _, err = w.File(f, 0)
			_ = f.Close() // of a reader: nothing can be lost
		}
		if err != nil {
			return err
		}
	}
	for _, id := range a.Channels() {
		for m, err := range a.NewestFirst(id) {
			if err == nil {
				err = w.Message(id, m)
			}
			if err != nil {
				return err
			}
		}
	}
	return w.Finish(m)
}
