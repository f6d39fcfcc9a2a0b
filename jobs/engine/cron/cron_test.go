package cron

import (
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		cron, zone, from string
		want             []string
	}{
		"every day":            {"30 3 * * *", "", "2026-11-28T03:29:59Z", []string{"2026-11-28T03:30:00Z", "2026-11-29T03:30:00Z"}},
		"not now":              {"30 3 * * *", "UTC", "2026-11-28T03:30:00Z", []string{"2026-11-29T03:30:00Z"}},
		"on working days":      {"0 9 * * mon-fri", "", "2026-11-27T10:00:00Z", []string{"2026-11-30T09:00:00Z", "2026-12-01T09:00:00Z"}},
		"Sunday is 0 and 7":    {"0 0 * * 7", "", "2026-11-28T00:00:00Z", []string{"2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"}},
		"lists and steps":      {"5,50 8-18/5 * * *", "", "2026-11-28T08:06:00Z", []string{"2026-11-28T08:50:00Z", "2026-11-28T13:05:00Z"}},
		"either kind of day":   {"0 0 13 * fri", "", "2026-11-12T00:00:00Z", []string{"2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"}},
		"a leap day":           {"0 0 29 feb *", "", "2097-01-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		"a word":               {"@weekly", "", "2026-11-28T00:00:00Z", []string{"2026-11-29T00:00:00Z"}},
		"in a zone":            {"0 3 * * *", "Asia/Kathmandu", "2026-11-28T00:00:00Z", []string{"2026-11-28T21:15:00Z"}},
		"the clock of summer":  {"0 3 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", []string{"2026-07-01T01:00:00Z"}},
		"a gap is not skipped": {"30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		"the same westwards":   {"30 2 * * *", "America/New_York", "2026-03-07T08:00:00Z", []string{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}},
		"twice counts once":    {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		"once westwards":       {"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", []string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
		"every hour passes": {"30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z",
			[]string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
		"every hour in a gap":     {"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
		"a midnight that is none": {"0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", []string{"2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"}},
		"half an hour":            {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", []string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
	} {
		s, err := Parse(c.cron, c.zone)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		from := at(t, c.from)
		for _, want := range c.want {
			got := s.Next(from)
			if !got.Equal(at(t, want)) {
				t.Errorf("%s: after %v comes %v, want %s", name, from, got, want)
			}
			from = got
		}
	}
}

func TestTextsThatAreNoSchedule(t *testing.T) {
	for _, text := range []string{"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *",
		"a * * * *", "1,,2 * * * *", "-1 * * * *", "0 0 30 2 *", "@reboot", "@every 1s"} {
		if _, err := Parse(text, ""); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	for _, zone := range []string{"Nowhere/City", "Local", "../etc/passwd"} {
		if _, err := Parse("0 0 * * *", zone); err == nil {
			t.Errorf("the zone %q was taken", zone)
		}
	}
}

// FuzzNext holds that the next time is later, on a whole minute, and found again from the second before it.
func FuzzNext(f *testing.F) {
	f.Add("30 2 * * *", "Europe/Berlin", int64(1774742400))
	f.Add("*/15 * * * *", "America/St_Johns", int64(1793500000))
	f.Add("0 0 29 2 1", "Pacific/Apia", int64(0))
	f.Fuzz(func(t *testing.T, text, zone string, from int64) {
		s, err := Parse(text, zone)
		if err != nil {
			return
		}
		start := time.Unix(from%(1<<33), 0)
		next := s.Next(start)
		if next.IsZero() {
			return
		}
		if !next.After(start) || next.Second() != 0 {
			t.Errorf("%q in %q: after %v comes %v", text, zone, start, next)
		}
		if again := s.Next(next.Add(-time.Second)); !again.Equal(next) {
			t.Errorf("%q in %q: %v was found again as %v", text, zone, next, again)
		}
	})
}
