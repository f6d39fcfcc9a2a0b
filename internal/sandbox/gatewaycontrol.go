package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

// The part of the control surface that shows and troubles the gateway.

// gatewayControl adds its routes. The actions are reconnect, invalidate, close, cut, silence and heartbeat.
func (d *Discord) gatewayControl(mux *http.ServeMux) {
	mux.Handle("GET /sandbox/gateway", answering(func(*http.Request, struct{}) (any, error) { return d.gatewayState(), nil }))
	mux.Handle("GET /sandbox/gateway/records", answering(d.controlGatewayRecords))
	mux.Handle("PUT /sandbox/gateway/settings", answering(d.controlGatewaySettings))
	mux.Handle("PUT /sandbox/gateway/faults", answering(d.controlGatewayFaults))
	mux.Handle("POST /sandbox/gateway/{action}", answering(d.controlGatewayAction))
	mux.Handle("POST /sandbox/burst", answering(func(r *http.Request, q Burst) (any, error) { return nil, d.Burst(r.Context(), q) }))
	mux.Handle("PUT /sandbox/guilds/{guild}/outage", answering(d.controlOutage))
	mux.Handle("PUT /sandbox/users/{user}/presence", answering(d.controlPresence))
}

type gatewayView struct {
	Counts   GatewayCounts    `json:"counts"`
	Settings gatewayForm      `json:"settings"`
	Faults   GatewayFaults    `json:"faults"`
	Sessions []GatewaySession `json:"sessions"`
}

func (d *Discord) gatewayState() gatewayView {
	return gatewayView{d.GatewayCounts(), newGatewayForm(d.GatewaySettings()), d.GatewayFaults(), d.Sessions()}
}

func (d *Discord) controlGatewayRecords(r *http.Request, _ struct{}) (any, error) {
	after, limit, _, err := page(r)
	return d.GatewayRecords(after, limit), err
}

// gatewayForm is GatewaySettings in JSON: times in milliseconds, zero or absent means the default.
type gatewayForm struct {
	HeartbeatMS     int    `json:"heartbeat_ms"`
	IdentifyEveryMS int    `json:"identify_every_ms"`
	MaxConcurrency  int    `json:"max_concurrency"`
	IdentifyLimit   int    `json:"identify_limit"`
	Shards          int    `json:"shards"`
	GuildsPerShard  int    `json:"guilds_per_shard"`
	KeepSessionMS   int    `json:"keep_session_ms"`
	SessionLog      int    `json:"session_log"`
	FramesPerMinute int    `json:"frames_per_minute"`
	MembersEveryMS  int    `json:"members_every_ms"`
	ResumeURL       string `json:"resume_url"`
	LatencyMS       int    `json:"latency_ms"`
	GapMS           int    `json:"gap_ms"`
}

func newGatewayForm(s GatewaySettings) gatewayForm {
	n := func(d time.Duration) int {
		if d < 0 {
			return -1 // off, also when it is less than a millisecond below zero
		}
		return int(d / time.Millisecond)
	}
	return gatewayForm{
		HeartbeatMS: n(s.HeartbeatInterval), IdentifyEveryMS: n(s.IdentifyEvery), MaxConcurrency: s.MaxConcurrency,
		IdentifyLimit: s.IdentifyLimit, Shards: s.Shards, GuildsPerShard: s.GuildsPerShard, KeepSessionMS: n(s.KeepSession),
		SessionLog: s.SessionLog, FramesPerMinute: s.FramesPerMinute, MembersEveryMS: n(s.MembersEvery),
		ResumeURL: s.ResumeURL, LatencyMS: n(s.Latency), GapMS: n(s.Gap),
	}
}

func (d *Discord) controlGatewaySettings(_ *http.Request, q gatewayForm) (any, error) {
	d.SetGateway(GatewaySettings{
		HeartbeatInterval: ms(q.HeartbeatMS), IdentifyEvery: ms(q.IdentifyEveryMS), MaxConcurrency: q.MaxConcurrency,
		IdentifyLimit: q.IdentifyLimit, Shards: q.Shards, GuildsPerShard: q.GuildsPerShard, KeepSession: ms(q.KeepSessionMS),
		SessionLog: q.SessionLog, FramesPerMinute: q.FramesPerMinute, MembersEvery: ms(q.MembersEveryMS),
		ResumeURL: q.ResumeURL, Latency: ms(q.LatencyMS), Gap: ms(q.GapMS),
	})
	d.log.Info("gateway settings set")
	return nil, nil
}

func (d *Discord) controlGatewayFaults(_ *http.Request, q GatewayFaults) (any, error) {
	d.SetGatewayFaults(q)
	d.log.Info("gateway faults set", "faults", fmt.Sprintf("%+v", q))
	return nil, nil
}

// gatewayAction says which sessions an action is for, and how.
type gatewayAction struct {
	Sessions
	Resumable bool `json:"resumable"` // of invalidate
	Code      int  `json:"code"`      // of close
}

func (d *Discord) controlGatewayAction(r *http.Request, q gatewayAction) (any, error) {
	do, known := map[string]func() int{
		"reconnect":  func() int { return d.Reconnect(q.Sessions) },
		"invalidate": func() int { return d.InvalidateSessions(q.Sessions, q.Resumable) },
		"close":      func() int { return d.CloseSessions(q.Sessions, q.Code) },
		"cut":        func() int { return d.CutSessions(q.Sessions) },
		"silence":    func() int { return d.SilenceSessions(q.Sessions) },
		"heartbeat":  func() int { return d.AskHeartbeat(q.Sessions) },
	}[r.PathValue("action")]
	switch {
	case !known:
		return nil, fmt.Errorf("no gateway action is called %q; nothing was done", r.PathValue("action"))
	case r.PathValue("action") == "close" && (q.Code < 1000 || q.Code > 4999):
		return nil, fmt.Errorf("close needs a code from 1000 to 4999, not %d; nothing was closed", q.Code)
	}
	n := do()
	d.log.Info("gateway action", "action", r.PathValue("action"), "sessions", n)
	return struct {
		Sessions int `json:"sessions"`
	}{n}, nil
}

type outageWish struct {
	Unavailable bool `json:"unavailable"`
}

func (d *Discord) controlOutage(r *http.Request, q outageWish) (any, error) {
	id, err := ParseID(r.PathValue("guild"))
	if err != nil {
		return nil, err
	}
	return nil, d.SetUnavailable(id, q.Unavailable)
}

type presenceWish struct {
	Status string `json:"status"`
}

func (d *Discord) controlPresence(r *http.Request, q presenceWish) (any, error) {
	id, err := ParseID(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	return nil, d.SetPresence(id, q.Status)
}
