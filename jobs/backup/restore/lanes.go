package restore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// Nearly all of Discord's limits are of one kind of thing or of one channel, so a plan goes in lanes: the steps of a lane are
// done one after the other, as they stand in the plan, while others go on. Emojis, of which Discord takes fifty an hour, hold
// nobody up who does not need them, and hundreds of channels are written into at a time. No two creations of one kind are on
// their way at once (threads: of one channel), so that what is looked up after a crash is as clear as if there were one lane.

// writers is how many channels are written into at a time. One takes 30 messages a minute, so it needs a hundred to fill what
// Discord takes of one address.
const writers = 128

// lane is some steps, by their places in the plan.
type lane struct {
	steps []int
	size  int // how many messages it writes
}

// ending says that a step is over, or that this attempt does not come to it.
type ending struct {
	over chan struct{}
	err  error // why the attempt does not come to it; set before over is closed
}

// laneOf names the lane of a step; words are in that of their channel.
func laneOf(s plan.Step) string {
	switch s.Kind {
	case plan.Role, plan.RoleOrder:
		return string(plan.Role)
	case plan.Emoji, plan.Sticker, plan.Sound, plan.Ban, plan.Member:
		return string(s.Kind)
	}
	return string(plan.Channel)
}

// lanes divides the steps that act: what makes up the server, and what people wrote there by channel.
func (x *run) lanes() (server, words []*lane) {
	byName := map[string]*lane{}
	parent := map[model.ID]string{} // of threads that are made
	for i, s := range x.plan.Steps {
		if !s.Acts() {
			continue
		}
		name, list := laneOf(s), &server
		if s.Kind == plan.Thread || s.Kind == plan.Messages {
			list = &words
			name = string(s.ID)
			if s.Kind == plan.Thread {
				s.Get("parent_id", &name)
				name = strings.TrimPrefix(name, "+") // one that is made has the lane of its words, as one that was emptied
				parent[s.ID] = name
			} else if p, ok := parent[s.ID]; ok {
				name = p
			}
		}
		l := byName[name]
		if l == nil {
			l = &lane{}
			byName[name] = l
			*list = append(*list, l)
		}
		n := 0
		s.Get("count", &n)
		l.steps, l.size = append(l.steps, i), l.size+n
	}
	slices.SortStableFunc(words, func(a, b *lane) int { return cmp.Compare(b.size, a.size) })
	return server, words
}

// prepare finds out what waits for what. A step waits for earlier ones only, so none waits for ever.
func (x *run) prepare() {
	x.ends, x.needs = make([]*ending, len(x.plan.Steps)), make([][]int, len(x.plan.Steps))
	var ranks []int // steps that make or change roles
	everyone := -1
	changed := map[model.ID]int{} // the steps that change channels, such as their type when there is a community
	for i, s := range x.plan.Steps {
		x.ends[i] = &ending{over: make(chan struct{})}
		if !s.Acts() {
			close(x.ends[i].over)
			continue
		}
		x.needs[i] = x.named(s)
		switch {
		case s.Kind == plan.Role && s.Op != plan.Delete:
			ranks = append(ranks, i)
			if s.Op == plan.Update && string(s.ID) == x.guild {
				everyone = i
			}
		case s.Kind == plan.Member:
			x.needs[i] = append(x.needs[i], ranks...) // nobody gets a role before it is put right
		case s.Kind == plan.Channel && s.Op == plan.Update:
			changed[s.ID] = i
		case s.Kind == plan.Thread:
			var parent model.ID
			s.Get("parent_id", &parent)
			if on, ok := changed[parent]; ok {
				x.needs[i] = append(x.needs[i], on)
			}
		case s.Kind == plan.Settings && everyone >= 0:
			x.needs[i] = append(x.needs[i], everyone) // what everyone may do decides about being a community
		}
		if s.Op == plan.Create && s.Kind != plan.Messages {
			x.makers["+"+s.ID] = i
		}
	}
}

