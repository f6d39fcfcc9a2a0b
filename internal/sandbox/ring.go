package sandbox

// ring keeps the newest values of a sequence that starts at 1 and never repeats a number.
type ring[T any] struct {
	size int
	next uint64 // number of the value that comes next, minus one = how many there ever were
	vals []T
}

func newRing[T any](size int) ring[T] { return ring[T]{size: size} }

// add stores the value that make gives for its number.
func (r *ring[T]) add(make func(seq uint64) T) T {
	r.next++
	v := make(r.next)
	if len(r.vals) < r.size {
		r.vals = append(r.vals, v)
	} else {
		r.vals[int((r.next-1)%uint64(r.size))] = v
	}
	return v
}

// after copies the kept values with numbers above seq, oldest first, at most limit of them (0 = all).
func (r *ring[T]) after(seq uint64, limit int) []T {
	first := r.next - uint64(len(r.vals)) // numbers first+1 .. next are kept
	from := min(max(seq, first), r.next)
	n := int(r.next - from)
	if limit > 0 {
		n = min(n, limit)
	}
	out := make([]T, 0, n)
	for i := range n {
		out = append(out, r.vals[int((from+uint64(i))%uint64(r.size))])
	}
	return out
}
