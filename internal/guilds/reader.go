package guilds

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// Bounds of a reader.
const (
	maxHeld   = 256                    // guilds that are kept for the next time
	tailPage  = 500                    // events that are read at a time
	maxTail   = 5000                   // more events behind a snapshot are not read: whoever asks Discord is faster
	freshFrom = 2000                   // events of all guilds; that far behind, a stored guild is read anew
	reachWait = 250 * time.Millisecond // for a server of the bus that is behind
	reachStep = 5 * time.Millisecond
)

// Mark is an event that a view has to have: the one that is being handled.
type Mark struct {
	Place uint64
	Event string // its name
}

// MarkOf is the mark of an event.
func MarkOf(d bus.Delivery[bus.Dispatch]) Mark { return Mark{d.Seq, d.Value.Event} }

// Reader reads guilds as they are now, in any process. A stored guild is some seconds old
// and has its place in the stream; the reader applies the events behind that place, as the
// writer will. So a view is never older than the stream, however long the writer has been
// away: if events that are needed have left the stream, there is no view.
//
// What Discord changed while no session was held is in no event. A view does not have it
// until the next session's GUILD_CREATE; see View.Created.
type Reader struct {
	b    *bus.Bus
	self func() bus.UserID

	mu   sync.Mutex
	open *stores
	held map[bus.GuildID]*holding
}

// stores are what a reader reads; opened at the first read.
type stores struct {
	records   *bus.Records[bus.GuildSnapshot]
	positions *bus.Records[bus.Position]
	dec       *zstd.Decoder
}

// holding is a guild as it was last read. Its lock is held while it is read.
type holding struct {
	used time.Time // guarded by Reader.mu

	mu    sync.Mutex
	e     *entry // nil: nothing is known
	epoch string
	place uint64 // every event of the guild up to here is in e
}

// NewReader makes a reader; it does no I/O. self is the bot's own user, whose membership
// is kept in guilds of any size; nil: that of nobody.
func NewReader(b *bus.Bus, self func() bus.UserID) *Reader {
	if self == nil {
		self = func() bus.UserID { return 0 }
	}
	return &Reader{b: b, self: self, held: map[bus.GuildID]*holding{}}
}

// At gives a guild as the stream shows it now, the event of the mark included; the zero
// mark asks for none. Errors: CodeNotFound when what is stored does not lead to now, or
// Discord has an outage of the guild; CodeUnavailable when the mark's event cannot be read
// within 250 ms, or too many events would have to be. Discord itself is to be asked then.
func (r *Reader) At(ctx context.Context, id bus.GuildID, after Mark) (View, error) {
	s, h, err := r.take(ctx, id)
	if err != nil {
		return View{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for begun := time.Now(); ; {
		if err := r.refresh(ctx, s, h, id, after.Event); err != nil {
			return View{}, err
		}
		if after.Place <= h.place {
			break
		}
		// The event was read by whoever asks; this server of the bus has yet to get it.
		if pause.For(ctx, reachStep); ctx.Err() != nil || time.Since(begun) > reachWait {
			return View{}, bus.Errorf(bus.CodeUnavailable, "guild_behind", "the guild %d could be read up to %d of the stream, not up to %d", id, h.place, after.Place)
		}
	}
	if h.e.g == nil || h.e.unavailable {
		return View{}, notKept(id)
	}
	return h.e.view(h.place), nil
}

func notKept(id bus.GuildID) error {
	return bus.Errorf(bus.CodeNotFound, "guild_not_kept", "nothing that leads to now is stored of guild %d", id)
}

// take gives the guild's holding, and makes room for it.
func (r *Reader) take(ctx context.Context, id bus.GuildID) (*stores, *holding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		s := &stores{}
		var err error
		if s.records, err = bus.OpenRecords(ctx, r.b, bus.GuildSnapshots()); err != nil {
			return nil, nil, err
		}
		if s.positions, err = bus.OpenRecords(ctx, r.b, bus.Positions()); err != nil {
			return nil, nil, err
		}
		if s.dec, err = newDecoder(); err != nil {
			return nil, nil, bus.Errorf(bus.CodeInternal, "no_decoder", "stored guilds cannot be read: %w", err)
		}
		r.open = s
	}
	h := r.held[id]
	if h == nil {
		if len(r.held) >= maxHeld {
			r.dropOldest()
		}
		h = &holding{}
		r.held[id] = h
	}
	h.used = time.Now()
	return r.open, h, nil
}

func (r *Reader) dropOldest() {
	oldest := slices.MinFunc(slices.Collect(maps.Keys(r.held)), func(a, b bus.GuildID) int { return r.held[a].used.Compare(r.held[b].used) })
	delete(r.held, oldest) // who reads it goes on with what they took
}

// refresh brings a holding up to the end of the stream, as far as this server has it.
func (r *Reader) refresh(ctx context.Context, s *stores, h *holding, id bus.GuildID, event string) error {
	info, err := bus.InfoOf(ctx, r.b, bus.AllDispatches())
	if err != nil {
		return err
	}
	// The place is read before the guild: whatever is stored up to it is in the guild then.
	stored, err := positionOf(ctx, s.positions, info.Epoch)
	if err != nil {
		return err
	}
	if h.epoch != info.Epoch || h.e == nil || h.place+1 < info.First || stored > h.place+freshFrom {
		if err := r.load(ctx, s, h, id, info, stored); err != nil {
			return err
		}
	}
	return r.follow(ctx, h, id, event)
}

// load reads the stored guild, if what is behind it is still in the stream. Without, the
// guild is known from its next GUILD_CREATE on.
func (r *Reader) load(ctx context.Context, s *stores, h *holding, id bus.GuildID, info bus.StreamInfo, stored uint64) error {
	h.e, h.epoch, h.place = &entry{}, info.Epoch, max(stored, info.First-1)
	rec, err := s.records.Get(ctx, id.String())
	if bus.IsCode(err, bus.CodeNotFound) || err == nil && rec.Value.Epoch != info.Epoch {
		return nil
	}
	if err != nil {
		return err
	}
	e, err := unpack(s.dec, rec.Value, info.Epoch)
	if err != nil {
		return bus.Errorf(bus.CodeInternal, "bad_guild", "guild %d: %w", id, err)
	}
	if place := max(stored, e.changed); place+1 >= info.First {
		h.e, h.place = e, place
	}
	return nil
}

// follow applies the events of the guild behind its place.
func (r *Reader) follow(ctx context.Context, h *holding, id bus.GuildID, event string) error {
	names := followed(event)
	self := r.self().String()
	for read := 0; ; {
		page, more, err := bus.ReadPage(ctx, r.b, bus.DispatchesOfGuild(id, names...), h.place+1, tailPage)
		if err != nil {
			return err
		}
		for _, d := range page {
			if h.e.take(d, self) == gone {
				h.e = &entry{}
			}
			h.place = d.Seq
		}
		if read += len(page); !more || len(page) == 0 {
			return nil
		}
		if read > maxTail {
			return bus.Errorf(bus.CodeUnavailable, "guild_far_behind", "the stored guild %d is more than %d events behind", id, maxTail)
		}
	}
}

// followed lists the events that change guilds, the audit log's, which nearly every mark
// is of, and another.
func followed(event string) []string {
	names := append(slices.Sorted(maps.Keys(patches)), "GUILD_CREATE", "GUILD_DELETE", "GUILD_AUDIT_LOG_ENTRY_CREATE")
	if event != "" && !slices.Contains(names, event) {
		names = append(names, event)
	}
	return names
}
