package downstream

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// wish is what a bot asks for in the address that it connects to.
type wish struct {
	version  int
	compress string
}

// refusal answers a request that cannot become a connection.
type refusal struct {
	status int
	text   string
}

// readWish reads the query of a connection. The path does not matter, nor do unknown
// parameters and their order.
func readWish(r *http.Request) (wish, *refusal) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return wish{}, &refusal{http.StatusUpgradeRequired, "this is a Discord gateway: connect with a WebSocket, as to wss://gateway.discord.gg/?v=10&encoding=json"}
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return wish{}, &refusal{http.StatusBadRequest, "the query of the address cannot be read"}
	}
	w := wish{version: 10, compress: q.Get("compress")}
	if v := q.Get("v"); v != "" {
		if w.version, err = strconv.Atoi(v); err != nil || w.version != 9 && w.version != 10 {
			return wish{}, &refusal{http.StatusBadRequest, "the gateway speaks versions 9 and 10; connect with v=10"}
		}
	}
	switch q.Get("encoding") {
	case "", "json":
	case "etf":
		return wish{}, &refusal{http.StatusBadRequest, "encoding=etf is not supported here; connect with encoding=json (Eris: uninstall erlpack)"}
	default:
		return wish{}, &refusal{http.StatusBadRequest, "the encoding is not known; connect with encoding=json"}
	}
	switch w.compress {
	case plain, zlibStream, zstdStream:
	default:
		return wish{}, &refusal{http.StatusBadRequest, "the compression is not known; leave it out, or use zlib-stream or zstd-stream"}
	}
	return w, nil
}

// resumeURL is where a bot comes back to: the public address, or the one it used now.
// Libraries ignore it, append a query to it, or add a slash of their own.
func resumeURL(public string, r *http.Request) string {
	if public != "" {
		return strings.TrimRight(public, "/")
	}
	scheme := "ws"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "wss"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host}).String()
}
