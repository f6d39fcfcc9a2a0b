package broker

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"splashtail/bus"
)

// door is what the port for capture clients serves: Socket.IO, and the few HTTP paths
// that galactus had.
type door struct {
	front    *front
	gate     *gatekeeper
	trusted  func(*http.Request) string // the client's address
	m        *meters
	log      *slog.Logger
	stats    func(context.Context) gameStats
	room     func(context.Context, bus.ConnectCode) (string, error)
	coded    func() int64
	draining atomic.Bool
	hint     sync.Once // the line about a proxy that is not trusted
}

// answerTimeout bounds how long a plain answer may take to be read.
const answerTimeout = 15 * time.Second

func (d *door) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/socket.io/", d.socketIO)
	mux.HandleFunc("/{$}", d.overview)
	mux.HandleFunc("/lobbycode/{code}", d.lobbyCode)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("/ready", d.ready)
	return mux
}

func (d *door) server() *http.Server {
	return &http.Server{
		Handler:           d.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
}

// socketIO hands a request to the seam, except one whose cause of failure people look
// for in vain.
func (d *door) socketIO(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/socket.io/" {
		http.NotFound(w, r)
		return
	}
	addr := d.trusted(r)
	if r.Header.Get("X-Forwarded-For") != "" && addr == clientAddr(r, nil) {
		d.hint.Do(func() {
			d.log.Info("a reverse proxy names clients in X-Forwarded-For and is not trusted, so all its clients count as one address; add it to the trusted proxies", "addr", addr)
		})
	}
	if r.URL.Query().Get("transport") == "websocket" && !isUpgrade(r) {
		d.m.refused.WithLabelValues("no_upgrade").Inc()
		d.log.Warn("a websocket request came without its Upgrade header; a reverse proxy in between must pass on Upgrade and Connection", "addr", addr)
		plain(w, http.StatusBadRequest, noUpgrade)
		return
	}
	control := http.NewResponseController(w)
	// Slow bodies end here; an upgraded connection sets its own deadlines. The error
	// says only that the connection cannot have one.
	_ = control.SetReadDeadline(time.Now().Add(answerTimeout))
	d.front.serve(w, r, addr)
	_ = control.SetReadDeadline(time.Time{})
}

// noUpgrade is for whoever set the reverse proxy up.
const noUpgrade = "transport=websocket needs the header \"Upgrade: websocket\", and it did not arrive. " +
	"If a reverse proxy stands in front of this server, let it pass the headers Upgrade and Connection on: " +
	"nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; " +
	"Apache: ProxyPass \"/\" \"http://this-server/\" upgrade=websocket.\n"

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade")
}

// overview is what bots' and web pages' status lines are made of. The key order is the
// alphabetical one of galactus.
func (d *door) overview(w http.ResponseWriter, r *http.Request) {
	d.deadline(w)
	s := d.stats(r.Context())
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Accept, Content-Type, Content-Length")
	answerJSON(w, http.StatusOK, struct {
		ActiveConnections int64  `json:"activeConnections"`
		ActiveGames       int64  `json:"activeGames"`
		Commit            string `json:"commit"`
		TotalGames        int64  `json:"totalGames"`
		TotalGuilds       int64  `json:"totalGuilds"`
		TotalUsers        int64  `json:"totalUsers"`
		Version           string `json:"version"`
	}{d.coded(), s.games, s.commit, s.totalGames, s.guilds, s.totalUsers, s.version})
}

// lobbyCode tells the room code of a game to whoever knows its connect code.
func (d *door) lobbyCode(w http.ResponseWriter, r *http.Request) {
	d.deadline(w)
	type result struct {
		Result string `json:"result"`
	}
	text := r.PathValue("code")
	if len(text) != len("7F3A09C2") {
		answerJSON(w, http.StatusBadRequest, result{"error"})
		return
	}
	code, err := bus.ParseConnectCode(text)
	if err != nil || !d.gate.tryCode(d.trusted(r), code) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	room, err := d.room(r.Context(), code)
	switch {
	case err != nil:
		answerJSON(w, http.StatusServiceUnavailable, result{"error"})
	case room == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		answerJSON(w, http.StatusOK, result{room})
	}
}

func (d *door) ready(w http.ResponseWriter, _ *http.Request) {
	if d.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "draining")
		return
	}
	plain(w, http.StatusOK, "Ready")
}

// deadline bounds an answer whose reader may be slow.
func (d *door) deadline(w http.ResponseWriter) {
	// The error says only that the connection cannot have one.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the caller may be gone
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"result":"error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the caller may be gone
}
