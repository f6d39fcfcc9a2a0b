package plan

import (
	"cmp"
	"slices"
	"strings"

	"splashtail/jobs/backup/model"
)

// pass is one way to recognise things: both keys are equal and not empty.
type pass struct{ saved, live func(i int) string }

// pair gives for each of n saved things the index of the live one that stands for it, or -1. Each live thing stands for
// one at most. Earlier passes win over all of a later one; among equal keys the order of the lists decides.
func pair(n, m int, passes ...pass) []int {
	to, taken := slices.Repeat([]int{-1}, n), make([]bool, m)
	for _, p := range passes {
		waiting := map[string][]int{}
		for j := range m {
			if key := p.live(j); key != "" && !taken[j] {
				waiting[key] = append(waiting[key], j)
			}
		}
		for i := range n {
			if to[i] >= 0 {
				continue
			}
			key := p.saved(i)
			if list := waiting[key]; key != "" && len(list) > 0 {
				to[i], taken[list[0]] = list[0], true
				waiting[key] = list[1:]
			}
		}
	}
	return to
}

// by makes a pass out of one key for both lists.
func by[T any](saved, live []T, key func(T) string) pass {
	return pass{func(i int) string { return key(saved[i]) }, func(j int) string { return key(live[j]) }}
}

// ranked sorts roles from @everyone up: by position, and of two with the same the older one is higher.
func ranked(roles []model.Role) []model.Role {
	return slices.SortedStableFunc(slices.Values(roles), func(a, b model.Role) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), compareIDs(b.ID, a.ID))
	})
}

// sorted sorts channels by position, then id.
func sorted(channels []model.Channel) []model.Channel {
	return slices.SortedStableFunc(slices.Values(channels), func(a, b model.Channel) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), compareIDs(a.ID, b.ID))
	})
}

func compareIDs(a, b model.ID) int {
	switch {
	case a.Before(b):
		return -1
	case b.Before(a):
		return 1
	}
	return 0
}

// made is the reference to something that the plan makes, until it has an id.
func made(saved model.ID) model.ID { return "+" + saved }

// Made tells whether a reference is to something that the plan makes, and gives its id in the backup.
func Made(ref model.ID) (saved model.ID, ok bool) {
	id, ok := strings.CutPrefix(string(ref), "+")
	return model.ID(id), ok
}

func isID(id model.ID) bool {
	return id != "" && len(id) <= 20 && strings.Trim(string(id), "0123456789") == "" && id[0] != '0'
}

// tagKey tells whose a managed role is; empty for other roles.
func tagKey(r model.Role) string {
	switch {
	case !r.Managed:
		return ""
	case r.Tags == nil:
		return "name " + r.Name
	case r.Tags.Booster:
		return "booster"
	case r.Tags.Bot != "":
		return "bot " + string(r.Tags.Bot)
	case r.Tags.Integration != "":
		return "integration " + string(r.Tags.Integration)
	}
	return "name " + r.Name
}
