package protect

import (
	"math/rand/v2"
	"testing"
	"time"
)

var day = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func TestRaids(t *testing.T) {
	for _, c := range []struct {
		name   string
		usual  int           // joins spread over the day before
		times  int           // joins afterwards
		every  time.Duration // between them
		wantAt int           // which one begins a raid; 0: none
	}{
		{"nobody ever joined, four in a minute", 0, 4, time.Second, 0},
		{"nobody ever joined, five in a minute", 0, 5, time.Second, 5},
		{"five in more than a minute", 0, 5, 15 * time.Second, 0},
		{"a minute has no more than 60 s", 0, 10, 13 * time.Second, 5},
		{"one a minute is usual: nine are not enough", 1440, 9, 6 * time.Second, 0},
		{"one a minute is usual: more than ten are", 1440, 11, 5 * time.Second, 10},
		{"a large guild is used to more", 14400, 80, 500 * time.Millisecond, 0},
		{"and still sees a raid", 14400, 120, 100 * time.Millisecond, 100},
	} {
		j := newJoins()
		j.floor = 60 // the first day is the guild's, not the test's
		id := uint64(1)
		for i := range c.usual {
			j.add(id, day.Add(time.Duration(i)*24*time.Hour/time.Duration(c.usual)))
			id++
		}
		if j.raid != nil {
			t.Fatalf("%s: the usual is a raid", c.name)
		}
		begin, got := day.Add(24*time.Hour+time.Minute), 0
		j.floor = 0
		for i := range c.times {
			id++
			if j.add(id, begin.Add(time.Duration(i)*c.every)) {
				got = i + 1
			}
		}
		// The mean moves a little while joins come.
		if d := got - c.wantAt; (got == 0) != (c.wantAt == 0) || d < -1 || d > 1 {
			t.Errorf("%s: the raid began with join %d, want %d", c.name, got, c.wantAt)
		}
	}
}

func TestARaidEndsOnceItIsCalm(t *testing.T) {
	j := newJoins()
	for i := range 30 {
		j.add(uint64(i+1), day.Add(time.Duration(i)*time.Second))
	}
	last := day.Add(29 * time.Second)
	for _, at := range []time.Duration{0, time.Minute, time.Minute + calmFor - time.Nanosecond} {
		if _, over := j.over(last.Add(at)); over {
			t.Fatalf("it is over after %s", at)
		}
	}
	j.add(1000, last.Add(3*time.Minute)) // one straggler is no raid
	ended, over := j.over(last.Add(time.Minute + calmFor))
	if !over || ended.count != 31 || !ended.began.Equal(day.Add(4*time.Second)) || ended.usual != 0 {
		t.Fatalf("%+v %t", ended, over)
	}
	if _, again := j.over(last.Add(time.Hour)); again {
		t.Error("it ended twice")
	}
	if j.sum != 0 {
		t.Errorf("%d joins of a raid count as usual", j.sum)
	}
	began := 0
	for i := range 10 {
		if j.add(uint64(2000+i), last.Add(time.Hour+time.Duration(i)*time.Second)) {
			began++
		}
	}
	if began != 1 {
		t.Errorf("the next raid began %d times", began)
	}
}

// TestAJoinThatComesAgainChangesNothing: redelivery must not make a raid.
func TestAJoinThatComesAgainChangesNothing(t *testing.T) {
	j := newJoins()
	for range 100 {
		for i := range 4 {
			if j.add(uint64(i+1), day.Add(time.Duration(i)*time.Second)) {
				t.Fatal("four joins became a raid")
			}
		}
	}
}

// TestJoinsAgreeWithTheDefinition holds the rings against counting everything anew.
func TestJoinsAgreeWithTheDefinition(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 2))
		j := newJoins()
		j.now = day
		var all []time.Time
		at := day
		for i := range 3000 {
			at = at.Add(time.Duration(rng.ExpFloat64() * float64(time.Minute)))
			if rng.IntN(200) == 0 {
				at = at.Add(time.Duration(rng.IntN(30)) * time.Hour) // a quiet stretch
			}
			all = append(all, at)
			began := j.add(uint64(i+1), at)
			recent, usual := 0, 0
			for _, x := range all {
				switch {
				case at.Sub(x) < time.Minute:
					recent++
				case minute(x) > minute(at)-baseline:
					usual++
				}
			}
			if j.raid == nil && (len(j.recent) != recent || j.sum != usual) {
				t.Fatalf("seed %d, join %d: %d and %d, want %d and %d", seed, i, len(j.recent), j.sum, recent, usual)
			}
			if want := float64(recent) >= max(raidTimes*float64(usual)/baseline, raidAtLeast); began != want {
				t.Fatalf("seed %d, join %d: a raid began: %t, want %t", seed, i, began, want)
			}
			if began { // the definition knows no raids: what they leave out would be told apart
				break
			}
		}
	}
}

// TestALargeGuildIsNoRaid: what is nothing for its size is usual from then on.
func TestALargeGuildIsNoRaid(t *testing.T) {
	j, began := newJoins(), 0
	for i := range 600 { // ten a minute, from the beginning
		if j.add(uint64(i+1), day.Add(time.Duration(i)*6*time.Second)) {
			began++
			j.pardon(20)
		}
	}
	if began != 1 || j.raid != nil || j.sum < 580 {
		t.Errorf("it began %d times, %d joins are usual", began, j.sum)
	}
}

func FuzzJoins(f *testing.F) {
	f.Add(int64(0), int64(1), int64(-5))
	f.Add(int64(1<<62), int64(-1<<62), int64(60))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		j := newJoins()
		for i, s := range []int64{a, b, c, a + 1, b + c} {
			j.add(uint64(i), time.Unix(s, 0))
		}
		if j.sum < 0 || len(j.recent) > 5 {
			t.Errorf("%d %d", j.sum, len(j.recent))
		}
	})
}
