package create

import (
	"context"
	"fmt"
	"io"
)

// openAhead is how many parts are opened before they are read: a store needs some milliseconds to open one, and a large backup has a
// thousand.
const openAhead = 8

// openPart is a part that is open, or why it is not.
type openPart struct {
	io.ReadCloser
	err error
}

// eachPart hands the parts over, open and in their order; use reads one whole. It closes them.
func (k *taking) eachPart(ctx context.Context, names []string, use func(i int, part io.Reader) error) error {
	coming := make(chan chan openPart, openAhead)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(coming)
		for _, name := range names {
			one := make(chan openPart, 1)
			select {
			case coming <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				f, err := k.r.Open(ctx, k.r.Job().ID, k.name(name))
				one <- openPart{f, err}
			}()
		}
	}()
	var err error
	i := 0
	for one := range coming {
		part := <-one
		switch {
		case err != nil: // only to be closed
		case part.err != nil:
			err = fmt.Errorf("a part of the backup cannot be opened: %w", part.err)
		default:
			err = use(i, part)
		}
		if part.err == nil {
			part.Close()
		}
		if err != nil {
			stop()
		}
		i++
	}
	if err == nil && i < len(names) {
		err = context.Cause(ctx)
	}
	return err
}
