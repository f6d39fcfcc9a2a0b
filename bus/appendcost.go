package bus

import "time"

// appendCost learns which way of storing a group is faster on this disk: one by one
// costs a sync for each message, an atomic batch costs several and a staging store
// once. Where a sync takes 0.2 ms a batch pays from some twenty messages on, where it
// takes 2 ms from a handful.
type appendCost struct {
	single time.Duration // of one message among others
	batch  time.Duration // of a batch, whatever its size
}

const (
	// fewSingles always go one by one, manySingles never: both ways are seen now and
	// then, whatever was learnt.
	fewSingles  = 4
	manySingles = 64
)

// newAppendCost begins with what a good solid-state disk takes.
func newAppendCost() appendCost {
	return appendCost{single: 200 * time.Microsecond, batch: 3 * time.Millisecond}
}

func (c *appendCost) batchIsCheaper(n int) bool {
	return n > fewSingles && (n > manySingles || time.Duration(n)*c.single > c.batch)
}

// sawBatch learns from a batch.
func (c *appendCost) sawBatch(took time.Duration) {
	c.batch += (took - c.batch) / 8
	c.single -= c.single / 64
}

// sawSingles learns from n messages that were stored one by one. As in sawBatch, what
// was not tried is forgotten slowly and in its favour: a pause of the disk that hit
// one way must not rule it out for ever.
func (c *appendCost) sawSingles(n int, took time.Duration) {
	c.single += (took/time.Duration(n) - c.single) / 8
	c.batch -= c.batch / 64
}
