package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/redis/go-redis/v9"
)

// redisLog takes the lines that the Redis client writes by itself, for the whole process and past every logger. What they
// say reaches our callers as an error, who say it once and with its consequence.
type redisLog struct{ log *slog.Logger }

// Printf implements the client's logger.
func (l redisLog) Printf(_ context.Context, format string, v ...any) {
	l.log.Debug(strings.TrimSpace(fmt.Sprintf(format, v...)), "component", "redis")
}

func catchRedisLines(log *slog.Logger) { redis.SetLogger(redisLog{log}) }
