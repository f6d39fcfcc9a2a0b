package command

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot/access"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/secret"
)

// Config is what a router needs.
type Config struct {
	Bot      *discord.Bot
	Token    secret.Value // of the bot; the ids of buttons are sealed with it
	Only     []string     // the users that the bot serves; empty: everybody
	Instance string
	Metrics  prometheus.Registerer
	// Language gives the language that a guild has set for what everybody sees; nil, or an
	// empty answer: the guild's own.
	Language func(context.Context, bus.GuildID) string
}

// Router brings interactions to the commands.
type Router struct {
	cfg      Config
	b        *bus.Bus
	log      *slog.Logger
	words    *words.Catalogue
	registry *Registry
	seal     sealer
	results  *prometheus.CounterVec
	ready    chan struct{}

	access  *access.Store
	claims  *bus.Records[bus.Claim]
	sets    *bus.Records[bus.CommandSet]
	pending *bus.Records[bus.PendingAct]

	running sync.WaitGroup
	free    chan struct{}
}

// maxRunning bounds the commands that run at a time in a process.
const maxRunning = 128

// NewRouter makes a router. It does no I/O.
func NewRouter(cfg Config, r *Registry, b *bus.Bus, log *slog.Logger) (*Router, error) {
	results := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splashtail_bot_interactions_total",
		Help: "Interactions by what became of them: done, refused, failed, stale (too late to be answered), foreign (of another program with this token), taken (by another process), busy (too many at a time), unreadable."}, []string{"result"})
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(results); err != nil {
			return nil, err
		}
	}
	return &Router{cfg: cfg, b: b, log: log, words: r.words, registry: r, seal: newSealer(cfg.Token), results: results,
		ready: make(chan struct{}), free: make(chan struct{}, maxRunning)}, nil
}

// Ready is closed when the router takes interactions.
func (r *Router) Ready() <-chan struct{} { return r.ready }

// durableName is shared by all processes of the bot: each interaction goes to one.
const durableName = "bot-interactions"

// Run takes interactions until ctx ends, and returns when those that run have come to
// their end or drainFor is over. Errors: the bus cannot be used.
func (r *Router) Run(ctx context.Context) error {
	var err error
	if r.access, err = access.Open(ctx, r.b); err != nil {
		return err
	}
	if r.claims, err = bus.OpenRecords(ctx, r.b, bus.Claims()); err != nil {
		return err
	}
	if r.sets, err = bus.OpenRecords(ctx, r.b, bus.CommandSets()); err != nil {
		return err
	}
	if r.pending, err = bus.OpenRecords(ctx, r.b, bus.PendingActs()); err != nil {
		return err
	}
	close(r.ready)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	err = bus.Consume(ctx, r.b, bus.Durable{Name: durableName, Workers: 32, Waiting: 256}, bus.DispatchesNamed("INTERACTION_CREATE"),
		func(d bus.Delivery[bus.Dispatch]) string { return strconv.FormatUint(d.Seq, 10) },
		func(_ context.Context, d bus.Delivery[bus.Dispatch]) error { r.accept(work, d.Value); return nil })
	late := time.AfterFunc(drainFor, stop)
	defer late.Stop()
	r.running.Wait()
	return err
}

// drainFor is how long commands may go on when the process stops.
const drainFor = 8 * time.Second

// tooOld is when an interaction can no longer be answered: Discord waits 3 s.
const tooOld = 2500 * time.Millisecond

// claimFor is longer than an interaction can come again and still be answered.
const claimFor = time.Minute

// accept judges an interaction and starts it on its own. It is never tried again: what it
// did the first time cannot be known.
func (r *Router) accept(ctx context.Context, d bus.Dispatch) {
	it := &discordgo.Interaction{}
	if err := safely(func() error { return json.Unmarshal(d.Data, it) }); err != nil {
		r.log.Error("an interaction cannot be read; it is not answered", "err", err)
		r.results.WithLabelValues("unreadable").Inc()
		return
	}
	age := time.Since(madeAt(it.ID))
	if age > tooOld {
		r.log.Debug("an interaction came too late to be answered", "age", age)
		r.results.WithLabelValues("stale").Inc()
		return
	}
	if !r.ours(ctx, it) {
		r.results.WithLabelValues("foreign").Inc()
		return
	}
	err := r.claims.CreateFor(ctx, it.ID, bus.Claim{V: 1, Holder: r.cfg.Instance}, claimFor)
	if bus.IsCode(err, bus.CodeConflict) {
		r.results.WithLabelValues("taken").Inc()
		return
	}
	if err != nil {
		r.log.Error("an interaction could not be claimed; it is not answered, lest two processes do", "err", err)
		r.results.WithLabelValues("failed").Inc()
		return
	}
	select {
	case r.free <- struct{}{}:
	default:
		r.results.WithLabelValues("busy").Inc()
		r.tell(ctx, it, r.words.In(string(it.Locale)).T("error.busy"))
		return
	}
	r.running.Go(func() {
		defer func() { <-r.free }()
		ctx, cancel := context.WithTimeout(ctx, tokenLife)
		defer cancel()
		r.results.WithLabelValues(r.serve(ctx, it)).Inc()
	})
}

// tokenLife is how long an interaction can be answered in all, with a margin.
const tokenLife = 14 * time.Minute

// madeAt is the time in an id of Discord; the beginning of its time for what is none.
func madeAt(id string) time.Time {
	n, _ := strconv.ParseUint(id, 10, 64)
	return time.UnixMilli(int64(n>>22) + 1420070400000)
}

// ours says whether an interaction is of a command that we registered or of a button that
// we made. Another program can use the same token, such as AutoMuteUs, and answers its own.
func (r *Router) ours(ctx context.Context, it *discordgo.Interaction) bool {
	guild, _ := bus.ParseGuildID(it.GuildID) // 0: not in a guild
	switch data := it.Data.(type) {
	case discordgo.MessageComponentInteractionData:
		_, ok := r.seal.open(guild, data.CustomID)
		return ok
	case discordgo.ApplicationCommandInteractionData:
		app, err := bus.ParseUserID(it.AppID)
		if err != nil {
			return false
		}
		for _, place := range []bus.GuildID{0, guild} {
			set, err := r.sets.Get(ctx, bus.CommandSetKey(app, place))
			if err == nil && set.Value.Names[data.Name] == data.ID && data.ID != "" {
				return true
			}
			if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
				r.log.Error("whose command it is cannot be read; it is not answered", "op", it.ID, "err", err)
			}
		}
	}
	return false
}
