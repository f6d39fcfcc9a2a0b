package protect

import (
	"fmt"
	"testing"
	"time"
)

func TestSilentBursts(t *testing.T) {
	type step struct {
		after   time.Duration
		gone    string
		explain string
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  int
	}{
		{"two are no burst", []step{{0, "1", ""}, {0, "2", ""}}, 0},
		{"three are", []step{{0, "1", ""}, {time.Second, "2", ""}, {2 * time.Second, "3", ""}}, 3},
		{"the same one again is one", []step{{0, "1", ""}, {0, "1", ""}, {0, "2", ""}}, 0},
		{"explained afterwards", []step{{0, "1", ""}, {0, "2", ""}, {0, "3", ""}, {9 * time.Second, "", "2"}}, 0},
		{"explained before", []step{{0, "", "3"}, {0, "1", ""}, {0, "2", ""}, {time.Second, "3", ""}}, 0},
		{"explained too late", []step{{0, "1", ""}, {0, "2", ""}, {0, "3", ""}, {11 * time.Second, "", "2"}}, 3},
		{"too far apart", []step{{0, "1", ""}, {0, "2", ""}, {2 * time.Minute, "3", ""}}, 0},
	} {
		s, got := newSilent(), 0
		at := 0
		for d := time.Duration(0); d < 4*time.Minute; d += time.Second {
			for ; at < len(c.steps) && c.steps[at].after <= d; at++ {
				if k := c.steps[at]; k.gone != "" {
					s.vanished(k.gone, day.Add(d))
				} else {
					s.explain(k.explain, day.Add(d))
				}
			}
			got += s.due(day.Add(d))
		}
		if got != c.want {
			t.Errorf("%s: %d were told, want %d", c.name, got, c.want)
		}
	}
}

func TestSilentBurstsAreToldNowAndThen(t *testing.T) {
	s, told := newSilent(), 0
	for i := range 1800 { // half an hour of a deletion each second
		now := day.Add(time.Duration(i) * time.Second)
		s.vanished(fmt.Sprint(i), now)
		if s.due(now) > 0 {
			told++
		}
	}
	if told != 3 {
		t.Errorf("people were told %d times in half an hour", told)
	}
	if len(s.gone) > maxSilent || len(s.lost) > 100 {
		t.Errorf("%d and %d are kept", len(s.gone), len(s.lost))
	}
}
