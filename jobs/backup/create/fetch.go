package create

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"splashtail/internal/discord"
	"splashtail/internal/pause"
	"splashtail/internal/picture"
	"splashtail/jobs/backup/archive"
)

const (
	fetchTries = 3
	fetchPause = 300 * time.Millisecond
	// maxStrikes is after how many failures in a row no more files are asked for: the host is down, and waiting for each file
	// of a large guild would take hours.
	maxStrikes = 30
)

// fetcher downloads files. None of their faults is an error of the backup: each is a sentence for the manifest.
type fetcher struct {
	cdn     *discord.CDN
	strikes atomic.Int32
}

func newFetcher(cdn *discord.CDN) *fetcher { return &fetcher{cdn: cdn} }

// source is where a file is, and what is known of it.
type source struct {
	address  string
	declared string // the Content-Type that it should have; empty: nothing is known
	most     int64  // bytes
	// renew gives another address when the host says that it has no such file, or why there is none. It is asked once; nil: the
	// address does not change.
	renew func() (address, why string, err error)
}

// get hands a file to use, which may be called again with another download. why says what went wrong with the file; err is
// what use, renew or ctx failed with.
func (f *fetcher) get(ctx context.Context, s source, use func(io.Reader) error) (why string, err error) {
	for try := 1; ; try++ {
		if f.strikes.Load() >= maxStrikes {
			return "Discord's file host failed too often in a row; no more files were asked for", nil
		}
		err := f.once(ctx, s, use)
		var fault *discord.CDNError
		switch {
		case err == nil:
			f.strikes.Store(0)
			return "", nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case errors.Is(err, archive.ErrLimit):
			return fmt.Sprintf("it is larger than %d bytes", s.most), nil
		case !errors.As(err, &fault):
			return "", err
		case !fault.Again():
			f.strikes.Store(0)
			if why, err := s.elsewhere(fault); why != "" || err != nil {
				return why, err
			}
			continue
		}
		f.strikes.Add(1)
		if try == fetchTries {
			return fault.Why, nil
		}
		if !pause.For(ctx, fetchPause<<(try-1)) {
			return "", ctx.Err()
		}
	}
}

// elsewhere takes another address of a file that the host does not give out; why says that there is none.
func (s *source) elsewhere(fault *discord.CDNError) (why string, err error) {
	if s.renew == nil || fault.Status != http.StatusNotFound && fault.Status != http.StatusForbidden {
		return fault.Why, nil
	}
	address, why, err := s.renew()
	s.renew = nil
	switch {
	case err != nil:
		return "", err
	case why != "":
		return fault.Why + ", and there is no other address: " + why, nil
	case address == s.address:
		return fault.Why, nil
	}
	s.address = address
	return "", nil
}

func (f *fetcher) once(ctx context.Context, s source, use func(io.Reader) error) error {
	d, err := f.cdn.Open(ctx, s.address, s.most)
	if err != nil {
		return err
	}
	defer d.Close()
	if webPage(d.Type) && !webPage(s.declared) {
		return &discord.CDNError{Reason: discord.CDNRefused, Why: "Discord's file host sent a web page in its place"}
	}
	return use(d)
}

// small gets a small file whole, if its first bytes are those of the kind that it should be.
func (f *fetcher) small(ctx context.Context, address string, most int64, good func([]byte) string) (data []byte, why string, err error) {
	why, err = f.get(ctx, source{address: address, most: most}, func(r io.Reader) error {
		var err error
		data, err = io.ReadAll(r)
		return err
	})
	if why == "" && err == nil {
		why = good(data)
	}
	return data, why, err
}

// webPage says whether a Content-Type is that of a web page, which is what errors come as.
func webPage(kind string) bool { return len(kind) >= 9 && kind[:9] == "text/html" }

// pictured says what is wrong with bytes that should be a picture. Nothing is decoded but its size.
func pictured(data []byte) string {
	w, h, err := picture.Size(data)
	switch {
	case errors.Is(err, picture.ErrNone):
		return "what came is no picture"
	case err != nil:
		return "what came is a damaged picture"
	case picture.TooLarge(w, h):
		return fmt.Sprintf("it says to be %d × %d pixels large, which nobody can show", w, h)
	}
	return ""
}

// sound says what is wrong with bytes that should be a sound.
func sound(data []byte) string {
	for _, begin := range []string{"OggS", "ID3", "\xff\xfb", "\xff\xf3", "\xff\xf2", "RIFF"} {
		if bytes.HasPrefix(data, []byte(begin)) {
			return ""
		}
	}
	return "what came is no sound"
}

// lottie says what is wrong with bytes that should be an animation as JSON.
func lottie(data []byte) string {
	if t := bytes.TrimSpace(data); len(t) == 0 || t[0] != '{' {
		return "what came is no animation"
	}
	return ""
}
