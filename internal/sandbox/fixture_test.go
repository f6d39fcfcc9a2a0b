package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// world is a guild with everything that a test needs: a muting bot, a bystander bot, members in and out of voice.
type world struct {
	*Discord
	t *testing.T

	bot, other          Application // other is in no guild
	guild, voice, text  ID
	botRole, plain      ID
	owner, ana, bo, cat ID // ana and bo are in voice, cat is not
	stranger            ID // a user of no guild
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{Discord: New(cfg), t: t}
	w.bot = must(w.AddApplication(ApplicationSpec{Name: "muter", MembersIntent: true}))(t)
	w.other = must(w.AddApplication(ApplicationSpec{Name: "other"}))(t)
	w.owner, w.ana, w.bo, w.cat, w.stranger = w.user("Olga"), w.user("Ana"), w.user("Bo"), w.user("Cat"), w.user("Stranger")
	w.guild = must(w.AddGuild("Skeld", w.owner))(t)
	w.plain = must(w.AddRole(w.guild, "crew", 0))(t)
	w.botRole = must(w.AddRole(w.guild, "muter", VoiceModerator))(t)
	w.voice = must(w.AddChannel(w.guild, "cafeteria", VoiceChannel))(t)
	w.text = must(w.AddChannel(w.guild, "general", TextChannel))(t)
	w.ok(w.AddMember(w.guild, w.bot.ID, w.botRole))
	for _, u := range []ID{w.ana, w.bo, w.cat} {
		w.ok(w.AddMember(w.guild, u))
	}
	w.ok(w.JoinVoice(w.guild, w.ana, w.voice))
	w.ok(w.JoinVoice(w.guild, w.bo, w.voice))
	return w
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) user(name string) ID { return must(w.AddUser(name))(w.t) }

// reply is what came back.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// request is one call; zero fields mean the muting bot, JSON and no reason.
type request struct {
	method, path, body string
	auth, contentType  string
	reason             string
	noAuth             bool
}

func (w *world) do(r request) reply {
	w.t.Helper()
	req := httptest.NewRequest(r.method, "http://127.0.0.1:1/api/v10"+r.path, strings.NewReader(r.body))
	if r.auth == "" {
		r.auth = "Bot " + w.bot.Token
	}
	if !r.noAuth {
		req.Header.Set("Authorization", r.auth)
	}
	if r.contentType == "" {
		r.contentType = "application/json"
	}
	req.Header.Set("Content-Type", r.contentType)
	if r.reason != "" {
		req.Header.Set("X-Audit-Log-Reason", r.reason)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, req)
	return reply{rec.Code, rec.Header(), rec.Body.String()}
}

func (w *world) patch(user ID, body string) reply {
	w.t.Helper()
	return w.do(request{method: "PATCH", path: w.memberPath(user), body: body})
}

func (w *world) memberPath(user ID) string {
	return "/guilds/" + w.guild.String() + "/members/" + user.String()
}

func (r reply) code(t *testing.T) int {
	t.Helper()
	var e struct{ Code *int }
	if err := json.Unmarshal([]byte(r.Body), &e); err != nil || e.Code == nil {
		t.Fatalf("status %d: no error code in %q", r.Status, r.Body)
	}
	return *e.Code
}

// serve listens like a real server and gives the base URL of the API.
func (w *world) serve() (base string, client *http.Client) {
	srv := httptest.NewServer(w)
	w.t.Cleanup(srv.Close)
	return srv.URL + "/api/v10", srv.Client()
}

func (w *world) get(client *http.Client, url string) (int, string, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bot "+w.bot.Token)
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// noLimits are limits that never bite.
func noLimits() Limits {
	off := Limit{Requests: -1}
	return Limits{MemberPatch: off, MemberGet: off, MemberList: off, GuildGet: off, VoiceState: off, Self: off, Gateway: off, RoleCreate: off, ChannelRename: off, Other: off, Global: -1, Invalid: off}
}

// advance moves the fake clock of a synctest bubble; outside of one it would be a real wait, so it is not for there.
func advance(d time.Duration) { <-time.After(d) }
