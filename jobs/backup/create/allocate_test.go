package create

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"splashtail/jobs/backup/model"
)

func alone(ids ...model.ID) (all []group) {
	for _, i := range ids {
		all = append(all, group{ID: i, Places: []model.ID{i}})
	}
	return all
}

// TestAllocate are cases that people would name. The third is a regression test: allocations that filled the quota used to be
// given away again (B3).
func TestAllocate(t *testing.T) {
	forum := group{ID: "9", Places: []model.ID{"91", "92", "93"}}
	thread := group{ID: "7", Thread: true, Places: []model.ID{"7"}}
	for name, c := range map[string]struct {
		groups []group
		q      quota
		want   map[model.ID]int
	}{
		"equal shares":              {alone("1", "2"), quota{Max: 100, Each: 100}, map[model.ID]int{"1": 50, "2": 50}},
		"the rest to the first":     {alone("1", "2", "3"), quota{Max: 100, Each: 100}, map[model.ID]int{"1": 34, "2": 33, "3": 33}},
		"specials fill the quota":   {alone("1", "2"), quota{Max: 100, Each: 50, Special: map[model.ID]int{"2": 100}}, map[model.ID]int{"2": 100}},
		"specials are clamped":      {alone("1", "2"), quota{Max: 100, Each: 50, Special: map[model.ID]int{"1": 80, "2": 80}}, map[model.ID]int{"1": 80, "2": 20}},
		"a special of nothing":      {alone("1", "2"), quota{Max: 100, Each: 60, Special: map[model.ID]int{"1": 0}}, map[model.ID]int{"2": 60}},
		"a negative special":        {alone("1", "2"), quota{Max: 100, Each: 60, Special: map[model.ID]int{"1": math.MinInt}}, map[model.ID]int{"2": 60}},
		"a huge special":            {alone("1", "2"), quota{Max: 100, Each: 60, Special: map[model.ID]int{"1": math.MaxInt}}, map[model.ID]int{"1": 100}},
		"one for who is not there":  {alone("1"), quota{Max: 100, Each: 60, Special: map[model.ID]int{"5": 100}}, map[model.ID]int{"1": 60}},
		"a share that is too small": {alone("1", "2", "3"), quota{Max: 15, Each: 100, Least: 10}, map[model.ID]int{"1": 10, "2": 5}},
		"no quota":                  {alone("1"), quota{Max: 0, Each: 60}, map[model.ID]int{}},
		"a negative quota":          {alone("1"), quota{Max: -5, Each: 60, Special: map[model.ID]int{"1": 3}}, map[model.ID]int{}},
		"a forum shares":            {append(alone("1"), forum), quota{Max: 60, Each: 30}, map[model.ID]int{"1": 30, "91": 10, "92": 10, "93": 10}},
		"a forum's own":             {[]group{forum}, quota{Max: 60, Each: 30, Special: map[model.ID]int{"9": 45}}, map[model.ID]int{"91": 15, "92": 15, "93": 15}},
		"threads after channels":    {append(alone("1"), thread), quota{Max: 50, Each: 40}, map[model.ID]int{"1": 40, "7": 10}},
		"a forum without posts":     {append(alone("1"), group{ID: "9"}), quota{Max: 60, Each: 60}, map[model.ID]int{"1": 60}},
	} {
		if got := allocate(c.groups, c.q); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func randomGroups(r *rand.Rand) (all []group) {
	next := 1
	for range r.IntN(40) {
		g := group{ID: model.ID(fmt.Sprint(next)), Thread: r.IntN(3) == 0}
		for range r.IntN(4) {
			next++
			g.Places = append(g.Places, model.ID(fmt.Sprint(next)))
		}
		next++
		all = append(all, g)
	}
	return all
}

func anyNumber(r *rand.Rand) int {
	switch r.IntN(6) {
	case 0:
		return math.MinInt
	case 1:
		return math.MaxInt
	case 2:
		return -r.IntN(1000)
	}
	return r.IntN(1000)
}

// TestAllocateNeverTooMuch: for any arguments the sum is at most the quota, nothing is negative, all that can be given is
// given, and the same arguments give the same (B3, B4, acceptance 30).
func TestAllocateNeverTooMuch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		groups := randomGroups(r)
		q := quota{Max: anyNumber(r), Each: anyNumber(r), Least: anyNumber(r), Special: map[model.ID]int{}}
		for _, g := range groups {
			if r.IntN(4) == 0 {
				q.Special[g.ID] = anyNumber(r)
			}
		}
		got := allocate(groups, q)
		if again := allocate(slices.Clone(groups), q); !reflect.DeepEqual(got, again) {
			t.Fatalf("%v and then %v", got, again)
		}
		sum := 0
		for id, n := range got {
			if sum += n; n <= 0 || sum > max(q.Max, 0) {
				t.Fatalf("%s gets %d, all %d of %d: %+v", id, n, sum, q.Max, q)
			}
		}
		left := max(q.Max, 0)
		for _, g := range groups {
			n, special := q.Special[g.ID]
			have := 0
			for _, p := range g.Places {
				have += got[p]
			}
			if want := min(max(n, 0), left); special && len(g.Places) > 0 {
				if have != want {
					t.Fatalf("%s has %d of its own %d with %d left", g.ID, have, n, left)
				}
				left -= have
			} else if !special && have > max(q.Each, 0) {
				t.Fatalf("%s has %d, its share is %d", g.ID, have, q.Each)
			}
		}
	}
}

// TestRefillFillsTheQuota: what channels leave goes to those that have more until the quota is reached or nobody has more,
// whatever they hold (B5).
func TestRefillFillsTheQuota(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2_000 {
		n, most := 1+r.IntN(30), r.IntN(5_000)
		holds, total := map[model.ID]int{}, 0
		all := make([]tally, n)
		for i := range all {
			id := model.ID(fmt.Sprint(i + 1))
			all[i].ID, holds[id] = id, r.IntN(600)
			total += holds[id]
		}
		for round := 0; ; round++ {
			want := refill(all, most)
			if len(want) == 0 {
				break
			}
			if round > 50 {
				t.Fatalf("no end in sight: %v", all)
			}
			if !reflect.DeepEqual(want, refill(slices.Clone(all), most)) {
				t.Fatal("chance has a say")
			}
			for i := range all {
				if n, ok := want[all[i].ID]; ok {
					have := min(n, holds[all[i].ID]-all[i].Got)
					all[i].Got += have
					all[i].Dry = have < n
				}
			}
		}
		sum := 0
		for _, one := range all {
			sum += one.Got
		}
		if sum != min(most, total) {
			t.Fatalf("%d messages of %d, and %d are allowed", sum, total, most)
		}
	}
}

// TestRefillKeepsToWhoHasMore: channels that were not asked for more get none.
func TestRefillKeepsToWhoHasMore(t *testing.T) {
	got := refill([]tally{{"1", 100, true}, {"2", 50, false}, {"3", 0, false}}, 500)
	if want := map[model.ID]int{"2": 200, "3": 150}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := refill([]tally{{"1", 100, false}}, 100); len(got) > 0 {
		t.Errorf("more than the quota: %v", got)
	}
}
