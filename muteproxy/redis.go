package muteproxy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"splashtail/bus"

	"github.com/redis/go-redis/v9"
)

// Keys of AutoMuteUs and galactus that are read here; nothing is written.
const (
	keyAllTokens = "automuteus:alltokens" // hash: hash of a token -> the token in clear
	keyGames     = "automuteus:games"     // sorted set: connect code -> unix seconds of its last event
)

// gameOver is how old a game's last event is when AutoMuteUs drops it.
const gameOver = 900 * time.Second

// Times of the background look at Redis.
const (
	gamesEvery  = 10 * time.Second
	redisWithin = 3 * time.Second
)

// markPrefix begins the keys in the token bucket that are no tokens.
const markPrefix = "mark-"

// redisEdge reads what only AutoMuteUs' Redis knows: the worker tokens that the
// ancestor kept, once, and which games are live, so that nobody stays muted whose game
// ended while we were down.
type redisEdge struct {
	m      *Muteproxy
	log    *slog.Logger
	client *redis.Client
}

func newRedisEdge(m *Muteproxy) *redisEdge {
	return &redisEdge{m: m, log: m.log, client: redis.NewClient(&redis.Options{
		Addr: m.cfg.RedisAddr, Username: m.cfg.RedisUser, Password: m.cfg.RedisPass.Reveal(),
		PoolSize: 2, DialTimeout: redisWithin, ReadTimeout: redisWithin, WriteTimeout: redisWithin, MaxRetries: -1,
	})}
}

// run works until ctx ends. A Redis that is away changes nothing; it is asked again.
func (r *redisEdge) run(ctx context.Context) {
	defer r.client.Close()
	tick := time.NewTicker(gamesEvery)
	defer tick.Stop()
	select {
	case <-r.m.wishes.caughtUp: // before that nobody is known who could be freed
	case <-ctx.Done():
		return
	}
	migrated, away := false, false
	for {
		var err error
		if !migrated {
			migrated, err = r.migrate(ctx)
		}
		if err == nil {
			err = r.freeAfterGames(ctx)
		}
		if err != nil && !away && ctx.Err() == nil {
			r.log.Warn("AutoMuteUs' Redis cannot be read; nobody is freed on its account until it answers", "err", err)
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// migrate takes over the worker tokens of the ancestor, once for all instances.
func (r *redisEdge) migrate(ctx context.Context) (done bool, err error) {
	const mark = markPrefix + "alltokens"
	if _, err := r.m.tokens.store.Get(ctx, mark); err == nil {
		return true, nil
	} else if !bus.IsCode(err, bus.CodeNotFound) {
		return false, err
	}
	call, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	all, err := r.client.HVals(call, keyAllTokens).Result()
	if err != nil {
		return false, err
	}
	taken := 0
	for _, text := range all {
		tok, err := parseToken([]byte(text))
		if err != nil {
			r.log.Warn("an entry of the ancestor's token list is no token and was passed over")
			continue
		}
		switch err := r.m.tokens.add(ctx, tok, "migration"); {
		case err == nil:
			taken++
		case bus.IsCode(err, bus.CodeLimited):
			r.log.Warn("a worker token of the ancestor was not taken over; there are too many", "token", tok.Hash8())
		case !errors.Is(err, errKnown):
			return false, err // not stored: all of it again, and no mark before
		}
	}
	if len(all) > 0 {
		r.log.Info("worker tokens of the ancestor were taken over and sealed; its list in Redis was left as it is and can be deleted", "count", taken)
	}
	_, err = r.m.tokens.store.Put(ctx, mark, bus.SealedToken{V: 1, Source: "migration", At: time.Now().UTC()})
	return err == nil, err
}

// freeAfterGames wishes members free who were silenced for a game that was seen live
// and is not any more. A game that was never seen in Redis allows no conclusion.
func (r *redisEdge) freeAfterGames(ctx context.Context) error {
	silenced := map[string]map[bus.GuildID][]member{}
	seen := map[string]bool{}
	known := r.m.wishes.snapshot()
	for who, e := range known {
		a := e.Value.Applied
		if a == nil || a.Free() || e.Value.Wish.Free() {
			continue
		}
		code := e.Value.Wish.Code
		if silenced[code] == nil {
			silenced[code] = map[bus.GuildID][]member{}
		}
		silenced[code][who.guild] = append(silenced[code][who.guild], who)
		seen[code] = seen[code] || a.GameSeen
	}
	for code, guilds := range silenced {
		live, err := r.live(ctx, code)
		if err != nil {
			return err
		}
		for guild, members := range guilds {
			switch {
			case live:
				r.markSeen(ctx, known, members)
			case seen[code]:
				r.free(ctx, guild, code, members)
			}
		}
	}
	return nil
}

// live says whether AutoMuteUs counts the game as going on.
func (r *redisEdge) live(ctx context.Context, code string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	score, err := r.client.ZScore(ctx, keyGames, code).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return time.Since(time.Unix(int64(score), 0)) <= gameOver, nil
}

// markSeen notes with the members that their game was live.
func (r *redisEdge) markSeen(ctx context.Context, known map[member]bus.Entry[bus.VoiceRecord], members []member) {
	for _, who := range members {
		e := known[who]
		if e.Value.Applied.GameSeen {
			continue
		}
		rec, a := e.Value, *e.Value.Applied
		a.GameSeen = true
		rec.Applied = &a
		if _, err := r.m.wishes.store.Update(ctx, who.key(), rec, e.Revision); err != nil && !bus.IsCode(err, bus.CodeConflict) {
			r.log.Debug("a live game was not noted; trying again", "err", err)
		}
	}
}

func (r *redisEdge) free(ctx context.Context, guild bus.GuildID, code string, members []member) {
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.user, b.user) })
	requests := make([]request, len(members))
	for i, who := range members {
		requests[i] = request{user: who.user}
	}
	r.log.Info("a game ended without its players being freed; freeing them", "guild", guild, "code", shortCode(code), "members", len(members))
	waiters := r.m.wishes.post(ctx, guild, code, 0, requests)
	r.m.wishes.forget(waiters)
}

// shortCode hides a connect code in a log line.
func shortCode(code string) string {
	c, err := bus.ParseConnectCode(code)
	if err != nil {
		return "other"
	}
	return c.Hash8()
}
