package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answer is what the port for capture clients says to a browser.
type answer struct {
	status int
	body   string
	header http.Header
}

func ask(t testing.TB, method, url string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(body), resp.Header}
}

// TestDoorForBrowsers: the HTTP paths that galactus had beside Socket.IO, with what AutoMuteUs keeps in Redis.
func TestDoorForBrowsers(t *testing.T) {
	t.Parallel()
	p, s, r := everything(t)
	root := "http://" + s.broker()
	overviewIs(t, root, `{"activeConnections":0,"activeGames":0,"commit":"","totalGames":-1,"totalGuilds":0,"totalUsers":-1,"version":""}`)
	r.set("automuteus:version", "7.4.4")
	r.set("automuteus:commit", "a1b2c3d")
	r.set("automuteus:users:total", "230")
	r.set("automuteus:games:total", "5120")
	now := time.Now().Unix()
	for _, command := range [][]any{
		{"SADD", "automuteus:count:guilds", "a", "b", "c"},
		{"ZADD", "automuteus:games", now - 10, "7F3A09C2", now - 600, "00000001", now - 2000, "00000002"},
	} {
		if err := r.rdb.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	idle := connectNPM(t, npmTwo, s.broker(), "websocket")
	client := connectNPM(t, npmTwo, s.broker(), "websocket")
	client.emit("connectCode", sessionCode)
	const counts = `,"activeGames":2,"commit":"a1b2c3d","totalGames":5120,"totalGuilds":3,"totalUsers":230,"version":"7.4.4"}`
	overviewIs(t, root, `{"activeConnections":1`+counts)

	lobby := root + "/lobbycode/" + sessionCode
	answers(t, lobby, http.StatusNotFound, "")
	client.emit("lobby", lobbyText)
	r.awaitJobs(sessionCode, linked, element(1, lobbyText))
	answers(t, lobby, http.StatusOK, `{"result":"QWERTY"}`)
	answers(t, root+"/lobbycode/7F3A09C", http.StatusBadRequest, `{"result":"error"}`)
	answers(t, root+"/lobbycode/7F3A09C2F", http.StatusBadRequest, `{"result":"error"}`)
	answers(t, root+"/lobbycode/", http.StatusNotFound, "404 page not found")
	answers(t, root+"/healthz", http.StatusOK, "ok")
	answers(t, root+"/ready", http.StatusOK, "Ready")
	// What a reverse proxy without Upgrade makes of a client's request: the answer names the remedy.
	if a := ask(t, http.MethodGet, root+"/socket.io/?EIO=3&transport=websocket"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "Upgrade") {
		t.Errorf("a websocket request without its header is answered by %d %q", a.status, a.body)
	}

	r.Kill()
	if a := ask(t, http.MethodGet, lobby); a.status != http.StatusServiceUnavailable {
		t.Errorf("without Redis a room code is answered by %d %q, want 503", a.status, a.body)
	}
	overviewIs(t, root, `{"activeConnections":1,"activeGames":0,"commit":"","totalGames":-1,"totalGuilds":0,"totalUsers":-1,"version":""}`)
	r.Again()
	idle.close()
	p.stop()
	// The end of the process is the end of its games: said, not left to a timeout.
	r.awaitJobs(sessionCode, linked, element(1, lobbyText), unlinked)
	p.keepsQuietAbout(sessionCode, s["DISCORD_BOT_TOKEN"])
}

func answers(t *testing.T, url string, status int, body string) {
	t.Helper()
	if a := ask(t, http.MethodGet, url); a.status != status || strings.TrimSpace(a.body) != body {
		t.Errorf("GET %s answers %d %q, want %d %q", url, a.status, a.body, status, body)
	}
}

// overviewIs wants the page at / to be exactly that, for every method and with the headers that web pages need.
func overviewIs(t *testing.T, root, want string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		a := ask(t, method, root+"/", "Origin", "https://example.org")
		if a.status != http.StatusOK || strings.TrimSpace(a.body) != want {
			t.Errorf("%s / answers %d %s, want %s", method, a.status, a.body, want)
		}
		for name, value := range map[string]string{
			"Access-Control-Allow-Origin":  "*",
			"Access-Control-Allow-Methods": "GET, OPTIONS",
			"Access-Control-Allow-Headers": "Accept, Content-Type, Content-Length",
		} {
			if got := a.header.Get(name); got != value {
				t.Errorf("%s / has the header %s: %q, want %q", method, name, got, value)
			}
		}
	}
}
