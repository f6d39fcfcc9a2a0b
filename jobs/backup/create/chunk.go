package create

import (
	"context"
	"errors"
	"fmt"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// maxChunkMissing bounds what one chunk names as missing: it has to fit a note.
const maxChunkMissing = 100

// chunk reads one chunk of a place into a part of the archive. take asks for bytes of the budget for attachments.
func (k *taking) chunk(ctx context.Context, r reading, c *chunk, take func(int64) (int64, error)) error {
	p := &pager{before: r.before, left: r.n, read: func(ctx context.Context, before model.ID, limit int) (list []wireMessage, err error) {
		err = call(ctx, func(ctx context.Context) error {
			list = nil
			return k.t.Bot.ReadMessages(ctx, string(r.place), string(before), limit, &list)
		})
		return list, err
	}}
	first, err := k.page(ctx, p, c)
	if err != nil || len(first) == 0 {
		c.Dry = true
		return err
	}
	if k.args.Attachments {
		err = k.chunkWithFiles(ctx, r, c, p, first, take)
	} else {
		err = k.part(ctx, r.part, func(w *archive.Writer) error {
			for list := first; len(list) > 0; {
				if err := k.write(w, r, c, list, nothingAsked); err != nil {
					return err
				}
				var err error
				if list, err = k.page(ctx, p, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	c.Oldest = p.before
	c.Dry = p.dry || c.Why != ""
	return err
}

// page reads the next page. When Discord will not give it, that is noted and there are no more.
func (k *taking) page(ctx context.Context, p *pager, c *chunk) ([]wireMessage, error) {
	list, err := p.next(ctx)
	if why, ok := refusal(err); ok {
		c.Why = why
		return nil, nil
	}
	return list, err
}

// chunkWithFiles reads all messages of a chunk, learns how many bytes it may fetch, and writes it with its files.
func (k *taking) chunkWithFiles(ctx context.Context, r reading, c *chunk, p *pager, first []wireMessage, take func(int64) (int64, error)) error {
	all := first
	for {
		more, err := k.page(ctx, p, c)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			break
		}
		all = append(all, more...)
	}
	var need int64
	for i := range all {
		for a := range all[i].files() {
			if a.Size > 0 && a.Size <= k.lim.Attachment {
				need += a.Size
			}
		}
	}
	granted, err := take(need)
	if err != nil {
		return err
	}
	c.Granted = granted
	f := &attachments{k: k, ctx: ctx, place: r.place, chunk: c, left: granted}
	return k.part(ctx, r.part, func(w *archive.Writer) error { return k.write(w, r, c, all, f.of(w)) })
}

// write puts messages into the part. files fetches the bytes of one's files, or says why not.
func (k *taking) write(w *archive.Writer, r reading, c *chunk, list []wireMessage, files func(*wireMessage, *model.Message) error) error {
	for i := range list {
		m := list[i].message()
		if err := files(&list[i], &m); err != nil {
			return err
		}
		err := w.Message(r.place, m)
		switch {
		case errors.Is(err, archive.ErrLimit):
			c.miss(fmt.Sprintf("the message %s of the channel %s", m.ID, r.place), m.ID, err.Error())
		case err != nil:
			return err
		default:
			c.N++
		}
	}
	return nil
}

// miss names something that is not in the backup.
func (c *chunk) miss(what string, id model.ID, why string) {
	if len(c.Missing) >= maxChunkMissing {
		c.Dropped++
		return
	}
	c.Missing = append(c.Missing, model.Missing{What: what, ID: id, Why: why})
}
