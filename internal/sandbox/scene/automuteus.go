package scene

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// AutoMuteUsConfig says where the bot listens and whom it asks for mutes.
type AutoMuteUsConfig struct {
	RedisAddr, RedisUser string
	RedisPass            secret.Value
	GalactusURL          string // base with scheme, no slash at the end
	Guild                sandbox.ID
	Code                 string // connect code
	Links                []Link
	// Delay scales the waits before voices change; 1 is as in real life.
	Delay float64
	// Modified is told the outcome of every call for mutes; nil means nobody listens.
	Modified func(Modified)
}

// Modified is the outcome of one call to the mute proxy.
type Modified struct {
	Users                     int
	Worker, Capture, Official int // who did it, as the proxy counts
	Status                    int // HTTP; zero without an answer
	Took                      time.Duration
	Err                       error
}

// String tells it in one sentence.
func (m Modified) String() string {
	if m.Err != nil {
		return fmt.Sprintf("AutoMuteUs asked for %d members and got no answer: %v", m.Users, m.Err)
	}
	return fmt.Sprintf("AutoMuteUs asked for %d members: %d, by workers %d, capture %d, primary %d",
		m.Users, m.Status, m.Worker, m.Capture, m.Official)
}

// AutoMuteUs is the smallest bot that a broker and a mute proxy cannot tell from AutoMuteUs 6 and 7: what it reads and writes
// in Redis, when it calls the proxy and with what. It holds no Discord connection; its players are linked beforehand.
type AutoMuteUs struct {
	cfg    AutoMuteUsConfig
	game   *game
	http   *http.Client
	ready  chan struct{}
	linked chan struct{}
	once   sync.Once
}

// selfHosted is the tier that a bot sends which is not the official one: all worker tokens may be used.
const selfHosted = 5

// modifyTimeout is the bot's patience with the mute proxy.
const modifyTimeout = 10 * time.Second

// NewAutoMuteUs checks the configuration. It connects to nothing.
func NewAutoMuteUs(cfg AutoMuteUsConfig) (*AutoMuteUs, error) {
	if cfg.RedisAddr == "" || cfg.GalactusURL == "" || cfg.Code == "" || cfg.Guild == 0 {
		return nil, errors.New("scene: AutoMuteUs needs Redis, the mute proxy, a guild and a connect code; nothing was started")
	}
	cfg.GalactusURL = strings.TrimSuffix(cfg.GalactusURL, "/")
	return &AutoMuteUs{
		cfg: cfg, game: newGame(cfg.Links), http: &http.Client{Timeout: modifyTimeout},
		ready: make(chan struct{}), linked: make(chan struct{}),
	}, nil
}

// Ready closes when the bot listens for its game and has asked for a capture client.
func (a *AutoMuteUs) Ready() <-chan struct{} { return a.ready }

// Linked closes when a capture client is there for the first time.
func (a *AutoMuteUs) Linked() <-chan struct{} { return a.linked }

func (a *AutoMuteUs) key(kind string) string { return "automuteus:jobs:" + a.cfg.Code + kind }

const gamesKey = "automuteus:games"