// named gives the earlier steps that make what a step names. Threads are not among them: they are in the step's own lane.
func (x *run) named(s plan.Step) []int {
	var all []int
	add := func(ref model.ID) {
		if i, ok := x.makers[ref]; ok && x.plan.Steps[i].Kind != plan.Thread {
			all = append(all, i)
		}
	}
	add(s.ID)
	if s.Kind == plan.Messages {
		add("+" + s.ID)
	}
	for _, f := range s.Fields {
		for d := json.NewDecoder(bytes.NewReader(f.After)); ; {
			token, err := d.Token()
			if err != nil {
				break
			}
			if text, ok := token.(string); ok {
				add(model.ID(text))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// neededFirst puts the creations of a lane that other parts of the server wait for before the others.
func (x *run) neededFirst(l *lane) {
	needed := map[int]bool{}
	for _, list := range x.needs {
		for _, i := range list {
			needed[i] = true
		}
	}
	var at, creates []int
	for n, i := range l.steps {
		if x.plan.Steps[i].Op == plan.Create {
			at, creates = append(at, n), append(creates, i)
		}
	}
	rank := func(i int) int {
		if needed[i] {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(creates, func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	for n, i := range creates {
		l.steps[at[n]] = i
	}
}

// steps does all steps. A lane that has to wait long ends, and the others go on; then the job comes back for the rest.
func (x *run) steps(ctx context.Context) error {
	x.prepare()
	server, words := x.lanes()
	g, within := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var later *work.SnoozeError
	begin := func(follow func() error) {
		g.Go(func() error {
			err := follow()
			var wait *work.SnoozeError
			if !errors.As(err, &wait) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if later == nil || wait.Until.Before(later.Until) {
				later = wait
			}
			return nil
		})
	}
	for _, l := range server {
		if len(l.steps) > 0 && x.plan.Steps[l.steps[0]].Kind == plan.Emoji {
			x.neededFirst(l)
		}
		begin(func() error { return x.follow(within, l) })
	}
	s := &slots{free: writers}
	for _, l := range words {
		begin(func() error { return x.followWords(within, l, s) })
	}
	if err := g.Wait(); err != nil {
		if ctx.Err() != nil {
			// Calls of several lanes were cut off. They reach Discord before the next worker looks what there is.
			_ = wait(context.WithoutCancel(ctx), x.settle())
		}
		return err
	}
	if later != nil {
		return later
	}
	return ctx.Err()
}

// follow does the steps of a lane. Whoever waits for one that it does not come to learns why.
func (x *run) follow(ctx context.Context, l *lane) (err error) {
	for n, i := range l.steps {
		for _, on := range x.needs[i] {
			if err = x.await(ctx, on); err != nil {
				break
			}
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = x.step(ctx, i)
		}
		if err != nil {
			for _, rest := range l.steps[n:] {
				x.ends[rest].err = err
				close(x.ends[rest].over)
			}
			return err
		}
		close(x.ends[i].over)
	}
	return nil
}

// followWords does the steps of a channel's words once the channel is there and few enough others write.
func (x *run) followWords(ctx context.Context, l *lane, s *slots) error {
	for _, on := range x.needs[l.steps[0]] {
		if err := x.await(ctx, on); err != nil {
			return err
		}
	}
	if err := s.take(ctx, l.size); err != nil {
		return err
	}
	defer s.give()
	return x.follow(ctx, l)
}

// await waits for the end of a step.
func (x *run) await(ctx context.Context, step int) error {
	select {
	case <-x.ends[step].over:
		return x.ends[step].err
	default:
	}
	select {
	case <-x.ends[step].over:
		return x.ends[step].err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slots let so many write at a time, the longest of those that wait first: what comes last is short then.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting []*slotWait
}

type slotWait struct {
	size int
	turn chan struct{}
}

// take waits for a slot. It gives none when ctx ends.
func (s *slots) take(ctx context.Context, size int) error {
	s.mu.Lock()
	w := &slotWait{size, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.next()
	s.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		s.free++ // it came at the same moment
		s.next()
	}
	return ctx.Err()
}

// give gives a slot back.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	s.next()
}

// next gives free slots to the longest that wait.
func (s *slots) next() {
	for s.free > 0 && len(s.waiting) > 0 {
		longest := 0
		for i, w := range s.waiting {
			if w.size > s.waiting[longest].size {
				longest = i
			}
		}
		close(s.waiting[longest].turn)
		s.waiting = slices.Delete(s.waiting, longest, longest+1)
		s.free--
	}
}
