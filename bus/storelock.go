//go:build unix

package bus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// storeLock is the sole right to a store directory. The server itself takes none,
// and two of them on one directory destroy each other's files.
type storeLock struct {
	file  *os.File
	clean string // path of the mark that says that the last stop was clean
	// Unclean tells that the last process that held the directory did not get to
	// its clean end.
	Unclean bool
}

// lockStore creates the directory if needed and locks it until release.
func lockStore(dir string) (*storeLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the store directory cannot be made; nothing was started: %w; let NATS_STORE_DIR name a directory that this user may write", err)
	}
	path := filepath.Join(dir, "splashtail.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the store directory cannot be written; nothing was started: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		f.Close()
		return nil, Errorf(CodeConflict, "store_locked",
			"the store directory %s is in use by another splashtail (process %s); nothing was started; stop that one, let this one join it with NATS_URL, or give this one another NATS_STORE_DIR",
			dir, strings.TrimSpace(string(holder)))
	}
	l := &storeLock{file: f, clean: filepath.Join(dir, "splashtail.clean")}
	l.Unclean, err = l.takeMark(dir)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the store directory cannot be written; nothing was started: %w", err)
	}
	return l, nil
}

// takeMark removes the mark of a clean stop and says whether one was missing. A
// directory that never held a store counts as clean.
func (l *storeLock) takeMark(dir string) (unclean bool, err error) {
	err = os.Remove(l.clean)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	_, err = os.Stat(filepath.Join(dir, "jetstream"))
	return err == nil, nil
}

// release marks the stop as clean and gives the directory up. To be called after
// the server has shut down.
func (l *storeLock) release() error {
	err := os.WriteFile(l.clean, nil, 0o600)
	return errors.Join(err, l.file.Close())
}
