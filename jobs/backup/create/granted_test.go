package create

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"splashtail/bus"
	"splashtail/jobs/backup/model"
)

// TestBudgetOverWaves: what the files of one wave have taken is not there for the next one.
func TestBudgetOverWaves(t *testing.T) {
	t.Parallel()
	l := newWall(t, chunkFiles+50, 1, 1000)
	good(l)
	l.r.tools.Limits = Limits{Messages: 1000, Attachments: (chunkFiles + 10) * 1000, Attachment: 1000}
	run := l.r.run()
	b := l.r.open(run, l.r.backup(run, bus.BackupArgs{Messages: 1000, PerChannel: 1000, Attachments: true}))
	if n := b.item("attachments").Count; n != chunkFiles+10 || l.fetched.Load() != chunkFiles+10 || b.total() != chunkFiles+50 {
		t.Errorf("%d files kept, %d fetched, %d messages", n, l.fetched.Load(), b.total())
	}
}

// TestBudgetAfterACrash: what a chunk was granted before a crash is not granted again, and what it has read counts.
func TestBudgetAfterACrash(t *testing.T) {
	t.Parallel()
	run := newRun(t, 1)
	list := []reading{{place: "1", part: "part-1-1"}, {place: "2", part: "part-1-2"}}
	if err := run.Note(t.Context(), "part-1-1", chunk{Noted: true, N: 3, Granted: 60}); err != nil {
		t.Fatal(err)
	}
	k, chunks, have := &taking{r: run}, make([]chunk, 2), 0
	b, err := k.noted(&waves{budget: 100}, list, chunks, &have)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.take(t.Context(), 1, 100); n != 40 || err != nil || have != 3 || !chunks[0].Noted {
		t.Errorf("granted %d (%v), %d messages are there, %+v", n, err, have, chunks)
	}
}

// TestPagerAsksNoMoreThanItNeeds: a page that is not full is the last one, and of one that is too long what was asked for is
// taken.
func TestPagerAsksNoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	asked := 0
	var ids []model.ID
	for i := range 250 {
		ids = append(ids, model.ID(strconv.Itoa(1999-i)))
	}
	p := &pager{left: 1000, read: func(_ context.Context, before model.ID, limit int) (list []wireMessage, err error) {
		asked++
		from := slices.Index(ids, before) + 1
		for _, id := range ids[from:min(from+limit, len(ids))] {
			list = append(list, wireMessage{Message: model.Message{ID: id}})
		}
		return list, nil
	}}
	got := 0
	for {
		list, err := p.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		got += len(list)
	}
	if asked != 3 || got != 250 {
		t.Errorf("asked %d times for %d messages", asked, got)
	}
	long := &pager{left: 5, read: func(context.Context, model.ID, int) (list []wireMessage, err error) {
		for _, id := range ids[:9] {
			list = append(list, wireMessage{Message: model.Message{ID: id}})
		}
		return list, nil
	}}
	if list, err := long.next(t.Context()); len(list) != 5 || err != nil || long.before != ids[4] {
		t.Errorf("%d messages (%v) down to %s", len(list), err, long.before)
	}
}
