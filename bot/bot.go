// Package bot is Splashtail's own bot: it lives from the stream of Discord's events as
// any other consumer does, answers slash commands, and protects servers.
//
// Two ways lead in. Interactions have one of their own (command.Router): they are
// answered within Discord's 3 seconds or dropped, and never wait behind events. All other
// events come shard by shard (consume.go): one process at a time acts for a shard, in
// order per guild, and what a process that dies has not finished comes again.
//
// This file puts the parts together; parts.go says which there are.
package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot/command"
	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/pause"
	"splashtail/internal/secret"
)

// Config says how the bot runs. A zero field means its default, except for Token, which
// must be set.
type Config struct {
	Token  secret.Value
	APIURL string // of Discord; empty: discord.DefaultAPI

	MainGuild bus.GuildID // where Bootstrap registers the minimal commands; 0: in all guilds
	Bootstrap bool        // register the minimal commands at the start
	Only      []string    // the users that the bot serves; empty: everybody

	Instance string // names this process
	Version  string
	Metrics  prometheus.Registerer // nil: a registry of its own
	Limiter  *discord.Limiter      // the line of all requests of this process to Discord's API; nil: one of its own
}

// componentName is what the component is called on the bus.
const componentName = "bot"

// Bot is the component.
type Bot struct {
	cfg      Config
	b        *bus.Bus
	log      *slog.Logger
	client   *discord.Client
	bot      *discord.Bot
	registry *command.Registry
	router   *command.Router
	parts    *parts
	ready    chan struct{}

	mu     sync.Mutex
	self   bus.UserID // 0 until Discord has said
	shards map[int]bool
	lost   error // why Discord cannot be asked who we are
	once   sync.Once
}

// New checks the config and puts the parts together. It does no I/O.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Bot, error) {
	cfg.APIURL = cmp.Or(cfg.APIURL, discord.DefaultAPI)
	cfg.Instance = cmp.Or(cfg.Instance, componentName)
	cfg.Metrics = cmp.Or(cfg.Metrics, prometheus.Registerer(prometheus.NewRegistry()))
	cfg.Limiter = cmp.Or(cfg.Limiter, discord.NewLimiter(discord.LimiterConfig{}))
	if cfg.Token.IsZero() {
		return nil, errors.New("the bot has no token (DISCORD_BOT_TOKEN)")
	}
	client, err := discord.NewLimitedClient(cfg.APIURL, cfg.Limiter)
	if err != nil {
		return nil, err
	}
	t := &Bot{cfg: cfg, b: b, log: log, client: client, bot: client.Bot(cfg.Token), ready: make(chan struct{}), shards: map[int]bool{}}
	if err := t.assemble(); err != nil {
		return nil, err
	}
	return t, nil
}

// Ready is closed when the bot answers commands, or Discord cannot be reached for now: then
// Check says so until it can.
func (t *Bot) Ready() <-chan struct{} { return t.ready }

// Addr is empty: nobody connects to the bot.
func (t *Bot) Addr() string { return "" }

// Check says why the bot cannot serve; nil when it can.
func (t *Bot) Check(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost
}

// Self is the bot's own user; 0 until Discord has said.
func (t *Bot) Self() bus.UserID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.self
}

// Run serves until ctx ends. Commands that run then have some seconds to end. Errors: the
// bus cannot be used.
func (t *Bot) Run(ctx context.Context) error {
	defer t.client.Close()
	if err := t.parts.open(ctx, t.b); err != nil {
		return err
	}
	service, err := t.serveStatus()
	if err != nil {
		return fmt.Errorf("the bot cannot be made visible: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	failed := make(chan error, 8)
	part := func(name string, run func(context.Context) error) {
		running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	if t.introduce(ctx) {
		part("commands", t.router.Run)
		part("bans for a time", t.parts.keeper.Run)
		part("lockdowns", t.parts.lockdown.Run)
		part("cards of jobs", t.parts.cards.Run)
		part("limits", t.parts.guard.engine.Run)
		part("alarms", t.parts.guard.teller.Run)
		part("incidents", t.parts.book.Follow)
		part("events", t.events)
		err = t.serve(ctx, failed)
	}
	cancel()
	running.Wait()
	return errors.Join(err, service.Stop())
}

// serve says when commands are answered and waits for the end, or for a part that fails.
func (t *Bot) serve(ctx context.Context, failed <-chan error) error {
	select {
	case <-t.router.Ready():
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
	t.bootstrap(ctx)
	t.once.Do(func() { close(t.ready) })
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// introduce asks Discord who we are, until it says; false when ctx ends first.
func (t *Bot) introduce(ctx context.Context) bool {
	for ctx.Err() == nil {
		u, err := t.bot.Self(ctx)
		var id bus.UserID
		if err == nil {
			id, err = bus.ParseUserID(u.ID)
		}
		t.mu.Lock()
		t.self, t.lost = id, err
		t.mu.Unlock()
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			t.once.Do(func() { close(t.ready) })
			t.log.Error("Discord does not say who the bot is; commands are not answered until it does", "err", err)
			pause.For(ctx, 5*time.Second)
		}
	}
	return false
}

// bootstrap registers the minimal commands. A refusal is for people to read: the bot
// works without, for who has them already.
func (t *Bot) bootstrap(ctx context.Context) {
	if !t.cfg.Bootstrap {
		return
	}
	s := command.Syncer{Bot: t.bot, Bus: t.b, App: t.Self(), Skip: true, Add: true}
	done, err := s.Sync(ctx, t.cfg.MainGuild, t.registry.Payload(func(c command.Command) bool { return c.Bootstrap }))
	if err != nil {
		t.log.Error("the first commands could not be registered (BOOTSTRAP_COMMANDS); 'splashtail commands sync' does it as well", "done", done.String(), "err", err)
		return
	}
	t.log.Info("the first commands are registered", "changes", done.String())
}

// Sync registers all commands, in one guild or with 0 in all. With dry it only says what
// it would do; with adopt it takes over commands of others that have the names of ours.
func (t *Bot) Sync(ctx context.Context, guild bus.GuildID, dry, adopt bool) (command.Changes, error) {
	defer t.client.Close()
	app, err := t.bot.Application(ctx)
	if err != nil {
		return command.Changes{}, fmt.Errorf("which application the token is of could not be asked; nothing was changed: %w", err)
	}
	id, err := bus.ParseUserID(app.ID)
	if err != nil {
		return command.Changes{}, err
	}
	return command.Syncer{Bot: t.bot, Bus: t.b, App: id, Dry: dry, Adopt: adopt}.Sync(ctx, guild, t.registry.Payload(nil))
}

// Status is what the component answers on its control subject.
type Status struct {
	Shards   []int  `json:"shards"`
	Commands int    `json:"commands"`
	User     string `json:"user"`
}

func (t *Bot) serveStatus() (*bus.Service, error) {
	return bus.NewService(t.b, bus.ServiceInfo{
		Component: componentName, Instance: t.cfg.Instance, Version: t.cfg.Version,
		Description: "Slash commands and the protection of servers",
		Status: func(ctx context.Context) (bool, any) {
			return t.Check(ctx) == nil, Status{Shards: t.Shards(), Commands: len(t.registry.All()), User: t.Self().String()}
		},
	})
}
