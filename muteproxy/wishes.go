package muteproxy

import (
	"context"
	"maps"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// wishes knows every member's record, stores new wishes, tells their posters what
// became of them, and gives what is left to do to the guild's goroutine.
type wishes struct {
	m        *Muteproxy
	store    *bus.Records[bus.VoiceRecord]
	caughtUp chan struct{} // closed once every stored record is known

	mu      sync.Mutex
	known   map[member]bus.Entry[bus.VoiceRecord] // the newest revision of each
	waiting map[member][]*waiter
	ours    map[string]bool      // ids of wishes whose request has not been handed on as a whole yet
	owed    map[member]time.Time // unsettled and not due before then
	guilds  map[bus.GuildID]*guild

	quit    chan struct{}   // closed when a stop begins: no new calls
	calls   context.Context // of calls to Discord; ends when a stop has no patience any more
	cut     context.CancelFunc
	working sync.WaitGroup // guilds, and what they have under way
}

// member names a guild's member.
type member struct {
	guild bus.GuildID
	user  bus.UserID
}

func (m member) key() string { return bus.VoiceKey(m.guild, m.user) }

func openWishes(ctx context.Context, m *Muteproxy) (*wishes, error) {
	store, err := bus.OpenRecords(ctx, m.bus, bus.VoiceRecords())
	if err != nil {
		return nil, err
	}
	w := &wishes{m: m, store: store, caughtUp: make(chan struct{}), quit: make(chan struct{}),
		known: map[member]bus.Entry[bus.VoiceRecord]{}, waiting: map[member][]*waiter{},
		ours: map[string]bool{}, owed: map[member]time.Time{}, guilds: map[bus.GuildID]*guild{}}
	w.calls, w.cut = context.WithCancel(context.WithoutCancel(ctx))
	return w, nil
}

// run follows the bucket, wakes what has become due and removes what is old, until
// ctx ends and every guild has stopped.
func (w *wishes) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { w.follow(ctx) })
	running.Go(func() { w.tidy(ctx) })
	running.Wait()
	w.working.Wait()
	w.cut()
}

// follow keeps known up to date with what every instance writes.
func (w *wishes) follow(ctx context.Context) {
	var once sync.Once
	for ctx.Err() == nil {
		err := w.store.Watch(ctx, ">", func(e bus.Entry[bus.VoiceRecord], live bool) error {
			if live {
				once.Do(func() { close(w.caughtUp) })
				return nil
			}
			guild, user, err := bus.ParseVoiceKey(e.Key)
			if err != nil {
				w.m.log.Warn("a record with a strange key is passed over", "err", err)
				return nil
			}
			w.learn(member{guild, user}, e)
			return nil
		})
		if err != nil {
			w.m.log.Warn("the watch of voice records ended; starting it again", "err", err)
			pause.For(ctx, 250*time.Millisecond)
		}
	}
}

// request is the wished state of one member.
type request struct {
	user  bus.UserID
	state bus.VoiceState
}

// sameFor is how long a state that was applied counts as still being so where no gateway
// tells. Later a moderator may have changed it, and the wish is sent again.
const sameFor = 30 * time.Second

// post stores what is wished and returns one waiter per request. The wishes are
// handed on together, so that the most urgent of them goes first.
func (w *wishes) post(ctx context.Context, guild bus.GuildID, code string, tier int, requests []request) []*waiter {
	w.reach(guild)
	waiters := make([]*waiter, len(requests))
	writes := make([]*bus.Write, len(requests))
	records := make([]bus.VoiceRecord, len(requests))
	for i, r := range requests {
		waiters[i] = &waiter{who: member{guild, r.user}, done: make(chan outcome, 1)}
		writes[i], records[i] = w.begin(ctx, waiters[i], r, code, tier)
	}
	for i, wr := range writes {
		if wr == nil {
			continue
		}
		rev, err := wr.Wait(ctx)
		if err != nil {
			w.notStored(waiters[i], err)
			continue
		}
		w.stored(waiters[i], bus.Entry[bus.VoiceRecord]{Key: waiters[i].who.key(), Revision: rev, Value: records[i]})
	}
	w.handOn(guild, waiters)
	return waiters
}

// begin starts to store one wish, unless it is known to be fulfilled.
func (w *wishes) begin(ctx context.Context, wt *waiter, r request, code string, tier int) (*bus.Write, bus.VoiceRecord) {
	now := time.Now().UTC()
	w.mu.Lock()
	last := w.known[wt.who].Value
	w.mu.Unlock()
	if w.fulfilled(wt.who, last, r.state, now) && w.newest(ctx, wt.who, last) {
		w.m.metrics.repeated.Inc()
		wt.done <- outcome{lane: last.Applied.Lane}
		return nil, last
	}
	w.mu.Lock()
	wt.id = newTaskID()
	w.waiting[wt.who] = append(w.waiting[wt.who], wt)
	w.ours[wt.id] = true
	w.mu.Unlock()

	w.m.metrics.wishes.Inc()
	rec := bus.VoiceRecord{V: 1, Wish: bus.VoiceWish{VoiceState: r.state, ID: wt.id, Tier: tier, Code: code, At: now}, Applied: last.Applied}
	wr, err := w.store.BeginPut(wt.who.key(), rec)
	if err != nil {
		w.notStored(wt, err)
		return nil, rec
	}
	return wr, rec
}

