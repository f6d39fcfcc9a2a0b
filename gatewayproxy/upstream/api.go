package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/secret"
)

// api is what we ask Discord over REST.
type api struct {
	client *discord.Client
	token  secret.Value
}

// gatewayInfo is the answer of GET /gateway/bot.
type gatewayInfo struct {
	URL    string `json:"url"`
	Shards int    `json:"shards"`
	Limit  struct {
		Total          int   `json:"total"`
		Remaining      int   `json:"remaining"`
		ResetAfter     int64 `json:"reset_after"` // milliseconds
		MaxConcurrency int   `json:"max_concurrency"`
	} `json:"session_start_limit"`
}

// budget reads what is left. Before the first IDENTIFY Discord names no time of the
// reset: the day begins with that one.
func (i gatewayInfo) budget(now time.Time) bus.IdentifyBudget {
	if i.Limit.ResetAfter <= 0 {
		i.Limit.ResetAfter = (24 * time.Hour).Milliseconds()
	}
	return bus.IdentifyBudget{V: 1, Total: i.Limit.Total, Remaining: i.Limit.Remaining, MaxConcurrency: max(i.Limit.MaxConcurrency, 1),
		ResetAt: now.Add(time.Duration(i.Limit.ResetAfter) * time.Millisecond).UTC()}
}

func (a *api) gatewayBot(ctx context.Context) (gatewayInfo, error) {
	var i gatewayInfo
	err := a.get(ctx, "/gateway/bot", &i)
	if err == nil && i.URL == "" {
		err = fmt.Errorf("the answer to /gateway/bot names no address")
	}
	return i, err
}

// application is what we read of GET /applications/@me.
type application struct {
	Flags uint64 `json:"flags"`
}

func (a *api) application(ctx context.Context) (application, error) {
	var app application
	err := a.get(ctx, "/applications/@me", &app)
	return app, err
}

func (a *api) get(ctx context.Context, path string, into any) error {
	answer, err := a.client.Do(ctx, a.token, discord.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, into); err != nil {
		return fmt.Errorf("the answer to %s cannot be read: %w", path, err)
	}
	return nil
}
