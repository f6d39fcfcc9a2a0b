package incident

import "slices"

// insertAs puts an id into an order where it stood in another one: above the nearest that
// stood below it and is still there.
func insertAs(order, was []string, id string) []string {
	if slices.Contains(order, id) {
		return order
	}
	at := 0
	for below := slices.Index(was, id) - 1; below >= 0; below-- {
		if i := slices.Index(order, was[below]); i >= 0 {
			at = i + 1
			break
		}
	}
	return slices.Insert(slices.Clone(order), at, id)
}

// moveTo puts an id at a position. As Discord does, whoever comes up stands above what
// is there and whoever comes down stands below it.
func moveTo(order []string, all map[string]object, id string, from, to int) []string {
	rest := without(order, id)
	at := 0
	for at < len(rest) {
		p := all[rest[at]].number("position")
		if p > to || p == to && to < from {
			break
		}
		at++
	}
	return slices.Insert(rest, at, id)
}

// sameOrder says whether what two orders share stands in the same order in both.
func sameOrder(a, b []string) bool {
	keep := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return !slices.Contains(other, id) })
	}
	return slices.Equal(keep(a, b), keep(b, a))
}

// arrange gives the ids that are there now in the wished order. What is not in it was
// made since and keeps what stands below it.
func arrange(wished, now []string) []string {
	out := slices.DeleteFunc(slices.Clone(wished), func(id string) bool { return !slices.Contains(now, id) })
	for _, id := range now {
		out = insertAs(out, now, id)
	}
	return out
}
