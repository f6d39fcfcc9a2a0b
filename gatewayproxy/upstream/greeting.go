package upstream

import (
	"context"
	"strings"
)

// greeting is what Discord must be asked before a session can begin. A session that is
// resumed needs nothing of it, so that an API that is away holds up no RESUME.
type greeting struct {
	url     string
	shards  int // as Discord recommends
	intents uint64
}

// greeting asks once and then knows.
func (u *Upstream) greeting(ctx context.Context) (greeting, error) {
	u.asking.Lock()
	defer u.asking.Unlock()
	u.mu.Lock()
	known := u.greeted
	u.mu.Unlock()
	if known.url != "" {
		return known, nil
	}
	info, err := u.api.gatewayBot(ctx)
	if err != nil {
		return greeting{}, err
	}
	u.gate.tell(info)
	w := greeting{url: u.cfg.GatewayURL, shards: max(info.Shards, 1), intents: u.cfg.Intents}
	if w.url == "" {
		w.url = info.URL
	}
	if w.intents == 0 {
		app, err := u.api.application(ctx)
		if err != nil {
			return greeting{}, err
		}
		var without []string
		if w.intents, without = defaultIntents(app.Flags); without != nil {
			u.log.Warn("the application may not see everything; allow it in Discord's developer portal", "without", strings.Join(without, ", "))
		}
	}
	u.mu.Lock()
	u.greeted = w
	u.mu.Unlock()
	return w, nil
}
