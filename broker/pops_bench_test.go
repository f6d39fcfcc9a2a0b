package broker

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// pops takes the elements of sampled clients out of Redis the moment they are there, as
// AutoMuteUs would.
type pops struct {
	rdb    *redis.Client
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu         sync.Mutex
	took       []time.Duration
	misordered int
}

func newPops(addr string) *pops {
	p := &pops{}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if addr != "" {
		p.rdb = redis.NewClient(&redis.Options{Addr: addr, PoolSize: 1024, ReadTimeout: -1, Protocol: 2, DisableIdentity: true})
	}
	return p
}

// watch pops one client's list until stop.
func (p *pops) watch(k *loadClient) {
	p.wg.Go(func() {
		for p.ctx.Err() == nil {
			pair, err := p.rdb.BLPop(p.ctx, 0, "automuteus:jobs:"+k.code).Result()
			now := time.Now()
			if err != nil {
				return
			}
			n, at, ok := readStamp(pair[1])
			if !ok {
				continue // about its connection
			}
			k.mu.Lock()
			inOrder := n == k.seen+1
			k.seen = n
			k.mu.Unlock()
			p.mu.Lock()
			p.took = append(p.took, now.Sub(at))
			if !inOrder {
				p.misordered++
			}
			p.mu.Unlock()
		}
	})
}

func (k *loadClient) popped() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen
}

// readStamp finds the number and the time that event put into an element.
func readStamp(element string) (n int, at time.Time, ok bool) {
	_, rest, found := strings.Cut(element, `\"n\":`)
	if !found {
		return 0, time.Time{}, false
	}
	number, rest, _ := strings.Cut(rest, ",")
	n, err := strconv.Atoi(number)
	_, rest, _ = strings.Cut(rest, `\"t\":`)
	nanos, _, _ := strings.Cut(rest, "}")
	ns, err2 := strconv.ParseInt(nanos, 10, 64)
	return n, time.Unix(0, ns), err == nil && err2 == nil
}

// await returns when every sampled event was popped, or after a while.
func (p *pops) await(sampled []*loadClient) {
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if !slices.ContainsFunc(sampled, func(k *loadClient) bool { return k.popped() < k.sent }) {
			return
		}
		<-tick.C
	}
}

func (p *pops) stop() {
	p.cancel()
	if p.rdb != nil {
		_ = p.rdb.Close() // nothing is left to pop
	}
	p.wg.Wait()
}

func (p *pops) summary(r *loadReport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Seen, r.Misordered = len(p.took), p.misordered
	if len(p.took) == 0 {
		return
	}
	slices.Sort(p.took)
	at := func(q float64) time.Duration { return p.took[int(q*float64(len(p.took)-1))] }
	r.P50, r.P99, r.Max = at(.5), at(.99), at(1)
}
