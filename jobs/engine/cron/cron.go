// Package cron says when a schedule is due: five fields as in crontab(5), read on the clock of a time zone.
//
// What comes in: a text such as "30 3 * * mon-fri" and a zone of the IANA database. What goes out: the next instant after
// another one. When clocks go forward over a time, it is due at the first instant after the gap; when they go back, a
// time that comes twice counts once, unless its hour is "*": then every hour that passes counts. There is no other file.
//
// The server's own cron schedules skip a day whose time falls into a gap, which no backup should.
package cron

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Spec is a schedule that was read.
type Spec struct {
	minute, hour, day, month, weekday set
	anyDay, anyWeekday, anyHour       bool
	zone                              *time.Location
}

// set has a bit per allowed value.
type set uint64

func (s set) has(n int) bool { return s>>n&1 == 1 }

// field is what a place in the text allows.
type field struct {
	name     string
	min, max int
	names    []string // of min and those after it
}

var fields = [...]field{
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	{name: "day of the month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of the week", min: 0, max: 7, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// maxText bounds a text.
const maxText = 256

// Parse reads a text and a zone; an empty zone is UTC. @hourly, @daily, @weekly and @monthly stand for what they say.
func Parse(text, zone string) (Spec, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Spec{}, fmt.Errorf("%q is no time zone; one is called like Europe/Berlin", zone)
	}
	if len(text) > maxText {
		return Spec{}, fmt.Errorf("a schedule has at most %d bytes", maxText)
	}
	switch strings.TrimSpace(text) {
	case "@hourly":
		text = "0 * * * *"
	case "@daily", "@midnight":
		text = "0 0 * * *"
	case "@weekly":
		text = "0 0 * * 0"
	case "@monthly":
		text = "0 0 1 * *"
	}
	parts := strings.Fields(strings.ToLower(text))
	if len(parts) != len(fields) {
		return Spec{}, fmt.Errorf("a schedule has five fields (minute, hour, day of the month, month, day of the week), not %d", len(parts))
	}
	var sets [len(fields)]set
	for i, f := range fields {
		if sets[i], err = f.parse(parts[i]); err != nil {
			return Spec{}, err
		}
	}
	s := Spec{minute: sets[0], hour: sets[1], day: sets[2], month: sets[3], weekday: sets[4], zone: loc,
		anyHour: parts[1] == "*", anyDay: strings.HasPrefix(parts[2], "*"), anyWeekday: strings.HasPrefix(parts[4], "*")}
	if s.weekday.has(7) {
		s.weekday |= 1 // Sunday has two numbers
	}
	if s.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Spec{}, fmt.Errorf("%q never comes, such as the 30th of February", text)
	}
	return s, nil
}

// parse reads lists of *, numbers, ranges and steps.
func (f field) parse(text string) (set, error) {
	var out set
	for _, part := range strings.Split(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 || n > f.max {
				return 0, fmt.Errorf("the %s %q has no step between 1 and %d", f.name, part, f.max)
			}
			step = n
		}
		from, to := f.min, f.max
		if span != "*" {
			first, last, ranged := strings.Cut(span, "-")
			var err error
			if from, err = f.number(first); err != nil {
				return 0, err
			}
			switch {
			case ranged:
				if to, err = f.number(last); err != nil {
					return 0, err
				}
			case !stepped:
				to = from
			}
		}
		if from > to {
			return 0, fmt.Errorf("the %s %q goes backwards", f.name, part)
		}
		for n := from; n <= to; n += step {
			out |= 1 << n
		}
	}
	return out, nil
}

func (f field) number(text string) (int, error) {
	for i, name := range f.names {
		if text == name {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("the %s %q is not between %d and %d", f.name, text, f.min, f.max)
	}
	return n, nil
}

// onDay says whether a date is meant. As in every cron, when both kinds of day are given, either is enough.
func (s Spec) onDay(t time.Time) bool {
	if !s.month.has(int(t.Month())) {
		return false
	}
	byDay, byWeekday := s.day.has(t.Day()), s.weekday.has(int(t.Weekday()))
	if s.anyDay || s.anyWeekday {
		return byDay && byWeekday
	}
	return byDay || byWeekday
}

// maxYears is how far a time is looked for; the 29th of February can be eight years away.
const maxYears = 9

// Next is the first instant after t that is meant, in UTC; zero when there is none within some years.
func (s Spec) Next(t time.Time) time.Time {
	if s.zone == nil {
		return time.Time{}
	}
	local := t.In(s.zone)
	day := time.Date(local.Year(), local.Month(), local.Day(), 12, 0, 0, 0, time.UTC) // a date without a zone
	for end := day.AddDate(maxYears, 0, 0); day.Before(end); day = day.AddDate(0, 0, 1) {
		if !s.onDay(day) {
			continue
		}
		if at := s.on(day, t); !at.IsZero() {
			return at.UTC()
		}
	}
	return time.Time{}
}

// on is the first instant of a date that is meant and after t.
func (s Spec) on(day, t time.Time) time.Time {
	if s.anyHour {
		return s.onEveryHour(day, t)
	}
	for h := range 24 {
		if !s.hour.has(h) {
			continue
		}
		for m := range 60 {
			if !s.minute.has(m) {
				continue
			}
			if at := instant(day.Year(), day.Month(), day.Day(), h, m, s.zone); at.After(t) {
				return at
			}
		}
	}
	return time.Time{}
}

// onEveryHour walks the instants of a date, however many hours it has.
func (s Spec) onEveryHour(day, t time.Time) time.Time {
	at := instant(day.Year(), day.Month(), day.Day(), 0, 0, s.zone)
	if at.Before(t) {
		at = t.Truncate(time.Minute)
	}
	for ; at.In(s.zone).Day() == day.Day(); at = at.Add(time.Minute) {
		if at.After(t) && s.minute.has(at.In(s.zone).Minute()) {
			return at
		}
	}
	return time.Time{}
}

// instant is when a clock shows a time: the first of two such instants, and the end of the gap for a time that no clock
// shows.
func instant(year int, month time.Month, day, hour, minute int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, hour, minute, 0, 0, zone)
	if shown := at.Hour()*60 + at.Minute(); at.Day() != day || shown != hour*60+minute {
		return gapEnd(at)
	}
	if earlier := at.Add(-offsetChange(at)); offsetChange(at) > 0 && earlier.Hour() == hour && earlier.Minute() == minute && earlier.Day() == day {
		return earlier
	}
	return at
}

// offsetChange is by how much clocks went back in the three hours before at; 0 when they did not.
func offsetChange(at time.Time) time.Duration {
	_, now := at.Zone()
	_, before := at.Add(-3 * time.Hour).Zone()
	return max(0, time.Duration(before-now)*time.Second)
}

// gapEnd is the instant at which clocks went forward, near at.
func gapEnd(at time.Time) time.Time {
	start, end := at.Add(-4 * time.Hour).ZoneBounds()
	if !end.IsZero() && end.Sub(at).Abs() <= 4*time.Hour {
		return end
	}
	return start
}
