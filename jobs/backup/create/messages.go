package create

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"splashtail/bus"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// How many messages of a place are read in one go, which is one part of the archive and one unit that a crash can lose.
const (
	chunkPlain  = 2000 // written page by page
	chunkFiles  = 200  // held until it is known which files fit
	filesAtOnce = 4    // places that are read at the same time when files are asked for
)

// chunk is what was read of a place in one go, as it is noted.
type chunk struct {
	Noted   bool            `json:"noted"`
	N       int             `json:"n"`
	Oldest  model.ID        `json:"oldest,omitempty"`
	Dry     bool            `json:"dry,omitempty"`     // there is nothing older
	Why     string          `json:"why,omitempty"`     // why the place could not be read
	Files   int             `json:"files,omitempty"`   // attachments that were kept
	Granted int64           `json:"granted,omitempty"` // bytes of the budget for attachments
	Missing []model.Missing `json:"missing,omitempty"`
	Dropped int             `json:"dropped,omitempty"`
}

// reading is one chunk that is to be read.
type reading struct {
	place  model.ID
	before model.ID
	n      int
	part   string // the name of its part and of its note
}

// messages reads the newest messages of all places: first as they were allocated, then what is left of the quota from those
// that have more. It goes in waves whose composition follows from what was noted of the waves before, so that it is the same
// after a crash and whatever came first within a wave.
func (k *taking) messages(ctx context.Context) error {
	if !k.wants(bus.PartMessages) {
		return nil
	}
	w, err := k.newWaves(ctx)
	if err != nil {
		return err
	}
	for {
		list := w.next()
		if len(list) == 0 {
			return k.keep(ctx, "messages", w.result())
		}
		if err := k.wave(ctx, w, list); err != nil {
			return err
		}
	}
}

// waves is the state of the reading of messages.
type waves struct {
	max      int // messages in all
	size     int // of a chunk
	rollover bool
	round    int
	order    []model.ID // of places
	want     map[model.ID]int
	fixed    map[model.ID]bool   // its allocation is its own: nothing rolls over to it
	at       map[model.ID]*chunk // the sum of a place's chunks
	parts    []string
	budget   int64 // bytes for attachments that no chunk was granted
	report   report
}

func (k *taking) newWaves(ctx context.Context) (*waves, error) {
	channels, threads, err := k.places(ctx)
	if err != nil {
		return nil, err
	}
	special := map[model.ID]int{}
	for id, n := range k.args.Special {
		special[model.ID(id)] = n
	}
	w := &waves{
		max: k.args.Messages, size: chunkPlain, rollover: !k.args.NoRollover, fixed: map[model.ID]bool{}, at: map[model.ID]*chunk{}, budget: k.lim.Attachments,
	}
	if k.args.Attachments {
		w.size = chunkFiles
	}
	groups := groupPlaces(channels, threads, special)
	known := map[model.ID]bool{}
	for _, g := range groups {
		known[g.ID] = true
		_, own := special[g.ID]
		for _, p := range g.Places {
			w.order = append(w.order, p)
			w.fixed[p] = own
			w.at[p] = &chunk{}
		}
	}
	each := k.args.PerChannel
	if each == 0 {
		each = k.lim.PerChannel
	}
	w.want = allocate(groups, quota{Max: k.args.Messages, Each: each, Least: k.lim.Share, Special: special})
	w.unread(append(channels, threads...), known, special)
	k.r.Say(work.Info, "Reading up to %d messages of %d channels and threads", w.max, len(w.order))
	return w, nil
}

// unread reports the places that cannot be read, and allocations that lead nowhere.
func (w *waves) unread(all []place, known map[model.ID]bool, special map[model.ID]int) {
	for _, p := range all {
		if p.Why != "" && (holdsText(p.Type) || isForum(p.Type)) {
			w.report.miss(fmt.Sprintf("the messages of the channel %s", p.ID), p.ID, p.Why)
			known[p.ID] = true
		}
	}
	ids := make(map[string]int, len(special))
	for id, n := range special {
		ids[string(id)] = n
	}
	for _, id := range sortedKeys(ids) {
		if !known[model.ID(id)] {
			w.report.miss(fmt.Sprintf("the messages of the channel %s", id), model.ID(id), "the server has no such channel with messages that the bot sees")
		}
	}
}

