package create

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
)

// lender counts the files that are open.
type lender struct {
	*fakeRun
	open, most atomic.Int64
}

func (l *lender) Open(ctx context.Context, job, name string) (io.ReadCloser, error) {
	f, err := l.fakeRun.Open(ctx, job, name)
	if err != nil {
		return nil, err
	}
	if n := l.open.Add(1); n > l.most.Load() {
		l.most.Store(n)
	}
	return lent{f, &l.open}, nil
}

type lent struct {
	io.ReadCloser
	open *atomic.Int64
}

func (f lent) Close() error {
	f.open.Add(-1)
	return f.ReadCloser.Close()
}

// TestPartsAreReadInTheirOrder: however many are open at a time, each once, and none is left open when one fails or all is cancelled.
func TestPartsAreReadInTheirOrder(t *testing.T) {
	t.Parallel()
	fault := errors.New("the disk is full")
	for name, c := range map[string]struct {
		missing, failing int // parts, from 0; -1: none
		cancel           bool
		want             error
	}{
		"all are there":  {-1, -1, false, nil},
		"one is missing": {40, -1, false, nil},
		"one fails":      {-1, 40, false, fault},
		"cancelled":      {-1, 40, true, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &lender{fakeRun: newRun(t, 1)}
			var names []string
			for i := range 100 {
				names = append(names, fmt.Sprint("part-", i))
				if i != c.missing {
					l.files[names[i]] = []byte(names[i])
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var read []string
			err := (&taking{r: l}).eachPart(ctx, names, func(i int, part io.Reader) error {
				data, err := io.ReadAll(part)
				if read = append(read, string(data)); i == c.failing && !c.cancel {
					return fault
				} else if i == c.failing {
					cancel()
				}
				return err
			})
			whole := c.missing < 0 && c.failing < 0
			if (err == nil) != whole || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("have %v, want %v", err, c.want)
			}
			if !slices.Equal(read, names[:len(read)]) || whole != (len(read) == len(names)) || len(read) < 40 {
				t.Errorf("read %q", read)
			}
			if n := l.open.Load(); n != 0 {
				t.Errorf("%d parts are still open", n)
			}
			if n := l.most.Load(); n > openAhead+3 {
				t.Errorf("%d parts were open at a time", n)
			}
		})
	}
}
