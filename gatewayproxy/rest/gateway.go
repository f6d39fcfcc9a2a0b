package rest

import "net/http"

// gatewayAddress answers GET /gateway.
type gatewayAddress struct {
	URL string `json:"url"`
}

// gatewayBot answers GET /gateway/bot.
type gatewayBot struct {
	gatewayAddress
	Shards int        `json:"shards"`
	Limit  startLimit `json:"session_start_limit"`
}

type startLimit struct {
	Total          int `json:"total"`
	Remaining      int `json:"remaining"`
	ResetAfter     int `json:"reset_after"` // ms
	MaxConcurrency int `json:"max_concurrency"`
}

// Sessions with us cost Discord nothing, so that libraries need not be slow with them:
// some refuse to start when fewer sessions remain than they have shards, and all start
// as many shards at once as the last number says.
const (
	sessionsLeft   = 1_000_000
	maxConcurrency = 1_000
)

// emulated answers the routes that are ours. False: the request is none of them.
func (p *Proxy) emulated(w http.ResponseWriter, r *http.Request, path string) bool {
	if p.cfg.GatewayURL == nil || r.Method != http.MethodGet || path != "/gateway" && path != "/gateway/bot" {
		return false
	}
	address := gatewayAddress{URL: p.cfg.GatewayURL(r)}
	if path == "/gateway" {
		answer(w, http.StatusOK, address)
		return true
	}
	header := r.Header.Get("Authorization")
	if header == "" || p.cfg.Authorize != nil && !p.cfg.Authorize(bareToken(header)) {
		refuse(w, http.StatusUnauthorized, reasonNoToken, "401: Unauthorized", 0)
		return true
	}
	shards := 1
	if p.cfg.Shards != nil {
		shards = max(p.cfg.Shards(), 1)
	}
	answer(w, http.StatusOK, gatewayBot{address, shards, startLimit{sessionsLeft, sessionsLeft, 0, maxConcurrency}})
	return true
}
