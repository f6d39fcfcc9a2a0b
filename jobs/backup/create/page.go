package create

import (
	"context"

	"splashtail/jobs/backup/model"
)

// page is how many messages Discord gives at once.
const page = 100

// pager reads a channel's messages from the newest down, page by page. It is the only place that moves a cursor.
type pager struct {
	read   func(ctx context.Context, before model.ID, limit int) ([]wireMessage, error)
	before model.ID // of the oldest message so far; empty: from the newest
	left   int      // messages that may still come
	dry    bool     // there are no older ones
}

// next gives the next page, empty when there are no more messages or all that may come have come. A message that is not
// older than the ones before is a repetition and is passed over.
func (p *pager) next(ctx context.Context) ([]wireMessage, error) {
	if p.left <= 0 || p.dry {
		return nil, nil
	}
	limit := min(p.left, page)
	got, err := p.read(ctx, p.before, limit)
	if err != nil {
		return nil, err
	}
	p.dry = len(got) < limit
	fresh := got[:0]
	for _, m := range got {
		if len(fresh) == limit || p.before != "" && !m.ID.Before(p.before) {
			continue
		}
		fresh = append(fresh, m)
		p.before = m.ID
	}
	p.left -= len(fresh)
	if len(fresh) == 0 {
		p.dry = true // a page that leads nowhere would come again and again
	}
	return fresh, nil
}
