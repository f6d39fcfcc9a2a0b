package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"splashtail/bus"
)

const (
	// saveEvery and saveAfter say how far the stored place may lag behind the stream: a
	// lag only makes a RESUME longer.
	saveEvery = 250 * time.Millisecond
	saveAfter = 256
	// aliveEvery is how often the place of a session without events is stored anew.
	aliveEvery = 20 * time.Second
	// resumable is how long after the last sign of life a stored session is tried.
	// Discord keeps one a few minutes, and the stream knows what it has for five.
	resumable = 3 * time.Minute
	// takenFor is how long a session that took over from others remembers what they had
	// stored: longer than a crash can take back what the stream acknowledged.
	takenFor = time.Minute
)

// place is how far a session is stored, in memory and on the bus.
type place struct {
	key      string
	epoch    string
	sessions *bus.Records[bus.UpstreamSession]
	readies  *bus.Records[bus.ShardReady]
	kick     chan struct{}

	saving sync.Mutex // held while the place is written: of two writes at once one would fail

	mu       sync.Mutex
	now      bus.UpstreamSession // Session is empty until one is known
	ready    *bus.ShardReady     // not stored yet
	unsaved  int
	savedAt  time.Time
	revision uint64
}

func newPlace(u *Upstream, count, shard int) *place {
	return &place{key: bus.UpstreamKey(count, shard), epoch: u.epoch, sessions: u.sessions, readies: u.readies, kick: make(chan struct{}, 1)}
}

// advance takes in an acknowledged event.
func (p *place) advance(u underway, stored uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u.session != nil {
		p.now = bus.UpstreamSession{V: 1, Session: u.session.id, ResumeURL: u.session.url}
		p.ready = &bus.ShardReady{V: 1, Epoch: p.epoch, Stream: stored, Data: u.ready, At: time.Now().UTC()}
		p.unsaved = saveAfter
	}
	p.now.Seq, p.now.At = u.seq, u.at.UTC()
	if p.now.Taken != nil && u.at.Sub(p.now.Taken.At) > takenFor {
		p.now.Taken = nil
	}
	if p.unsaved++; p.unsaved >= saveAfter {
		select {
		case p.kick <- struct{}{}:
		default:
		}
	}
}

// alive notes that Discord still holds the session.
func (p *place) alive(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.At = at.UTC()
}

// skipped are the events of the session that others have stored before it took over, by
// sequence. What a crash has taken out of the stream since is not among them.
func (p *place) skipped(ctx context.Context, b *bus.Bus) (map[int64]bool, error) {
	p.mu.Lock()
	taken := p.now.Taken
	p.mu.Unlock()
	if taken == nil {
		return nil, nil
	}
	info, err := bus.InfoOf(ctx, b, bus.AllDispatches())
	if err != nil {
		return nil, fmt.Errorf("how far the stream reaches is not known: %w", err)
	}
	skip := map[int64]bool{}
	for _, s := range taken.Skip {
		if s[1] <= info.Last {
			skip[int64(s[0])] = true
		}
	}
	return skip, nil
}

// seq is up to where everything is stored.
func (p *place) seq() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now.Seq
}

// session is the one that the place is in; empty when there is none.
func (p *place) session() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now.Session
}

// run stores the place until ctx ends or somebody else has written it, which is then the
// error: another process holds the shard. That it cannot be stored is said once, until it
// can: it goes on to be tried.
func (p *place) run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-p.kick:
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		err := p.save(ctx)
		switch {
		case bus.IsCode(err, bus.CodeConflict):
			return err
		case err != nil && !failing && ctx.Err() == nil:
			log.Warn("a crash now would make the next RESUME longer; trying again", "err", err)
		}
		failing = err != nil
	}
}

// save stores the place if it moved. READY is stored first: who finds the session finds
// what it began with.
func (p *place) save(ctx context.Context) error {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	now, ready, revision := p.now, p.ready, p.revision
	due := p.unsaved > 0 || now.At.Sub(p.savedAt) > aliveEvery
	unsaved := p.unsaved
	p.mu.Unlock()
	if now.Session == "" || !due {
		return nil
	}
	if ready != nil {
		if _, err := p.readies.Put(ctx, p.key, *ready); err != nil {
			return fmt.Errorf("what READY said was not stored: %w", err)
		}
	}
	revision, err := p.write(ctx, now, revision)
	if err != nil {
		return fmt.Errorf("the place of a session was not stored: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision, p.savedAt = revision, now.At
	p.unsaved -= unsaved
	if p.ready == ready {
		p.ready = nil
	}
	return nil
}

// write is compare-and-set, so that a holder that was paused notices its successor. A
// record of the same session is none of somebody else's making that matters: a write of
// ours whose answer was lost, or the last one of a former holder.
func (p *place) write(ctx context.Context, now bus.UpstreamSession, revision uint64) (uint64, error) {
	next, err := p.put(ctx, now, revision)
	if !bus.IsCode(err, bus.CodeConflict) {
		return next, err
	}
	found, gerr := p.sessions.Get(ctx, p.key)
	if gerr != nil || found.Value.Session != now.Session {
		return 0, err
	}
	return p.put(ctx, now, found.Revision)
}

func (p *place) put(ctx context.Context, now bus.UpstreamSession, revision uint64) (uint64, error) {
	if revision == 0 {
		return p.sessions.Create(ctx, p.key, now)
	}
	return p.sessions.Update(ctx, p.key, now, revision)
}

// load takes over the session that the last holder of the shard left; nil when there is
// none that can be resumed.
//
// The stream acknowledges before it writes to disk, so a crash may have taken its last
// events while the place of them was kept. What the stream really has decides: from its
// last event on Discord sends again.
func (p *place) load(ctx context.Context, b *bus.Bus, shard int, now time.Time) (*session, error) {
	found, err := p.sessions.Get(ctx, p.key)
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the session of before cannot be read: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision = found.Revision
	if now.Sub(found.Value.At) > resumable {
		return nil, nil
	}
	last, err := bus.Last(ctx, b, bus.DispatchesOfShard(shard))
	switch {
	case bus.IsCode(err, bus.CodeNotFound): // all of them are too old for the stream
	case err != nil:
		return nil, fmt.Errorf("the last stored event cannot be read: %w", err)
	case last.Value.Session != found.Value.Session && found.Value.Taken != nil:
		found.Value.Seq = min(found.Value.Seq, found.Value.Taken.From)
	case last.Value.Session != found.Value.Session:
		return nil, nil // READY itself was lost, and it is not sent again
	default:
		found.Value.Seq = min(found.Value.Seq, last.Value.Seq)
	}
	p.now, p.savedAt = found.Value, found.Value.At
	return &session{id: p.now.Session, url: p.now.ResumeURL}, nil
}
