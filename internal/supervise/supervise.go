// Package supervise starts the parts of a process in order, waits until each one serves, and takes them down again
// within a bound.
//
// What comes in: parts, each with a name, a tier and a Run function that returns when its context ends. What goes out:
// one error that names the part that broke, or the parts that did not stop in time. It knows nothing of the bus or of
// Discord; components.go says what runs and in which tier. Open this file first, there is no other.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Part is one thing that runs until it is told to stop.
type Part struct {
	// Name stands in every error and progress line about this part.
	Name string
	// Tier orders the stop: all parts of the lowest tier stop together first, the highest tier stops last. So intake
	// has a low tier and what the others need in order to finish has a high one.
	Tier int
	// Run serves until ctx ends and returns nil once everything it owns has ended. Any return before that is a failure.
	Run func(ctx context.Context) error
	// Ready closes when the part serves; nil means that it serves as soon as Run has been called.
	Ready <-chan struct{}
}

// ErrSlowStop is wrapped by the error of Stop when the bound passed while parts were still running.
var ErrSlowStop = errors.New("still running when the bound for stopping passed")

// ErrSlowStart is wrapped by the error of Start when a part was not ready within its bound.
var ErrSlowStart = errors.New("not ready when the bound for starting passed")

// Bounds says how long the steps of a life may take. Zero values mean 30 s to start a part and 15 s to stop them all.
type Bounds struct {
	Start time.Duration // one part, from Run to Ready
	Stop  time.Duration // all parts together
}

// Group is a set of running parts. Use one goroutine to start, wait and stop.
type Group struct {
	log    *slog.Logger
	bounds Bounds

	running []*running
	failed  chan struct{} // closed at the first failure

	mu     sync.Mutex
	cause  error // the first failure, with the name of its part
	broken *running
}

// running is a started part with its way to end it and its end.
type running struct {
	Part
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid once done is closed
}

// New makes an empty group. Progress is logged to log with the part as `component`.
func New(log *slog.Logger, b Bounds) *Group {
	if b.Start <= 0 {
		b.Start = 30 * time.Second
	}
	if b.Stop <= 0 {
		b.Stop = 15 * time.Second
	}
	return &Group{log: log, bounds: b, failed: make(chan struct{})}
}

// Start runs p and returns when it is ready. It fails when p ends or does not become ready in time, when a part that
// was started before fails meanwhile, and when ctx ends. The part keeps running until Stop either way: the end of ctx
// does not reach it, so that parts end in the order of their tiers.
func (g *Group) Start(ctx context.Context, p Part) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{Part: p, cancel: cancel, done: make(chan struct{})}
	g.running = append(g.running, r)
	began := time.Now()
	go g.run(own, r)

	ready := p.Ready
	if ready == nil {
		open := make(chan struct{})
		close(open)
		ready = open
	}
	bound := time.NewTimer(g.bounds.Start)
	defer bound.Stop()
	select {
	case <-ready:
		g.log.Debug("ready", "component", p.Name, "took", time.Since(began).Round(time.Millisecond))
		return nil
	case <-g.failed:
		return g.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-bound.C:
		return fmt.Errorf("%s: %w (%v); nothing was undone, see its log lines above for what it waits for", p.Name, ErrSlowStart, g.bounds.Start)
	}
}

// run is the goroutine of one part.
func (g *Group) run(ctx context.Context, r *running) {
	defer close(r.done)
	r.err = r.Run(ctx)
	if ctx.Err() == nil {
		g.fail(r)
	}
}

// fail keeps the first failure and wakes Start and Wait.
func (g *Group) fail(r *running) {
	err := r.err
	if err == nil {
		err = errors.New("ended by itself, although nobody asked it to")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		g.broken, g.cause = r, fmt.Errorf("%s: %w", r.Name, err)
		close(g.failed)
	}
}

func (g *Group) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// Wait blocks until ctx ends (nil) or a part fails (the error names it).
func (g *Group) Wait(ctx context.Context) error {
	select {
	case <-g.failed:
		return g.failure()
	case <-ctx.Done():
		return nil
	}
}

// Stop ends the parts tier by tier, lowest first, and waits for each tier before the next; within a tier they stop at
// the same time. The error joins what parts returned while stopping. When the bound passes, the rest is told to stop
// at once and the error wraps ErrSlowStop and names the parts that still run.
func (g *Group) Stop() error {
	bound := time.NewTimer(g.bounds.Stop)
	defer bound.Stop()
	var faults []error
	left := g.running
	for len(left) > 0 {
		var tier []*running
		tier, left = lowest(left)
		tier = slices.DeleteFunc(tier, g.isCause)
		for _, r := range tier {
			g.log.Info("stopping", "component", r.Name)
			r.cancel()
		}
		for i, r := range tier {
			began := time.Now()
			select {
			case <-r.done:
			case <-bound.C:
				return errors.Join(append(faults, g.abandon(append(tier[i:], left...)))...)
			}
			if r.err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", r.Name, r.err))
			}
			g.log.Info("stopped", "component", r.Name, "took", time.Since(began).Round(time.Millisecond))
		}
	}
	return errors.Join(faults...)
}

// isCause tells whether r is the part that has ended already and whose failure Wait or Start has returned.
func (g *Group) isCause(r *running) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken == r
}

// abandon cancels what is left and names what has not ended.
func (g *Group) abandon(left []*running) error {
	var names []string
	for _, r := range left {
		r.cancel()
		select {
		case <-r.done:
		default:
			names = append(names, r.Name)
		}
	}
	return fmt.Errorf("%s: %w (%v)", strings.Join(names, ", "), ErrSlowStop, g.bounds.Stop)
}

// lowest splits off the parts of the lowest tier, keeping the order of start.
func lowest(parts []*running) (tier, rest []*running) {
	low := parts[0].Tier
	for _, r := range parts {
		low = min(low, r.Tier)
	}
	for _, r := range parts {
		if r.Tier == low {
			tier = append(tier, r)
		} else {
			rest = append(rest, r)
		}
	}
	return tier, rest
}
