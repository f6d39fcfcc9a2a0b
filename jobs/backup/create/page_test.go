package create

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"splashtail/jobs/backup/model"
)

// channelOf answers as Discord does for a channel of n messages, ids 1 to n.
func channelOf(n int, asked *[]int) func(context.Context, model.ID, int) ([]wireMessage, error) {
	return func(_ context.Context, before model.ID, limit int) ([]wireMessage, error) {
		*asked = append(*asked, limit)
		if limit <= 0 {
			limit = 50 // what Discord takes for none
		}
		from := n
		if before != "" {
			fmt.Sscan(string(before), &from)
			from--
		}
		var list []wireMessage
		for i := from; i > 0 && len(list) < limit; i-- {
			var m wireMessage
			m.ID = model.ID(fmt.Sprint(i))
			list = append(list, m)
		}
		return list, nil
	}
}

func readAll(t *testing.T, p *pager) (ids []model.ID) {
	t.Helper()
	for {
		list, err := p.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return ids
		}
		for _, m := range list {
			ids = append(ids, m.ID)
		}
	}
}

// TestPagerTakesTheNewest: exactly as many as allocated, the newest, each once, and never a request without a limit (B1, B2).
func TestPagerTakesTheNewest(t *testing.T) {
	for _, c := range []struct{ holds, want int }{{350, 300}, {300, 300}, {250, 300}, {100, 100}, {0, 10}, {99, 100}, {101, 101}, {7, 1}} {
		var asked []int
		p := &pager{left: c.want, read: channelOf(c.holds, &asked)}
		ids := readAll(t, p)
		if len(ids) != min(c.holds, c.want) {
			t.Errorf("%d of %d: %d messages", c.want, c.holds, len(ids))
		}
		for i, id := range ids {
			if want := model.ID(fmt.Sprint(c.holds - i)); id != want {
				t.Fatalf("%d of %d: message %d is %s, want %s", c.want, c.holds, i, id, want)
			}
		}
		for _, limit := range asked {
			if limit < 1 || limit > page {
				t.Errorf("%d of %d: asked for %d", c.want, c.holds, limit)
			}
		}
		if p.dry != (c.holds < c.want) {
			t.Errorf("%d of %d: dry %v", c.want, c.holds, p.dry)
		}
	}
}

// TestPagerEndsWhereDiscordRepeats: a list that never moves on is not read for ever, and nothing of it counts twice (B1).
func TestPagerEndsWhereDiscordRepeats(t *testing.T) {
	var asked []int
	same := channelOf(100, &asked)
	p := &pager{left: 300, read: func(ctx context.Context, _ model.ID, limit int) ([]wireMessage, error) { return same(ctx, "", limit) }}
	if ids := readAll(t, p); len(ids) != 100 || len(asked) != 2 || !p.dry {
		t.Errorf("%d messages in %d requests", len(ids), len(asked))
	}
}

// TestPagerPassesErrorsOn and does not move.
func TestPagerPassesErrorsOn(t *testing.T) {
	broken := errors.New("no line")
	p := &pager{left: 10, before: "5", read: func(context.Context, model.ID, int) ([]wireMessage, error) { return nil, broken }}
	if _, err := p.next(t.Context()); !errors.Is(err, broken) || p.left != 10 || p.before != "5" || p.dry {
		t.Errorf("%v, %+v", err, p)
	}
}
