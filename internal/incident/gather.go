package incident

import (
	"context"
	"time"

	"splashtail/bus"
)

// Bounds of reading a guild's journal.
const (
	journalPage = 1000
	maxDeeds    = 50_000
)

// Deeds reads what was done in a guild since a time, by everybody, oldest first; at most
// the newest 50,000. Errors: as of bus.ReadPage.
func Deeds(ctx context.Context, b *bus.Bus, guild bus.GuildID, since time.Time) ([]bus.Deed, error) {
	var deeds []bus.Deed
	for from, more := uint64(1), true; more; {
		page, left, err := bus.ReadPage(ctx, b, bus.JournalOf(guild), from, journalPage)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			from = d.Seq + 1
			if !d.Value.At.Before(since) {
				deeds = append(deeds, d.Value)
			}
		}
		deeds = deeds[max(len(deeds)-maxDeeds, 0):]
		more = left && len(page) > 0
	}
	return deeds, nil
}

// until leaves out what an actor did after a time; zero leaves nothing out. What others
// did stays: a plan has to know it.
func until(deeds []bus.Deed, actor bus.UserID, end time.Time) []bus.Deed {
	if end.IsZero() {
		return deeds
	}
	kept := deeds[:0:0]
	for _, d := range deeds {
		if d.Actor != actor || !d.At.After(end) {
			kept = append(kept, d)
		}
	}
	return kept
}