// Run plays until ctx ends, then frees everybody and removes its game from Redis (nil). It fails at once when the mute proxy
// does not answer, as the real bot does, and on a job that would crash the real bot.
func (a *AutoMuteUs) Run(ctx context.Context) error {
	if err := a.greet(ctx); err != nil {
		return err
	}
	rdb := redis.NewClient(&redis.Options{Addr: a.cfg.RedisAddr, Username: a.cfg.RedisUser, Password: a.cfg.RedisPass.Reveal()})
	defer rdb.Close()
	sub := rdb.Subscribe(ctx, a.key(":notify"))
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("AutoMuteUs cannot listen in Redis: %w", err)
	}
	defer a.end(ctx, rdb)
	// Whoever has a client for this code now answers with a job "connected".
	if err := rdb.Publish(ctx, a.key(":ack"), "1").Err(); err != nil {
		return fmt.Errorf("AutoMuteUs cannot publish in Redis: %w", err)
	}
	close(a.ready)
	wake := sub.Channel()
	for {
		select {
		case <-wake:
			if err := a.drain(ctx, rdb); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// greet is the one request at the bot's start.
func (a *AutoMuteUs) greet(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.cfg.GalactusURL+"/", nil)
	if err != nil {
		return fmt.Errorf("AutoMuteUs cannot use the mute proxy's address: %w", err)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return fmt.Errorf("AutoMuteUs cannot reach the mute proxy: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the mute proxy answered AutoMuteUs' greeting with %d instead of 200", resp.StatusCode)
	}
	return nil
}

// drain pops jobs until there are none. When Redis fails it stops, and the next notify wakes it again.
func (a *AutoMuteUs) drain(ctx context.Context, rdb *redis.Client) error {
	for {
		raw, err := rdb.LPop(ctx, a.key("")).Result()
		if err != nil {
			return nil // empty, or Redis is away
		}
		j, err := parseJob(raw)
		if err != nil {
			return err
		}
		now := float64(time.Now().Unix())
		if err := rdb.ZAdd(ctx, gamesKey, redis.Z{Score: now, Member: a.cfg.Code}).Err(); err != nil && ctx.Err() != nil {
			return nil
		}
		if err := a.handle(ctx, j); err != nil {
			return err
		}
	}
}

func (a *AutoMuteUs) handle(ctx context.Context, j job) error {
	t, free, err := a.game.take(j)
	if err != nil {
		return err
	}
	if a.game.linked {
		a.once.Do(func() { close(a.linked) })
	}
	if t != nil {
		wait := time.Duration(float64(defaultDelay(t.from, t.to)) * a.cfg.Delay)
		if hold(ctx, wait) != nil {
			return nil
		}
		a.apply(ctx, *t)
	} else if free {
		a.apply(ctx, transition{a.game.phase, a.game.phase})
	}
	return nil
}

// apply asks for what changed, the first group before the second.
func (a *AutoMuteUs) apply(ctx context.Context, t transition) {
	for _, group := range a.game.wishes(t) {
		a.modify(ctx, group)
	}
}

// end is what the bot does with a game that is over. It has a moment of its own, since ctx has ended.
func (a *AutoMuteUs) end(ctx context.Context, rdb *redis.Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if all := a.game.release(); len(all) > 0 {
		a.modify(ctx, all)
	}
	// When Redis is gone, the entry goes with it or ages out.
	_ = rdb.ZRem(ctx, gamesKey, a.cfg.Code).Err()
	a.http.CloseIdleConnections()
}

// modifyUser and modifyBody are the request to the mute proxy; ids are bare numbers.
type modifyUser struct {
	UserID uint64 `json:"userID"`
	Mute   bool   `json:"mute"`
	Deaf   bool   `json:"deaf"`
}

type modifyBody struct {
	Premium int          `json:"premium"`
	Users   []modifyUser `json:"users"`
}

func (a *AutoMuteUs) modify(ctx context.Context, wishes []wish) {
	body := modifyBody{Premium: selfHosted}
	for _, w := range wishes {
		body.Users = append(body.Users, modifyUser{uint64(w.User), w.mute, w.deaf})
	}
	start := time.Now()
	m := a.post(ctx, body)
	m.Users, m.Took = len(wishes), time.Since(start)
	if a.cfg.Modified != nil {
		a.cfg.Modified(m)
	}
}

func (a *AutoMuteUs) post(ctx context.Context, body modifyBody) (m Modified) {
	raw, err := json.Marshal(body)
	if err != nil {
		return Modified{Err: err}
	}
	url := a.cfg.GalactusURL + "/modify/" + strconv.FormatUint(uint64(a.cfg.Guild), 10) + "/" + a.cfg.Code
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		return Modified{Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return Modified{Err: hideURL(err)}
	}
	defer resp.Body.Close()
	var counts struct{ Worker, Capture, Official int }
	// AutoMuteUs 7 decodes before it looks at the status: what is not JSON is an error to it.
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&counts); err != nil {
		return Modified{Status: resp.StatusCode, Err: fmt.Errorf("the answer with %d is not JSON: %w", resp.StatusCode, err)}
	}
	m = Modified{Status: resp.StatusCode, Worker: counts.Worker, Capture: counts.Capture, Official: counts.Official}
	if resp.StatusCode != http.StatusOK {
		m.Err = fmt.Errorf("the answer is %d", resp.StatusCode)
	}
	return m
}
