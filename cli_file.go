package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// input is a file that a command reads until its context ends.
type input struct {
	ctx  context.Context
	file *os.File
}

// openInput opens the file of a backup. What is no regular file, such as a pipe, can only be read from its beginning to its
// end; anywhere says that this is not enough.
func openInput(ctx context.Context, path string, anywhere bool) (in input, size int64, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return input{}, 0, fmt.Errorf("there is no file %s; nothing was done", line(path))
	case err != nil:
		return input{}, 0, fmt.Errorf("the backup cannot be read, nothing was done: %w", err)
	case info.IsDir():
		return input{}, 0, fmt.Errorf("%s is a directory, nothing was done; give the file of a backup", line(path))
	case anywhere && !info.Mode().IsRegular():
		return input{}, 0, fmt.Errorf("%s is no regular file and cannot be read at several places, nothing was done; write it to a file first", line(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return input{}, 0, fmt.Errorf("the backup cannot be read, nothing was done: %w", err)
	}
	return input{ctx, f}, info.Size(), nil
}

// Read implements io.Reader.
func (i input) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.file.Read(p)
}

// ReadAt implements io.ReaderAt.
func (i input) ReadAt(p []byte, off int64) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.file.ReadAt(p, off)
}

// Close implements io.Closer.
func (i input) Close() error { return i.file.Close() }

// saveNew writes a file that is not there yet, or nothing. Only its owner may read it.
func saveNew(name string, write func(io.Writer) error) error {
	if _, err := os.Lstat(name); err == nil {
		return existsAlready(name)
	}
	t, err := os.CreateTemp(filepath.Dir(name), ".splashtail-*") // mode 0600
	if err != nil {
		return fmt.Errorf("%s cannot be written, so nothing was: %w", line(name), err)
	}
	defer func() { _ = os.Remove(t.Name()) }() // gone already when it was renamed
	if err := write(t); err != nil {
		_ = t.Close()
		return unwritten(name, err)
	}
	if err := errors.Join(t.Sync(), t.Close()); err != nil {
		return unwritten(name, err)
	}
	return moveNew(t.Name(), name)
}

// moveNew gives a file its name. A link, unlike a rename, refuses when somebody else has made a file of that name in
// between; where there are no links, as on many memory cards and network shares, an empty file takes the name first.
func moveNew(from, to string) error {
	err := os.Link(from, to)
	if err != nil && !errors.Is(err, fs.ErrExist) && noLinks(err) {
		err = claimAndMove(from, to)
	}
	if errors.Is(err, fs.ErrExist) {
		return existsAlready(to)
	}
	return unwritten(to, err)
}

func claimAndMove(from, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_ = f.Close() // it is empty
	if err := os.Rename(from, to); err != nil {
		_ = os.Remove(to)
		return err
	}
	return nil
}

// noLinks tells whether an error is that of a place that has no links.
func noLinks(err error) bool {
	for _, no := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

func existsAlready(name string) error {
	return fmt.Errorf("%s exists; nothing was written: choose another name with -o", line(name))
}

func unwritten(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s was not written: %w", line(name), err)
}
