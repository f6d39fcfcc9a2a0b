package broker

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"splashtail/bus"
)

// redisTimeout bounds one exchange with Redis.
const redisTimeout = 3 * time.Second

// newRedis makes the client. It does not connect. The oldest protocol and no extras are
// used, so that any server since Redis 5 and its relatives will do.
func newRedis(c Config) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: c.RedisAddr, Username: c.RedisUser, Password: c.RedisPass.Reveal(),
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DialTimeout:              2 * time.Second, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout,
		ContextTimeoutEnabled: true, MaxRetries: -1, PoolSize: 8,
	})
}

// gameStats is what the page at / tells about AutoMuteUs.
type gameStats struct {
	version, commit        string
	guilds, games          int64
	totalUsers, totalGames int64 // -1: AutoMuteUs has not said
}

// activeGame is how long ago AutoMuteUs must have popped an event of a game.
const activeGame = 900 * time.Second

// readStats asks Redis; what it cannot tell keeps the value that galactus shows then.
func readStats(ctx context.Context, rdb *redis.Client, now time.Time) gameStats {
	s := gameStats{totalUsers: -1, totalGames: -1}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	p := rdb.Pipeline()
	version, commit := p.Get(ctx, keyVersion), p.Get(ctx, keyCommit)
	guilds := p.SCard(ctx, keyGuilds)
	unix := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	games := p.ZCount(ctx, keyGames, unix(now.Add(-activeGame)), unix(now))
	users, played := p.Get(ctx, keyTotalUsers), p.Get(ctx, keyTotalGames)
	// Each command has its own result; a missing key fails only that one.
	_, _ = p.Exec(ctx)
	s.version, s.commit = version.Val(), commit.Val()
	s.guilds, s.games = guilds.Val(), games.Val()
	if n, err := users.Int64(); err == nil {
		s.totalUsers = n
	}
	if n, err := played.Int64(); err == nil {
		s.totalGames = n
	}
	return s
}

// readRoomCode gives the lobby code of a game; empty when none is stored.
func readRoomCode(ctx context.Context, rdb *redis.Client, code bus.ConnectCode) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	room, err := rdb.Get(ctx, roomCodeKey(code)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return room, err
}

// redisParts is everything of ours that talks to Redis.
type redisParts struct {
	rdb      *redis.Client
	edge     *redisEdge
	channels *channels
	notes    *notes
}

func newRedisParts(c Config, log *slog.Logger, m *meters) *redisParts {
	rdb := newRedis(c)
	return &redisParts{
		rdb: rdb, edge: newRedisEdge(rdb), notes: newNotes(rdb, log, m),
		channels: newChannels(rdb, log, func(up bool) {
			if up {
				m.redisUp.Set(1)
			} else {
				m.redisUp.Set(0)
			}
		}),
	}
}

func (p *redisParts) stats(ctx context.Context) gameStats { return readStats(ctx, p.rdb, time.Now()) }

func (p *redisParts) room(ctx context.Context, code bus.ConnectCode) (string, error) {
	return readRoomCode(ctx, p.rdb, code)
}

func (p *redisParts) close() error { return p.rdb.Close() }
