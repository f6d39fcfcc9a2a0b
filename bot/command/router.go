package command

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot/access"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/formsecret"
	"splashtail/internal/seal"
	"splashtail/internal/secret"
)

// Config is what a router needs.
type Config struct {
	Bot      *discord.Bot
	Token    secret.Value // of the bot; the ids of buttons and what is typed into secret inputs are sealed with it
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
	secrets  formsecret.Keeper
	options  *seal.Sealer // of commands whose form is being filled in
	results  *prometheus.CounterVec
	ready    chan struct{}

	access  *access.Store
	claims  *bus.Records[bus.Claim]
	sets    *bus.Records[bus.CommandSet]
	pending *bus.Records[bus.PendingAct]

	free chan struct{}
}

// Bounds of a process: commands that run at a time, and interactions that it has in hand
// with those that it tells that it is busy.
const (
	maxRunning = 128
	maxTaken   = 2 * maxRunning
)

// NewRouter makes a router. It does no I/O.
func NewRouter(cfg Config, r *Registry, b *bus.Bus, log *slog.Logger) (*Router, error) {
	results := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splashtail_bot_interactions_total",
		Help: "Interactions by what became of them: done, refused, failed, stale (too late to be answered), foreign (of another program with this token), taken (by another process), interrupted (by the end of the process that worked on it), busy (too many at a time), unreadable."}, []string{"result"})
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(results); err != nil {
			return nil, err
		}
	}
	return &Router{cfg: cfg, b: b, log: log, words: r.words, registry: r, seal: newSealer(cfg.Token), secrets: formsecret.New(cfg.Token), options: seal.FromToken(cfg.Token, "options"), results: results,
		ready: make(chan struct{}), free: make(chan struct{}, maxRunning)}, nil
}

// Ready is closed when the router takes interactions.
func (r *Router) Ready() <-chan struct{} { return r.ready }

// durableName is shared by all processes of the bot: each interaction goes to one.
const durableName = "bot-interactions"

// retakeAfter is when an interaction of a process that died goes to another one, in time
// to be answered.
const retakeAfter = time.Second

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
	unwatch := context.AfterFunc(ctx, func() { time.AfterFunc(drainFor, stop) })
	defer unwatch()
	d := bus.Durable{Name: durableName, Workers: maxTaken, Waiting: maxTaken, AckWait: retakeAfter, Backoff: func(uint64) time.Duration { return lookAgain }}
	return bus.Consume(ctx, r.b, d, bus.DispatchesNamed("INTERACTION_CREATE"),
		func(d bus.Delivery[bus.Dispatch]) string { return strconv.FormatUint(d.Seq, 10) },
		func(_ context.Context, d bus.Delivery[bus.Dispatch]) error { return r.accept(work, d) })
}

// drainFor is how long commands may go on when the process stops.
const drainFor = 8 * time.Second

// tooOld is when an interaction can no longer be answered: Discord waits 3 s.
const tooOld = 2500 * time.Millisecond

// accept judges an interaction and sees it through to its end: it is acknowledged on the bus
// then, so that the next process learns of those that this one leaves undone. What it did
// is never done again. Errors: another process has it for now, or we stop.
func (r *Router) accept(ctx context.Context, d bus.Delivery[bus.Dispatch]) error {
	it := &discordgo.Interaction{}
	if err := safely(func() error { return json.Unmarshal(d.Value.Data, it) }); err != nil {
		r.log.Error("an interaction cannot be read; it is not answered", "err", err)
		r.results.WithLabelValues("unreadable").Inc()
		return nil
	}
	age := time.Since(madeAt(it.ID))
	switch {
	case age > tooOld && (d.Tries == 0 || age > tokenLife):
		r.log.Debug("an interaction came too late to be answered", "age", age)
		r.results.WithLabelValues("stale").Inc()
		return nil
	case !r.ours(ctx, it):
		r.results.WithLabelValues("foreign").Inc()
		return nil
	case age > tooOld:
		return r.finish(ctx, it)
	}
	select {
	case r.free <- struct{}{}:
		defer func() { <-r.free }()
	default:
		r.results.WithLabelValues("busy").Inc()
		r.tell(ctx, it, r.words.In(string(it.Locale)).T("error.busy"))
		return nil
	}
	return r.run(ctx, it, d.Tries > 0)
}

// run claims an interaction, serves it and says when it is done. Whoever gets through to
// Discord with the first answer carries it out: Discord takes one, so that there cannot be
// two even when a claim was of no avail.
func (r *Router) run(ctx context.Context, it *discordgo.Interaction, again bool) error {
	done, err := r.claim(ctx, it.ID, again)
	if err != nil {
		return err
	}
	if done == nil {
		r.results.WithLabelValues("taken").Inc()
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, tokenLife)
	result := r.serve(bounded, it)
	cancel()
	done(ctx.Err() == nil && result != taken)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // we stop before it is done: whoever comes next says so
	case result == taken:
		return r.finish(ctx, it)
	}
	r.results.WithLabelValues(result).Inc()
	return nil
}

// tokenLife is how long an interaction can be answered in all, with a margin.
const tokenLife = 14 * time.Minute

// madeAt is the time in an id of Discord; the beginning of its time for what is none.
func madeAt(id string) time.Time {
	n, _ := strconv.ParseUint(id, 10, 64)
	return discord.SnowflakeTime(n)
}

// ours says whether an interaction is of a command that we registered or of a button that
// we made. Another program can use the same token, such as AutoMuteUs, and answers its own.
func (r *Router) ours(ctx context.Context, it *discordgo.Interaction) bool {
	guild, _ := bus.ParseGuildID(it.GuildID) // 0: not in a guild
	switch data := it.Data.(type) {
	case discordgo.MessageComponentInteractionData:
		_, ok := r.seal.open(guild, data.CustomID)
		return ok
	case discordgo.ModalSubmitInteractionData:
		_, ok := r.seal.open(guild, data.CustomID)
		return ok
	case discordgo.ApplicationCommandInteractionData:
		app, err := bus.ParseUserID(it.AppID)
		if err != nil {
			return false
		}
		for _, place := range []bus.GuildID{0, guild} {
			set, err := r.sets.Get(ctx, bus.CommandSetKey(app, place))
			if err == nil && set.Value.Names[setName(data.CommandType, data.Name)] == data.ID && data.ID != "" {
				return true
			}
			if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
				r.log.Error("whose command it is cannot be read; it is not answered", "op", it.ID, "err", err)
			}
		}
	}
	return false
}
