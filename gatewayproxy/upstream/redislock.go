package upstream

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"splashtail/internal/pause"
	"splashtail/internal/secret"
)

// Facts of AutoMuteUs: before it begins a gateway session it waits until this key is
// away and sets it for 5 s. The token stands in it as it is.
const (
	keyTokenLock  = "automuteus:token:lock"
	tokenLockTime = 5 * time.Second
	tokenLockLook = 500 * time.Millisecond
	// tokenLockWait bounds the wait: AutoMuteUs with many shards holds the key for
	// 5 s each time, one after the other.
	tokenLockWait = 2 * time.Minute
)

// identifyLock takes turns with an AutoMuteUs that uses the same token.
type identifyLock struct {
	client *redis.Client
	key    string
}

func newIdentifyLock(addr, user string, pass, token secret.Value) *identifyLock {
	const within = 3 * time.Second
	return &identifyLock{key: keyTokenLock + token.Reveal(), client: redis.NewClient(&redis.Options{
		Addr: addr, Username: user, Password: pass.Reveal(), Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		PoolSize:                 2, DialTimeout: within, ReadTimeout: within, WriteTimeout: within,
		ContextTimeoutEnabled: true, MaxRetries: -1,
	})}
}

// take waits until nobody has the key and sets it. It ends by itself.
func (l *identifyLock) take(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tokenLockWait)
	defer cancel()
	for {
		ours, err := l.client.SetNX(ctx, l.key, "", tokenLockTime).Result()
		if err != nil || ours {
			return err
		}
		pause.For(ctx, tokenLockLook)
	}
}

func (l *identifyLock) close() error { return l.client.Close() }
