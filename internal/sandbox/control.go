package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// serveControl is the sandbox for processes that are not Go: JSON in and out, for callers on this machine only. A request
// that a web page of another origin makes is refused too, since it would come from this machine as well.
func (d *Discord) serveControl(w http.ResponseWriter, r *http.Request) {
	if !localOnly(r) {
		controlError(w, http.StatusForbidden, errors.New("the control surface answers only this machine; nothing was changed"))
		return
	}
	d.control.ServeHTTP(w, r)
}

func localOnly(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != r.Host {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback() && loopback(withPort(r.Host)) == nil
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err != nil {
		return net.JoinHostPort(host, "80")
	}
	return host
}

// controlRoutes is the whole surface. Durations are milliseconds, ids decimal strings.
func (d *Discord) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /sandbox/state", answering(func(*http.Request, struct{}) (any, error) { return d.state(), nil }))
	mux.Handle("GET /sandbox/counts", answering(func(*http.Request, struct{}) (any, error) { return d.Counts(), nil }))
	mux.Handle("GET /sandbox/requests", answering(d.controlRequests))
	mux.Handle("GET /sandbox/voice", answering(d.controlVoiceChanges))
	mux.Handle("GET /sandbox/guilds/{guild}/audit", answering(d.controlAudit))
	mux.Handle("PUT /sandbox/latency", answering(d.controlLatency))
	mux.Handle("PUT /sandbox/limits", answering(d.controlLimits))
	mux.Handle("GET /sandbox/faults", answering(func(*http.Request, struct{}) (any, error) { return faultList(d.Faults()), nil }))
	mux.Handle("POST /sandbox/faults", answering(d.controlAddFault))
	mux.Handle("DELETE /sandbox/faults", answering(func(*http.Request, struct{}) (any, error) { d.ClearFaults(); return nil, nil }))
	mux.Handle("PUT /sandbox/guilds/{guild}/voice/{user}", answering(d.controlVoice))
	mux.Handle("DELETE /sandbox/guilds/{guild}/voice/{user}", answering(d.controlLeave))
	mux.Handle("PUT /sandbox/guilds/{guild}/members/{user}", answering(d.controlMember))
	mux.Handle("DELETE /sandbox/guilds/{guild}/members/{user}", answering(d.controlRemove))
	mux.Handle("PUT /sandbox/guilds/{guild}/roles/{role}", answering(d.controlRole))
	mux.Handle("PUT /sandbox/applications/{app}", answering(d.controlApplication))
	d.gatewayControl(mux)
	d.controlActs(mux)
	return mux
}

// answering adapts a function of a JSON body (empty for GET and DELETE) to HTTP: 400 with a sentence for an error, 204 for
// no answer. Unknown keys are refused, since here a typing error is the caller's own.
func answering[Q any](do func(*http.Request, Q) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q Q
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&q); err != nil {
				controlError(w, http.StatusBadRequest, err)
				return
			}
		}
		v, err := do(r, q)
		if err != nil {
			controlError(w, http.StatusBadRequest, err)
			return
		}
		if v == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	})
}

func controlError(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Error string `json:"error"`
	}{err.Error()})
}

func (d *Discord) controlRequests(r *http.Request, _ struct{}) (any, error) {
	after, limit, _, err := page(r)
	return d.Requests(after, limit), err
}

// controlVoiceChanges can wait: with wait_ms it answers as soon as there is a change after the given one.
func (d *Discord) controlVoiceChanges(r *http.Request, _ struct{}) (any, error) {
	after, limit, wait, err := page(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := waitContext(r, wait)
	defer cancel()
	if wait > 0 {
		// Nothing happened in time: the empty list below says so.
		_ = d.Await(ctx, func() bool { return d.LastVoiceChange() > after })
	}
	return d.VoiceChanges(after, limit), nil
}

// waitContext bounds how long a control request waits: a minute at most.
func waitContext(r *http.Request, wait time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), min(wait, time.Minute))
}

func page(r *http.Request) (after uint64, limit int, wait time.Duration, err error) {
	number := func(key string) uint64 {
		raw := r.URL.Query().Get(key)
		if raw == "" {
			return 0
		}
		n, bad := strconv.ParseUint(raw, 10, 32)
		err = errors.Join(err, bad)
		return n
	}
	return number("after"), int(number("limit")), time.Duration(number("wait_ms")) * time.Millisecond, err
}

func (d *Discord) controlAudit(r *http.Request, _ struct{}) (any, error) {
	g, err := ParseID(r.PathValue("guild"))
	return d.AuditLog(g), err
}

type latencyWish struct {
	LatencyMS int `json:"latency_ms"`
	JitterMS  int `json:"jitter_ms"`
}

func (d *Discord) controlLatency(_ *http.Request, q latencyWish) (any, error) {
	d.SetLatency(ms(q.LatencyMS), ms(q.JitterMS))
	d.log.Info("latency set", "latency", ms(q.LatencyMS), "jitter", ms(q.JitterMS))
	return nil, nil
}

type limitWish struct {
	Requests int `json:"requests"`
	WindowMS int `json:"window_ms"`
}

func (l limitWish) limit() Limit { return Limit{l.Requests, ms(l.WindowMS)} }

type limitsWish struct {
	MemberPatch limitWish `json:"member_patch"`
	MemberGet   limitWish `json:"member_get"`
	MemberList  limitWish `json:"member_list"`
	GuildGet    limitWish `json:"guild_get"`
	VoiceState  limitWish `json:"voice_state"`
	RoleCreate  limitWish `json:"role_create"`
	Rename      limitWish `json:"channel_rename"`
	Other       limitWish `json:"other"`
	Global      int       `json:"global"`
	Invalid     limitWish `json:"invalid"`
	BanMS       int       `json:"ban_ms"`
}

func (d *Discord) controlLimits(_ *http.Request, q limitsWish) (any, error) {
	d.SetLimits(Limits{
		MemberPatch: q.MemberPatch.limit(), MemberGet: q.MemberGet.limit(), MemberList: q.MemberList.limit(),
		GuildGet: q.GuildGet.limit(), VoiceState: q.VoiceState.limit(), Global: q.Global,
		RoleCreate: q.RoleCreate.limit(), ChannelRename: q.Rename.limit(), Other: q.Other.limit(),
		Invalid: q.Invalid.limit(), BanFor: ms(q.BanMS),
	})
	d.log.Info("limits set")
	return nil, nil
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
