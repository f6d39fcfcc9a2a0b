package bot

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"splashtail/bot/access"
	"splashtail/bot/command"
	"splashtail/bot/general"
	"splashtail/bot/inquiry"
	"splashtail/bot/jobcard"
	"splashtail/bot/lockdown"
	"splashtail/bot/moderate"
	"splashtail/bot/rules"
	"splashtail/bot/settings"
	"splashtail/bot/vault"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/guilds"
	"splashtail/internal/incident"
)

// parts are what the commands and events of the bot end in.
type parts struct {
	access   *access.Store
	settings *settings.Store
	keeper   *moderate.Keeper
	book     *incident.Book
	guard    protection
	lockdown *lockdown.Keeper
	cards    *jobcard.Keeper
	stored   *guilds.Reader // guilds as the gateway has shown them
	watchers []watcher
}

// watcher is a part that wants events. A shard's come in order per guild, at least once:
// one that comes again must change nothing.
type watcher struct {
	events []string // Discord's names
	// restore reads again what was known before; called when a shard becomes ours, before
	// its first event. nil: there is nothing to read.
	restore func(context.Context) error
	handle  func(context.Context, bus.Delivery[bus.Dispatch]) error
}

// assemble makes the parts, the commands and the router.
func (t *Bot) assemble() error {
	w, err := words.Load()
	if err != nil {
		return err
	}
	p := &parts{stored: guilds.NewReader(t.b, t.Self)}
	t.parts = p
	p.keeper = moderate.NewKeeper(moderate.KeeperConfig{Instance: t.cfg.Instance, Sweep: func(ctx context.Context) error { return t.router.Sweep(ctx) }}, t.b, t.log)
	p.watchers = []watcher{{events: []string{"GUILD_BAN_REMOVE"}, handle: p.banRemoved}}
	about := general.About{Version: t.cfg.Version, Instance: t.cfg.Instance, Since: time.Now(), Shards: t.Shards}
	all := general.Commands(t.b, about, general.Stores{Access: func() *access.Store { return p.access }, Settings: func() *settings.Store { return p.settings }})
	all = append(all, moderate.Commands(moderate.Tools{
		Self: func() string { return t.Self().String() }, Keeper: p.keeper,
		Settings: func(ctx context.Context, g bus.GuildID) (bus.GuildSettings, error) { return p.settings.Of(ctx, g) },
	})...)
	all = append(all, t.protect(p, w)...)
	if err := t.cfg.Metrics.Register(p.guard.hits); err != nil {
		return err
	}
	p.book = incident.NewBook(t.bot, t.Self, t.b)
	recorder := incident.NewRecorder(incident.RecorderConfig{Stored: p.stored.At, Whole: incident.WholeOf(t.bot), People: incident.PeopleOf(t.bot)}, t.b, t.log)
	p.watchers = append(p.watchers, watcher{events: incident.RecorderEvents(), handle: recorder.Handle})
	p.lockdown = lockdown.New(lockdown.Config{Bot: t.bot, Bus: t.b, Log: t.log, Instance: t.cfg.Instance, Words: w,
		Self:     func() string { return t.Self().String() },
		Settings: func(ctx context.Context, g bus.GuildID) (bus.GuildSettings, error) { return p.settings.Of(ctx, g) }})
	all = append(all, lockdown.Commands(p.lockdown)...)
	set := func(ctx context.Context, g bus.GuildID) (bus.GuildSettings, error) { return p.settings.Of(ctx, g) }
	p.cards = jobcard.New(jobcard.Config{Bot: t.bot, Bus: t.b, Log: t.log, Words: w, Instance: t.cfg.Instance, Settings: set})
	all = append(all, inquiry.Commands(inquiry.Tools{Book: p.book, Cards: p.cards})...)
	all = append(all, vault.Commands(vault.Tools{Cards: p.cards})...)
	if t.registry, err = command.NewRegistry(w, all...); err != nil {
		return err
	}
	t.router, err = command.NewRouter(command.Config{Bot: t.bot, Token: t.cfg.Token, Only: t.cfg.Only, Instance: t.cfg.Instance,
		Metrics: t.cfg.Metrics, Language: p.language}, t.registry, t.b, t.log)
	return err
}

// open opens the stores of the parts.
func (p *parts) open(ctx context.Context, b *bus.Bus) (err error) {
	if p.access, err = access.Open(ctx, b); err != nil {
		return err
	}
	if p.settings, err = settings.Open(ctx, b); err != nil {
		return err
	}
	if p.guard.rules, err = rules.Open(ctx, b); err != nil {
		return err
	}
	if err = p.book.Open(ctx); err != nil {
		return err
	}
	if err = p.lockdown.Open(ctx); err != nil {
		return err
	}
	if err = p.cards.Open(ctx); err != nil {
		return err
	}
	return p.keeper.Open(ctx)
}

// language is what a guild has set; empty when that cannot be read.
func (p *parts) language(ctx context.Context, g bus.GuildID) string {
	v, err := p.settings.Of(ctx, g)
	if err != nil {
		return ""
	}
	return v.Language
}

// wanted lists the events of all watchers.
func (p *parts) wanted() []string {
	var all []string
	for _, w := range p.watchers {
		all = append(all, w.events...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p *parts) restore(ctx context.Context) error {
	for _, w := range p.watchers {
		if w.restore == nil {
			continue
		}
		if err := w.restore(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) handle(ctx context.Context, d bus.Delivery[bus.Dispatch]) error {
	for _, w := range p.watchers {
		if !slices.Contains(w.events, d.Value.Event) {
			continue
		}
		if err := w.handle(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// banRemoved forgets that a ban was to be lifted: somebody did it before, and the next ban
// of that user may be for good.
func (p *parts) banRemoved(ctx context.Context, d bus.Delivery[bus.Dispatch]) error {
	var e struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal(d.Value.Data, &e); err != nil {
		return bus.Errorf(bus.CodeInvalid, "bad_event", "the lifting of a ban cannot be read: %w", err)
	}
	user, err := bus.ParseUserID(e.User.ID)
	if err != nil {
		return err
	}
	return p.keeper.Forget(ctx, d.Value.Guild, user, d.Time)
}
