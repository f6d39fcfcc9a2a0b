package main

import (
	"context"
	"errors"
	"time"
)

// errInterrupted ends a command that a signal came to before it was done.
var errInterrupted = errors.New("interrupted before it was done")

// tidyBound is how long a command may tidy up after a signal. It may hang in what no context ends, such as a pipe that
// nobody writes to.
const tidyBound = 5 * time.Second

// interruptible runs do until it is done or a signal comes. Then its context ends, and so does the command: when do has
// tidied up, after tidyBound, or at a second signal.
func (c *call) interruptible(do func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-c.signals:
	}
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			return nil // it was done all the same
		}
	case <-c.signals:
	case <-time.After(tidyBound):
	}
	return errInterrupted
}
