package create

import "splashtail/jobs/backup/model"

// group is what shares one allocation: a channel or thread alone, or a forum with its posts, which has no messages itself.
type group struct {
	ID     model.ID
	Thread bool // it gets its share after the channels
	Places []model.ID
}

// quota says how many messages there may be.
type quota struct {
	Max     int              // in all
	Each    int              // of a group, its share
	Least   int              // a share smaller than this is not worth a request
	Special map[model.ID]int // of a group, whatever its share would be
}

// allocate says how many messages of each place are read at first. Groups with an allocation of their own come first, in
// their order, and get it as far as the quota goes; then channels get equal shares of what is left, then threads. Equal
// arguments give equal results, and the sum is at most q.Max for any arguments whatever. What is not in the result is zero.
func allocate(groups []group, q quota) map[model.ID]int {
	out := map[model.ID]int{}
	left := max(q.Max, 0)
	for _, g := range groups {
		if n, ok := q.Special[g.ID]; ok {
			left -= spread(out, g.Places, min(max(n, 0), left), left, q.Least)
		}
	}
	for _, threads := range []bool{false, true} {
		var tier []group
		for _, g := range groups {
			if _, special := q.Special[g.ID]; !special && g.Thread == threads && len(g.Places) > 0 {
				tier = append(tier, g)
			}
		}
		for i, n := range shares(len(tier), left, q.Each, q.Least) {
			left -= spread(out, tier[i].Places, n, n, q.Least)
		}
	}
	return out
}

// spread adds shares of total to places, and gives how much that was.
func spread(out map[model.ID]int, places []model.ID, total, each, least int) int {
	sum := 0
	for i, n := range shares(len(places), total, each, least) {
		if n > 0 {
			out[places[i]] += n
			sum += n
		}
	}
	return sum
}

// shares divides total among n: equally, the first ones getting what does not divide, each at most each. Where equal shares
// would be smaller than least, the first ones get that much as far as it goes.
func shares(n, total, each, least int) []int {
	out := make([]int, n)
	each = min(each, total)
	if n == 0 || each <= 0 {
		return out
	}
	least = min(max(least, 1), each)
	share, rest := total/n, total%n
	for i := range out {
		want := share
		if share < least {
			want = least
		} else if i < rest {
			want++
		}
		out[i] = min(want, each, total)
		total -= out[i]
	}
	return out
}

// tally is how far the reading of one place is.
type tally struct {
	ID  model.ID
	Got int
	Dry bool // it has no older messages, or cannot be read
}

// refill says how many more messages to read of the places that have more, until sum reaches quota: equal parts of what is
// missing, in whole pages, the first places first. An empty result means that nothing is left to give or to read.
func refill(all []tally, most int) map[model.ID]int {
	left, open := most, 0
	for _, t := range all {
		left -= t.Got
		if !t.Dry {
			open++
		}
	}
	out := map[model.ID]int{}
	if open == 0 || left <= 0 {
		return out
	}
	each := (left + open*page - 1) / (open * page) * page
	for _, t := range all {
		if n := min(each, left); !t.Dry && n > 0 {
			out[t.ID] = n
			left -= n
		}
	}
	return out
}
