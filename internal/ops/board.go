package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Condition tells whether one thing that the process needs holds now. It returns nil when it does, and otherwise what
// is wrong, in words that may be shown to whoever reaches the ops listener. It must return soon after ctx ends.
type Condition func(ctx context.Context) error

// Board holds the conditions of a process. The zero value is not usable; New makes one.
type Board struct {
	mu    sync.Mutex
	conds map[string]Condition
}

// NewBoard makes an empty board. An empty board is not ready: main puts the first condition up before it starts anything.
func NewBoard() *Board { return &Board{conds: map[string]Condition{}} }

// Set puts a condition up or replaces the one of that name.
func (b *Board) Set(name string, c Condition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conds[name] = c
}

// Fail puts up a condition that does not hold, with the reason.
func (b *Board) Fail(name, reason string) {
	err := errors.New(reason)
	b.Set(name, func(context.Context) error { return err })
}

// Report is the answer of one look at the board; it is the body of /readyz.
type Report struct {
	Ready      bool    `json:"ready"`
	Conditions []State `json:"conditions"` // sorted by name
}

// State is one condition in a Report.
type State struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not
}

// Check asks all conditions at the same time. One that has not answered when ctx ends counts as not holding.
func (b *Board) Check(ctx context.Context) Report {
	b.mu.Lock()
	answers := make(chan State, len(b.conds))
	rep := Report{Ready: len(b.conds) > 0, Conditions: make([]State, 0, len(b.conds))}
	waiting := make(map[string]bool, len(b.conds))
	for name, c := range b.conds {
		waiting[name] = true
		go func() { answers <- ask(ctx, name, c) }()
	}
	b.mu.Unlock()

	for len(waiting) > 0 {
		select {
		case s := <-answers:
			delete(waiting, s.Name)
			rep.add(s)
		case <-ctx.Done():
			for name := range waiting {
				rep.add(State{Name: name, Reason: "no answer in time"})
			}
			clear(waiting)
		}
	}
	slices.SortFunc(rep.Conditions, func(x, y State) int { return cmp.Compare(x.Name, y.Name) })
	return rep
}

func (r *Report) add(s State) {
	r.Conditions = append(r.Conditions, s)
	r.Ready = r.Ready && s.OK
}

// ask runs one condition; a panic in it is a reason, not the end of the process.
func ask(ctx context.Context, name string, c Condition) (s State) {
	defer func() {
		if p := recover(); p != nil {
			s = State{Name: name, Reason: fmt.Sprintf("the check itself broke: %v", p)}
		}
	}()
	if err := c(ctx); err != nil {
		return State{Name: name, Reason: err.Error()}
	}
	return State{Name: name, OK: true}
}