// next gives the chunks of the next wave, none when everything is read that there is or may be.
func (w *waves) next() []reading {
	if list := w.chunks(); len(list) > 0 || !w.rollover {
		return list
	}
	all := make([]tally, len(w.order))
	for i, id := range w.order {
		c := w.at[id]
		all[i] = tally{ID: id, Got: c.N, Dry: c.Dry || w.fixed[id]}
	}
	w.want = refill(all, w.max)
	return w.chunks()
}

// chunks cuts what is wanted of each place to one chunk.
func (w *waves) chunks() []reading {
	w.round++
	var list []reading
	for _, id := range w.order {
		c := w.at[id]
		if n := min(w.want[id], w.size); n > 0 && !c.Dry {
			list = append(list, reading{place: id, before: c.Oldest, n: n, part: "part-" + strconv.Itoa(w.round) + "-" + string(id)})
		}
	}
	if len(list) == 0 {
		w.round--
	}
	return list
}

// done takes over what was read.
func (w *waves) done(r reading, c *chunk) {
	sum := w.at[r.place]
	w.want[r.place] -= r.n
	sum.N += c.N
	sum.Files += c.Files
	sum.Dry = c.Dry
	if c.Oldest != "" {
		sum.Oldest = c.Oldest
	}
	if c.N > 0 {
		w.parts = append(w.parts, r.part)
	}
	if c.Why != "" {
		w.report.miss(fmt.Sprintf("the messages of the channel %s", r.place), r.place, c.Why)
	}
	w.report.add(report{Missing: c.Missing, Dropped: c.Dropped})
	w.budget -= c.Granted
}

// wave reads the chunks of one wave, some at a time, and notes each when it is stored.
func (k *taking) wave(ctx context.Context, w *waves, list []reading) error {
	parallel := k.lim.Parallel
	if k.args.Attachments {
		parallel = min(parallel, filesAtOnce)
	}
	have := 0
	for _, c := range w.at {
		have += c.N
	}
	chunks := make([]chunk, len(list))
	b, err := k.noted(w, list, chunks, &have)
	if err != nil {
		return err
	}
	var got atomic.Int64
	err = each(ctx, len(list), parallel, func(ctx context.Context, i int) error {
		r, c := list[i], &chunks[i]
		if c.Noted {
			return nil
		}
		defer b.pass(i)
		if err := k.chunk(ctx, r, c, func(need int64) (int64, error) { return b.take(ctx, i, need) }); err != nil {
			return err
		}
		c.Noted = true
		if err := k.r.Note(ctx, k.name(r.part), c); err != nil {
			return err
		}
		k.r.Progress(have+int(got.Add(int64(c.N))), w.max)
		return nil
	})
	if err != nil {
		return err
	}
	for i, r := range list {
		if chunks[i].Why != "" && k.args.Strict {
			return work.Permanent(fmt.Errorf("the channel %s could not be read, and the backup was to be whole or not at all; it was not made: %s", r.place, chunks[i].Why))
		}
		w.done(r, &chunks[i])
	}
	return nil
}

// noted finds the chunks of a wave that are stored already. What they were granted is not granted again.
func (k *taking) noted(w *waves, list []reading, chunks []chunk, have *int) (*budget, error) {
	left := w.budget
	b := newBudget(0)
	for i, r := range list {
		if ok, err := k.r.Noted(k.name(r.part), &chunks[i]); err != nil {
			return nil, err
		} else if ok {
			left -= chunks[i].Granted
			*have += chunks[i].N
			b.pass(i)
		}
	}
	b.left = max(left, 0)
	return b, nil
}

// foundMessages is what the step messages has found.
type foundMessages struct {
	Parts    []string `json:"parts"` // in the order in which they belong into the archive
	Messages int      `json:"messages"`
	Files    int      `json:"files"`
	Report   report   `json:"report"`
}

func (w *waves) result() foundMessages {
	f := foundMessages{Parts: w.parts, Report: w.report}
	for _, c := range w.at {
		f.Messages += c.N
		f.Files += c.Files
	}
	return f
}
