package upstream

import (
	"context"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// flow is messages in every guild that come as fast as they are stored and no faster, so
// that on a busy machine what is under way does not grow.
type flow struct {
	w       *world
	written []int // per guild

	mu   sync.Mutex
	last map[bus.GuildID]int // number of the newest message that is stored
	news chan struct{}       // closed and replaced when last changes
}

func (w *world) newFlow() *flow {
	f := &flow{w: w, written: make([]int, len(w.guilds)), last: map[bus.GuildID]int{}, news: make(chan struct{})}
	go func() {
		err := bus.Follow(w.t.Context(), w.b, bus.Follower{}, bus.DispatchesNamed("MESSAGE_CREATE"), 1, f.stored)
		if err != nil && w.t.Context().Err() == nil {
			w.t.Errorf("reading the stream: %v", err)
		}
	}()
	return f
}

func (f *flow) stored(_ context.Context, ms []bus.Delivery[bus.Dispatch]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range ms {
		n, err := burstNumber(m.Value.Data)
		if err != nil {
			return err
		}
		f.last[m.Value.Guild] = n
	}
	close(f.news)
	f.news = make(chan struct{})
	return nil
}

// await waits until message n of a guild is stored.
func (f *flow) await(g bus.GuildID, n int) {
	late := time.After(2 * patience)
	for {
		f.mu.Lock()
		have, news := f.last[g], f.news
		f.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-news:
		case <-f.w.t.Context().Done():
			return
		case <-late:
			f.w.t.Errorf("of guild %s message %d is stored, and never %d", g, have, n)
			return
		}
	}
}

// begin lets it flow until end is called, and then some more.
func (f *flow) begin() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range f.w.guilds {
		all.Go(func() { f.write(ctx, i) })
	}
	end = func() { cancel(); all.Wait() }
	f.w.t.Cleanup(end)
	return end
}

func (f *flow) write(ctx context.Context, i int) {
	const ahead, rate = 2, 30
	for last := false; !last; f.written[i]++ {
		last = ctx.Err() != nil
		f.await(bus.GuildID(f.w.guilds[i]), f.written[i]-ahead)
		b := sandbox.Burst{Guild: f.w.guilds[i], Channel: f.w.channels[i], Author: f.w.owner, Count: 1, First: f.written[i] + 1, Rate: rate}
		if err := f.w.d.Burst(f.w.t.Context(), b); err != nil {
			if f.w.t.Context().Err() == nil {
				f.w.t.Errorf("the messages of guild %d: %v", i, err)
			}
			return
		}
	}
}
