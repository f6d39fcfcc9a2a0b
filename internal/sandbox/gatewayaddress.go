package sandbox

import "time"

// getGateway and getGatewayBot name the address that the client itself used, so that a test server behind any port works.
func getGateway(c *call) (any, *apiError) {
	return gatewayAddress{URL: "ws://" + c.host + gatewayPath}, nil
}

func getGatewayBot(c *call) (any, *apiError) {
	g := &c.d.gateway
	limit := sessionLimit{
		Total: g.settings.IdentifyLimit, Remaining: g.settings.IdentifyLimit, MaxConcurrency: g.settings.MaxConcurrency,
	}
	if limit.Total < 0 { // switched off: a number that nobody reaches
		limit.Total, limit.Remaining = 1<<31-1, 1<<31-1
	}
	if s := g.starts[c.app.user.id]; s != nil && c.now.Before(s.reset) {
		limit.Remaining = max(limit.Total-s.used, 0)
		limit.ResetAfter = int(s.reset.Sub(c.now) / time.Millisecond)
	}
	return gatewayBot{gatewayAddress{URL: "ws://" + c.host + gatewayPath}, g.settings.Shards, limit}, nil
}

type gatewayAddress struct {
	URL string `json:"url"`
}

type gatewayBot struct {
	gatewayAddress
	Shards int          `json:"shards"`
	Limit  sessionLimit `json:"session_start_limit"`
}

type sessionLimit struct {
	Total          int `json:"total"`
	Remaining      int `json:"remaining"`
	ResetAfter     int `json:"reset_after"` // ms
	MaxConcurrency int `json:"max_concurrency"`
}
