package muteproxy

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/pause"
	"splashtail/internal/seal"
	"splashtail/internal/secret"
)

// token is one bot token, shared by all guilds.
type token struct {
	value secret.Value
	hash  string // SHA-256 in hexadecimal: its key and, cut to 8 digits, its name

	mu    sync.Mutex
	until time.Time // a limit of the whole token
	bad   string    // why it is no good anywhere; empty: it is good
	limit int       // per guild and window, as Discord last told for any guild
}

func newToken(v secret.Value) *token { return &token{value: v, hash: v.Hash()} }

func (t *token) name() string { return t.hash[:8] }

func (t *token) held(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bad != "" || now.Before(t.until)
}

func (t *token) heldUntil() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until
}

func (t *token) gone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bad != ""
}

// hold stops every call of the token until then.
func (t *token) hold(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = later(t.until, until)
}

// spoil takes the token out for good and says whether it was good until now.
func (t *token) spoil(reason string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.bad == ""
	t.bad = reason
	return was
}

// heal brings a token back that was handed in anew and is valid.
func (t *token) heal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bad = ""
}

func (t *token) learnLimit(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n > 0 {
		t.limit = n
	}
}

func (t *token) window(coldStart int) *discord.Window {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limit > 0 {
		return discord.NewWindow(t.limit)
	}
	return discord.NewWindow(coldStart)
}

// tokens is every token that this process may use: the primary one, the workers of
// the configuration, and the workers that were handed over, which all instances share.
type tokens struct {
	cfg     Config
	log     *slog.Logger
	primary *token
	seal    *seal.Sealer
	store   *bus.Records[bus.SealedToken]

	mu      sync.Mutex
	workers map[string]*token // by hash
	changed int               // grows with every change of workers
}

// maxTokens bounds how many worker tokens are kept; a self-hosted tier uses 100.
const maxTokens = 1000

func newTokens(cfg Config, log *slog.Logger) *tokens {
	t := &tokens{cfg: cfg, log: log, primary: newToken(cfg.Primary), workers: map[string]*token{}}
	for _, w := range cfg.Workers {
		t.adopt(w)
	}
	return t
}

func (t *tokens) open(ctx context.Context, b *bus.Bus) (err error) {
	if t.seal, err = seal.Open(t.cfg.SealKey, t.cfg.DataDir); err != nil {
		return err
	}
	t.store, err = bus.OpenRecords(ctx, b, bus.SealedTokens())
	return err
}

// follow learns the tokens that were handed over to any instance, until ctx ends.
func (t *tokens) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := t.store.Watch(ctx, ">", func(e bus.Entry[bus.SealedToken], live bool) error {
			if live || e.Deleted || strings.HasPrefix(e.Key, markPrefix) {
				return nil
			}
			t.unseal(e)
			return nil
		})
		if err != nil {
			t.log.Warn("the watch of worker tokens ended; starting it again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

func (t *tokens) unseal(e bus.Entry[bus.SealedToken]) {
	plain, err := t.seal.Open(e.Value.Sealed, e.Key)
	if err != nil {
		t.log.Error("a stored worker token cannot be opened with this seal key; it is not used; hand it over again, or start with the key it was sealed with (SEAL_KEY)", "token", e.Key[:min(8, len(e.Key))])
		return
	}
	if t.adopt(secret.New(plain)) {
		t.log.Info("worker token is in use", "token", e.Key[:min(8, len(e.Key))], "source", e.Value.Source)
	}
}

// adopt adds a worker token and says whether it is new.
func (t *tokens) adopt(v secret.Value) bool {
	tok := newToken(v)
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.IsZero() || tok.hash == t.primary.hash || t.workers[tok.hash] != nil || len(t.workers) >= maxTokens {
		return false
	}
	t.workers[tok.hash] = tok
	t.changed++
	return true
}

// errKnown says that a token is in use already.
var errKnown = errors.New("the token is in use already")

// add seals and stores a token that was handed over and has been found valid.
func (t *tokens) add(ctx context.Context, v secret.Value, source string) error {
	hash := v.Hash()
	t.mu.Lock()
	known, full := t.workers[hash], len(t.workers) >= maxTokens
	t.mu.Unlock()
	if hash == t.primary.hash {
		known = t.primary
	}
	if known != nil {
		known.heal()
		return errKnown
	}
	if full {
		return bus.Errorf(bus.CodeLimited, "too_many_tokens", "there are %d worker tokens already; this one was not stored", maxTokens)
	}
	sealed, err := t.seal.Close(v.Reveal(), hash)
	if err != nil {
		return err
	}
	if _, err := t.store.Put(ctx, hash, bus.SealedToken{V: 1, Sealed: sealed, Source: source, At: time.Now().UTC()}); err != nil {
		return err
	}
	t.adopt(v)
	return nil
}

// list gives the workers and a number that changes with them.
func (t *tokens) list() (workers []*token, changed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.workers {
		workers = append(workers, w)
	}
	slices.SortFunc(workers, func(a, b *token) int { return strings.Compare(a.hash, b.hash) })
	return workers, t.changed
}

// changes gives the number that list would, without the list.
func (t *tokens) changes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

func (t *tokens) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.workers) + 1
}