// fulfilled says whether a record's wish is the wished state and the member stands so.
func (w *wishes) fulfilled(who member, rec bus.VoiceRecord, wish bus.VoiceState, now time.Time) bool {
	return rec.Wish.VoiceState == wish && rec.Applied != nil && rec.Applied.WishID == rec.Wish.ID && w.m.voices.stands(who, wish, rec.Applied, now)
}

// newest says whether a record's wish is the newest that is stored: another instance may
// have stored one that has not reached us.
func (w *wishes) newest(ctx context.Context, who member, rec bus.VoiceRecord) bool {
	e, err := w.store.Get(ctx, who.key())
	return err == nil && e.Value.Wish.ID == rec.Wish.ID
}

func (w *wishes) notStored(wt *waiter, err error) {
	w.m.log.Error("a wish was not stored in time; its poster is told that it failed", "guild", wt.who.guild, "user", wt.who.user, "err", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ours, wt.id)
	w.resolve(wt, outcome{failed: &bus.VoiceFailed{Reason: "not_stored", At: time.Now().UTC()}})
}

func (w *wishes) stored(wt *waiter, e bus.Entry[bus.VoiceRecord]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wt.rev = e.Revision
	if e.Revision > w.known[wt.who].Revision {
		w.known[wt.who] = e
	}
	w.tell(wt.who)
}

// handOn gives the stored wishes of one request to the guild's goroutine.
func (w *wishes) handOn(guild bus.GuildID, waiters []*waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wt := range waiters {
		delete(w.ours, wt.id)
	}
	for _, wt := range waiters {
		if wt.rev > 0 {
			w.route(wt.who)
		}
	}
}

// learn takes a record that some instance wrote, if it is newer than what is known.
func (w *wishes) learn(who member, e bus.Entry[bus.VoiceRecord]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Revision <= w.known[who].Revision {
		return
	}
	if e.Deleted {
		delete(w.known, who)
		delete(w.owed, who)
		return
	}
	w.known[who] = e
	w.tell(who)
	if !w.ours[e.Value.Wish.ID] {
		w.route(who)
	}
}

// route gives a record to its guild's goroutine, or keeps it until it is due.
func (w *wishes) route(who member) {
	e := w.known[who]
	delete(w.owed, who)
	g := w.guilds[who.guild]
	if !e.Value.Settled() {
		if due := retryAt(e.Value); time.Until(due) > linger {
			w.owed[who] = due
		} else if g == nil {
			g = w.startGuild(who.guild)
		}
	}
	if g != nil {
		g.offer(who.user, e)
	}
}

// reach makes sure that somebody works for the guild, so that its lease is asked for
// while the wishes are being stored.
func (w *wishes) reach(guild bus.GuildID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.guilds[guild] == nil {
		w.startGuild(guild)
	}
}

// startGuild starts the guild's goroutine; nil while the process stops.
func (w *wishes) startGuild(id bus.GuildID) *guild {
	if w.stopping() {
		return nil
	}
	g := newGuild(w, id)
	w.guilds[id] = g
	w.working.Go(func() { g.run(w.calls) })
	return g
}

// leave removes a guild whose goroutine ends, unless something came for it meanwhile.
func (w *wishes) leave(g *guild) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(g.inbox) > 0 && !w.stopping() {
		return false
	}
	delete(w.guilds, g.id)
	return true
}

// settle makes known what became of a wish and tells its waiters before the record is
// written: the caller need not wait for the disk.
func (w *wishes) settle(who member, rec bus.VoiceRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.known[who]
	if e.Value.Wish.ID != rec.Wish.ID {
		return // a newer wish is known; its own answer counts
	}
	e.Value = rec
	w.known[who] = e
	w.tell(who)
}

// stopping says whether a stop has begun.
func (w *wishes) stopping() bool {
	select {
	case <-w.quit:
		return true
	default:
		return false
	}
}

// drain lets calls to Discord that are under way come to their end within d, cuts those
// that do not, and starts none. It is called once.
func (w *wishes) drain(d time.Duration) {
	w.mu.Lock() // no guild begins behind it
	close(w.quit)
	w.mu.Unlock()
	done := make(chan struct{})
	go func() { w.working.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(d):
		w.cut()
		w.m.log.Warn("calls to Discord were cut at the end of the drain; their wishes stay stored and are sent again by the next instance")
	}
}

// snapshot copies what is known, for the slow looks of the background work.
func (w *wishes) snapshot() map[member]bus.Entry[bus.VoiceRecord] {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.known)
}

// retryAt is when an unsettled record is due; the zero time means now.
func retryAt(r bus.VoiceRecord) time.Time {
	if r.Failed != nil && r.Failed.WishID == r.Wish.ID {
		return r.Failed.RetryAt
	}
	return time.Time{}
}
