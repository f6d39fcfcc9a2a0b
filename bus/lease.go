package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The kinds of leases; the first token of their keys.
const (
	leaseOwner  = "owner"
	leaseBroker = "broker"
	leaseEdge   = "edge"
	leaseSweep  = "sweep"
	leaseVoice  = "voice"
	leaseShard  = "shard"
	leaseBot    = "bot"
	leaseJobs   = "jobs"
)

// LeaseKey names a sole right.
type LeaseKey struct{ s string }

// String gives the key in the bucket LEASES.
func (k LeaseKey) String() string { return k.s }

// BrokerLease is held by a broker process while it lives.
func BrokerLease(instance string) LeaseKey { return LeaseKey{join(leaseBroker, instance)} }

// CaptureEdgeLease is the right to write capture events to Redis.
func CaptureEdgeLease() LeaseKey { return LeaseKey{join(leaseEdge, "capture")} }

// CaptureSweepLease is the right to report capture clients whose broker died.
func CaptureSweepLease() LeaseKey { return LeaseKey{join(leaseSweep, "capture")} }

// VoiceLease is the right to send a guild's voice changes to Discord.
func VoiceLease(g GuildID) LeaseKey { return LeaseKey{join(leaseVoice, g.String())} }

// ShardLease is the right to hold a shard's session with Discord.
func ShardLease(shards, shard int) LeaseKey {
	return LeaseKey{join(leaseShard, strconv.Itoa(shards), strconv.Itoa(shard))}
}

// BotLease is the right to act on the events of a shard.
func BotLease(shard int) LeaseKey { return LeaseKey{join(leaseBot, strconv.Itoa(shard))} }

// LiveBrokers holds the leases of broker processes, under the instance, so that
// others can watch who lives.
func LiveBrokers() Kept[LeaseHolder] {
	return Kept[LeaseHolder]{bucket: bucketLeases, prefix: leaseBroker + "."}
}

// LeaseHolder is the value of a lease.
type LeaseHolder struct {
	V      int       `json:"v"`
	Holder string    `json:"holder"`
	Since  time.Time `json:"since"`
}

// Lease is a sole right that ends by itself when its holder does.
type Lease struct {
	b     *Bus
	kv    jetstream.KeyValue
	key   LeaseKey
	ttl   time.Duration
	value []byte
	token uint64 // revision at which we got it
	lost  chan struct{}
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu  sync.Mutex
	rev uint64 // of the last renewal
}

// minLease is the shortest time to live: JetStream counts it in whole seconds.
const minLease = time.Second

// Acquire takes the right for holder or fails with CodeConflict while somebody else
// has it. It is renewed every third of ttl until Release or until ctx ends, which
// gives it up. ttl is at least 1 s.
func Acquire(ctx context.Context, b *Bus, key LeaseKey, ttl time.Duration, holder string) (*Lease, error) {
	kv, err := b.js.KeyValue(ctx, bucketLeases)
	if err != nil {
		return nil, AsError(err)
	}
	value, err := json.Marshal(LeaseHolder{V: 1, Holder: holder, Since: time.Now().UTC()})
	if err != nil {
		return nil, AsError(err)
	}
	l := &Lease{b: b, kv: kv, key: key, ttl: max(ttl, minLease), value: value, lost: make(chan struct{})}
	call, cancel := bound(ctx, callTimeout)
	defer cancel()
	begin := time.Now()
	l.token, err = kv.Create(call, key.s, value, jetstream.KeyTTL(l.ttl))
	if err != nil {
		return nil, AsError(err)
	}
	l.rev = l.token
	run, stop := context.WithCancel(ctx)
	l.stop = stop
	l.ended.Go(func() { l.renew(run, begin) })
	return l, nil
}

// AwaitLease takes the right as soon as nobody has it, or returns ctx's error.
func AwaitLease(ctx context.Context, b *Bus, key LeaseKey, ttl time.Duration, holder string) (*Lease, error) {
	for {
		l, err := Acquire(ctx, b, key, ttl, holder)
		if err == nil || ctx.Err() != nil {
			return l, err
		}
		if !IsCode(err, CodeConflict) {
			b.log.Warn("a lease cannot be asked for; trying again", "lease", key.s, "err", err)
			sleep(ctx, time.Second)
			continue
		}
		b.awaitFree(ctx, key, max(ttl, minLease))
	}
}

// awaitFree returns when the key was removed or expired, at the latest after ttl.
func (b *Bus) awaitFree(ctx context.Context, key LeaseKey, ttl time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, ttl)
	defer cancel()
	kv, err := b.js.KeyValue(ctx, bucketLeases)
	if err != nil {
		sleep(ctx, time.Second)
		return
	}
	w, err := kv.Watch(ctx, key.s)
	if err != nil {
		sleep(ctx, time.Second)
		return
	}
	defer func() { _ = w.Stop() }()
	held := false
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return
			case e == nil: // all that existed was told
				if !held {
					return
				}
			case e.Operation() == jetstream.KeyValuePut:
				held = true
			default:
				return
			}
		}
	}
}

// Token is the fencing token: a later holder's is greater. It may be written with
// what the right protects, so that a paused former holder is noticed.
func (l *Lease) Token() uint64 { return l.token }

// Lost is closed when the right is no longer ours: taken, expired, or not renewed in
// time. Work that needs it must stop then.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Context gives a context that ends with ctx or when the lease is lost.
func (l *Lease) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-l.lost:
			cancel(Errorf(CodeConflict, "lease_lost", "the lease %s was lost", l.key.s))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// Release gives the right up so that another can take it at once.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	l.ended.Wait()
	l.mu.Lock()
	rev := l.rev
	l.mu.Unlock()
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	err := l.kv.Purge(ctx, l.key.s, jetstream.LastRevision(rev), jetstream.PurgeTTL(time.Minute))
	if IsCode(err, CodeConflict) {
		return nil // somebody else has it already
	}
	return err
}

// renew keeps the lease alive until ctx ends, and closes lost at its end.
func (l *Lease) renew(ctx context.Context, last time.Time) {
	defer close(l.lost)
	tick := time.NewTicker(l.ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begin := time.Now()
		err := l.renewOnce(ctx)
		switch {
		case err == nil:
			last = begin
		case IsCode(err, CodeConflict) || time.Since(last) > l.ttl*2/3:
			if ctx.Err() == nil {
				l.b.log.Warn("a lease was lost", "lease", l.key.s, "err", err)
			}
			return
		}
	}
}

// renewOnce writes the lease again with a new time to live. The library's Update
// would drop the time to live and leave the key for ever.
func (l *Lease) renewOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/3)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &nats.Msg{Subject: kvSubject(bucketLeases, l.key.s), Data: l.value, Header: nats.Header{
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(l.rev, 10)},
		jetstream.MsgTTLHeader:              {l.ttl.String()},
	}}
	ack, err := l.b.js.PublishMsg(ctx, m)
	switch {
	case err == nil:
		l.rev = ack.Sequence
		return nil
	case IsCode(err, CodeConflict):
		return l.adopt(ctx, AsError(err))
	}
	return AsError(err)
}

// adopt takes a revision for ours that carries our value: an earlier renewal was
// stored, and only its answer came too late. Nobody else writes that value, since it
// holds the instant at which we got the lease.
func (l *Lease) adopt(ctx context.Context, conflict error) error {
	e, err := l.kv.Get(ctx, l.key.s)
	if err != nil || !bytes.Equal(e.Value(), l.value) {
		return conflict
	}
	l.rev = e.Revision()
	return nil
}
