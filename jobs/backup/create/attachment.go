package create

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// nothingAsked keeps what attachments are called, for who asked for messages only.
func nothingAsked(m *wireMessage) ([]model.Attachment, error) {
	var all []model.Attachment
	for _, w := range m.Attachments {
		a := w.Attachment
		a.File, a.Skipped = "", "files were not asked for"
		all = append(all, a)
	}
	return all, nil
}

// attachments fetches the files of the messages of one chunk, within what it was granted.
type attachments struct {
	k     *taking
	ctx   context.Context
	place model.ID
	chunk *chunk
	left  int64 // bytes
}

// of gives what write asks for.
func (f *attachments) of(w *archive.Writer) func(*wireMessage) ([]model.Attachment, error) {
	return func(m *wireMessage) ([]model.Attachment, error) {
		var all []model.Attachment
		for i := range m.Attachments {
			a := m.Attachments[i].Attachment
			a.File = ""
			var err error
			if a.Skipped, err = f.one(w, m, i, &a); err != nil {
				return nil, err
			}
			if a.Skipped == "" {
				f.chunk.Files++
			} else {
				f.chunk.miss(fmt.Sprintf("the file %.100s of the message %s", a.Name, m.ID), a.ID, a.Skipped)
			}
			all = append(all, a)
		}
		return all, nil
	}
}

// one fetches one file; why says what went wrong with it.
func (f *attachments) one(w *archive.Writer, m *wireMessage, i int, a *model.Attachment) (why string, err error) {
	switch {
	case a.Size > f.k.lim.Attachment:
		return fmt.Sprintf("it is larger than the %d bytes that a file may have here", f.k.lim.Attachment), nil
	case a.Size < 0 || a.Size > f.left:
		return fmt.Sprintf("the %d bytes that all files of a backup may have here are used up", f.k.lim.Attachments), nil
	}
	f.left -= a.Size
	declared := a.Size
	return f.k.files.get(f.ctx, f.address(m, i), a.ContentType, declared, func(r io.Reader) error {
		var err error
		a.File, a.Size, err = w.File(r, max(declared, 1))
		return err
	})
}

// address is where a file is. Discord's addresses are good for a day; after that the message has new ones.
func (f *attachments) address(m *wireMessage, i int) string {
	old := m.Attachments[i]
	if !expired(old.URL, f.k.t.Now()) {
		return old.URL
	}
	var again wireMessage
	err := call(f.ctx, func(ctx context.Context) error {
		return f.k.t.Bot.ReadMessage(ctx, string(f.place), string(m.ID), &again)
	})
	if err == nil {
		for _, a := range again.Attachments {
			if a.ID == old.ID {
				m.Attachments[i].URL = a.URL
			}
		}
	}
	return m.Attachments[i].URL // when there is none, the CDN's no is the reason
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
