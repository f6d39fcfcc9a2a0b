package guilds

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"splashtail/bus"
)

// Times and bounds of writing.
const (
	writeEvery  = 2 * time.Second
	writerLease = 5 * time.Second
	writeWindow = 32 // guilds on their way to the bus at a time
	maxStored   = 3 << 20
)

// positionKey is how far into DISPATCH the stored guilds are known to reach.
const positionKey = "gatewayproxy-guilds"

// keeper writes the guilds of a store to the bus, and has loaded them.
type keeper struct {
	s         *Store
	records   *bus.Records[bus.GuildSnapshot]
	positions *bus.Records[bus.Position]
	enc       *zstd.Encoder
	dec       *zstd.Decoder
	through   uint64 // what the position record says
	tooLarge  map[bus.GuildID]bool
	asked     map[bus.GuildID]asked
}

// run writes while this process has the right to.
func (k *keeper) run(ctx context.Context) {
	defer k.dec.Close()
	select {
	case <-k.s.caught:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, k.s.b, bus.GuildsLease(), writerLease, k.s.cfg.Instance)
		if err != nil {
			return // ctx has ended
		}
		k.write(ctx, lease)
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		if err := lease.Release(release); err != nil {
			k.s.log.Debug("the right to write guilds was not given up; it expires", "err", err)
		}
		cancel()
	}
}

// write brings the bus up to date again and again, and a last time at the end.
func (k *keeper) write(ctx context.Context, lease *bus.Lease) {
	if err := k.takeOver(ctx); err != nil && ctx.Err() == nil {
		k.s.log.Warn("the stored guilds could not be looked at; what is stored too much stays", "err", err)
	}
	defer func() {
		k.s.mu.Lock()
		k.s.removed = nil
		k.s.mu.Unlock()
	}()
	tick := time.NewTicker(k.s.cfg.WriteEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := k.flush(ctx); err != nil && ctx.Err() == nil {
				k.s.log.Warn("guilds were not stored; trying again", "err", err)
			}
			k.ask(ctx)
		case <-lease.Lost():
			if ctx.Err() == nil {
				return
			}
			// The lease ends with ctx; nobody else has had it yet.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if err := k.flush(last); err != nil {
				k.s.log.Debug("the last changes of guilds were not stored; the stream has them", "err", err)
			}
			return
		}
	}
}

// takeOver begins to note what is removed, and removes what was while nobody wrote.
func (k *keeper) takeOver(ctx context.Context) error {
	k.s.mu.Lock()
	k.s.removed = map[bus.GuildID]bool{}
	epoch := k.s.epoch
	k.s.mu.Unlock()
	var err error
	if k.through, err = k.position(ctx, epoch); err != nil {
		return err
	}
	stored, err := k.records.All(ctx, ">")
	if err != nil {
		return err
	}
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	for _, r := range stored {
		id, err := bus.ParseGuildID(r.Key)
		if err == nil && k.s.guilds[id] == nil && r.Value.Stream <= k.s.applied {
			k.s.removed[id] = true
		}
	}
	return nil
}

// flush stores every guild that changed and then the place that all of them have
// reached. When it fails nothing is forgotten.
func (k *keeper) flush(ctx context.Context) error {
	k.s.mu.Lock()
	through, epoch := k.s.applied, k.s.epoch
	var dirty, gone []bus.GuildID
	for id, e := range k.s.guilds {
		if e.changed > k.through {
			dirty = append(dirty, id)
		}
	}
	for id := range k.s.removed {
		gone = append(gone, id)
	}
	k.s.mu.Unlock()
	if through == k.through && len(gone) == 0 {
		return nil
	}
	for some := range slices.Chunk(dirty, writeWindow) {
		if err := k.storeSome(ctx, some); err != nil {
			return err
		}
	}
	for _, id := range gone {
		if err := k.forget(ctx, id); err != nil {
			return err
		}
	}
	if _, err := k.positions.Put(ctx, positionKey, bus.Position{V: 1, Epoch: epoch, Seq: through, At: time.Now().UTC()}); err != nil {
		return err
	}
	k.through = through
	return nil
}

func (k *keeper) storeSome(ctx context.Context, ids []bus.GuildID) error {
	var under []*bus.Write
	var errs []error
	for _, id := range ids {
		r, ok := k.record(id)
		if !ok {
			continue
		}
		w, err := k.records.BeginPut(id.String(), r)
		if err != nil {
			errs = append(errs, err)
			break
		}
		under = append(under, w)
	}
	for _, w := range under {
		_, err := w.Wait(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// record makes the record of a guild as it is now; false when it is gone or too large.
func (k *keeper) record(id bus.GuildID) (bus.GuildSnapshot, bool) {
	k.s.mu.Lock()
	e := k.s.guilds[id]
	if e == nil {
		k.s.mu.Unlock()
		return bus.GuildSnapshot{}, false
	}
	r := bus.GuildSnapshot{V: 1, Shard: e.shard, Epoch: k.s.epoch, Stream: k.s.applied, Created: e.created, Unavailable: e.unavailable}
	var data []byte
	if e.g != nil {
		data = e.g.render()
	}
	remains := e.lost.remains // of which only the front is cut and the end grows
	who := e.roster.stored()
	k.s.mu.Unlock()
	pack(k.enc, &r, data, remains, who)
	if len(r.Data) > maxStored {
		if !k.tooLarge[id] {
			k.s.log.Error("a guild is too large to be stored; after a restart it shows with the next new session", "guild", id.String(), "bytes", len(r.Data))
			k.tooLarge[id] = true
		}
		return r, false
	}
	return r, true
}

func (k *keeper) forget(ctx context.Context, id bus.GuildID) error {
	k.s.mu.Lock()
	back := k.s.guilds[id] != nil
	k.s.mu.Unlock()
	if !back {
		if err := k.records.Delete(ctx, id.String(), 0); err != nil {
			return err
		}
	}
	k.s.mu.Lock()
	delete(k.s.removed, id)
	k.s.mu.Unlock()
	return nil
}
