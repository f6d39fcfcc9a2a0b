package create

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// nothingAsked keeps what files are called, for who asked for messages only.
func nothingAsked(_ *wireMessage, m *model.Message) error {
	for a := range m.Files() {
		a.Skipped = "files were not asked for"
	}
	return nil
}

// attachments fetches the files of the messages of one chunk, within what it was granted.
type attachments struct {
	k     *taking
	ctx   context.Context
	place model.ID
	chunk *chunk
	left  int64    // bytes
	again model.ID // the message that was read again last, for addresses
}

// of gives what write asks for.
func (f *attachments) of(w *archive.Writer) func(*wireMessage, *model.Message) error {
	return func(from *wireMessage, m *model.Message) (err error) {
		at, i := slices.Collect(from.files()), 0
		for a := range m.Files() {
			if a.Skipped, err = f.one(w, from, at[i], a); err != nil {
				return err
			}
			if i++; a.Skipped == "" {
				f.chunk.Files++
			} else {
				f.chunk.miss(fmt.Sprintf("the file %.100s of the message %s", a.Name, m.ID), a.ID, a.Skipped)
			}
		}
		return nil
	}
}

// one fetches one file; why says what went wrong with it.
func (f *attachments) one(w *archive.Writer, m *wireMessage, at *wireAttachment, a *model.Attachment) (why string, err error) {
	switch {
	case a.Size > f.k.lim.Attachment:
		return fmt.Sprintf("it is larger than the %d bytes that a file may have here", f.k.lim.Attachment), nil
	case a.Size < 0 || a.Size > f.left:
		return fmt.Sprintf("the %d bytes that all files of a backup may have here are used up", f.k.lim.Attachments), nil
	}
	s := source{address: at.URL, declared: a.ContentType, most: a.Size}
	s.renew = func() (string, string, error) { return f.renew(m, at) }
	if expired(s.address, f.k.t.Now()) {
		if s.address, why, err = s.renew(); err != nil || why != "" {
			return why, err
		}
	}
	f.left -= a.Size
	return f.k.files.get(f.ctx, s, func(r io.Reader) error {
		var err error
		a.File, a.Size, err = w.File(r, max(s.most, 1))
		return err
	})
}

// renew gives the address that a file has now. Discord's addresses are good for a day; the message, read again, has new ones
// for all of its files. why says that there is none.
func (f *attachments) renew(m *wireMessage, at *wireAttachment) (address, why string, err error) {
	if f.again == m.ID {
		if at.URL == "" {
			return "", "its message is there, but it was taken out of it", nil
		}
		return at.URL, "", nil
	}
	f.again = m.ID
	var now wireMessage
	err = call(f.ctx, func(ctx context.Context) error {
		return f.k.t.Bot.ReadMessage(ctx, string(f.place), string(m.ID), &now)
	})
	if why, ok := refusal(err); ok {
		f.again = "" // the next file has the same reason
		return "", "its message cannot be read again: " + why, nil
	}
	if err != nil {
		return "", "", err
	}
	for old := range m.files() {
		old.URL = now.addressOf(old.ID)
	}
	return f.renew(m, at)
}

// addressOf is where the file with an id is; empty when the message has no such file.
func (w *wireMessage) addressOf(id model.ID) string {
	for a := range w.files() {
		if a.ID == id {
			return a.URL
		}
	}
	return ""
}

// expired says whether a signed address is not good any more, or soon.
func expired(address string, now time.Time) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	until, err := strconv.ParseInt(u.Query().Get("ex"), 16, 64)
	return err == nil && now.Add(time.Minute).Unix() >= until
}
