package discord

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

func TestDoRepeatsWhatIsSafe(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick())
	ctx := bounded(t)
	guild := r.guild.String()
	for _, kind := range []sandbox.FaultKind{sandbox.Fault500, sandbox.Fault502, sandbox.FaultReset} {
		for _, after := range []bool{false, true} {
			fault := func() { r.ok(r.AddFault(sandbox.Fault{Kind: kind, After: after})) }
			fault()
			must(r.bot.EditMember(ctx, guild, r.ana.String(), Changes{"nick": "Ann"}, "x"))(t)
			fault()
			must(r.bot.Roles(ctx, guild))(t)
			fault()
			must(r.bot.SendMessage(ctx, r.text.String(), &discordgo.MessageSend{Content: "once"}, fmt.Sprint(kind, after)))(t)
			// Not repeatable: sent once, whatever came of it.
			fault()
			before := r.Counts().Requests
			_, err := r.bot.CreateRole(ctx, guild, Changes{"name": "twin", "permissions": "0"}, "x")
			if err == nil || r.Counts().Requests != before+1 {
				t.Errorf("%s: a new role was tried %d times: %v", kind, r.Counts().Requests-before, err)
			}
			// A role that was deleted by a try whose answer was lost is gone: that is success.
			id := must(r.As(r.owner).CreateRole(r.guild, "temp", 0))(t)
			fault()
			r.ok(r.bot.DeleteRole(ctx, guild, id.String(), "x"))
		}
	}
	roles := must(r.bot.Roles(ctx, guild))(t)
	if n := countRoles(roles, "twin"); n != 3 { // once per kind that struck after the work
		t.Errorf("%d twins", n)
	}
	if n := len(r.Messages(r.text)); n != 6 {
		t.Errorf("%d messages", n)
	}
	r.ok(r.AddFault(sandbox.Fault{Kind: sandbox.Fault500, Count: -1}))
	before := r.Counts().Requests
	_, err := r.bot.Roles(ctx, guild)
	var refused *APIError
	if !errors.As(err, &refused) || refused.Status != 500 || r.Counts().Requests != before+maxTries {
		t.Errorf("after %d tries: %v", r.Counts().Requests-before, err)
	}
}

func countRoles(roles []*discordgo.Role, name string) (n int) {
	for _, role := range roles {
		if role.Name == name {
			n++
		}
	}
	return n
}

func TestDoComesBackAfterAnInteractionWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick())
	ctx := bounded(t)
	must(r.bot.SetCommands(ctx, r.app.ID.String(), r.guild.String(), []*discordgo.ApplicationCommand{{Name: "ping", Description: "x"}}))(t)
	i := must(r.Interact(sandbox.InteractionSpec{App: r.app.ID, Guild: r.guild, Channel: r.text, User: r.ana, Command: "ping"}))(t)
	r.ok(r.AddFault(sandbox.Fault{Kind: sandbox.FaultReset, After: true}))
	r.ok(r.bot.Respond(ctx, i.ID().String(), i.Token(), &discordgo.InteractionResponse{
		Type: discordgo.InteractionResponseChannelMessageWithSource, Data: &discordgo.InteractionResponseData{Content: "pong"},
	}))
	if s := i.State(); s.Original == nil || s.Original.Text() != "pong" {
		t.Errorf("the user sees %+v", s)
	}
}

func TestDoComesBackAfter429s(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick())
	ctx := bounded(t)
	for _, kind := range []sandbox.FaultKind{sandbox.FaultLimitUser, sandbox.FaultLimitShared, sandbox.FaultLimitGlobal} {
		r.ok(r.AddFault(sandbox.Fault{Kind: kind, RetryAfter: 150 * time.Millisecond}))
		start := time.Now()
		_, err := r.bot.CreateRole(ctx, r.guild.String(), Changes{"name": string(kind), "permissions": "0"}, "a POST, and yet safe")
		if err != nil || time.Since(start) < 150*time.Millisecond {
			t.Errorf("%s: %v after %s", kind, err, time.Since(start))
		}
	}
	// A limit that hurts longer than the caller has time is told at once.
	r.ok(r.AddFault(sandbox.Fault{Kind: sandbox.FaultLimitUser, RetryAfter: time.Hour}))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	start := time.Now()
	_, err := r.bot.Roles(ctx, r.guild.String())
	if e := wantReason(t, err, ReasonTooLong); e.RetryAfter < 59*time.Minute || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

// Two clients of one process, many goroutines, every kind of call, strict limits and a
// limit over all routes: nobody is ever refused.
func TestTwoClientsShareOneLimiter(t *testing.T) {
	t.Parallel()
	l := quick()
	l.Global = 50
	r := newRig(t, l)
	other := must(NewLimitedClient(r.c.base, r.l))(t)
	t.Cleanup(other.Close)
	r.SetLatency(2*time.Millisecond, 20*time.Millisecond)
	ctx := bounded(t)
	guild := r.guild.String()
	role := must(r.As(r.owner).CreateRole(r.guild, "crew", 0))(t).String()
	var wg sync.WaitGroup
	for _, b := range []*Bot{r.bot, other.Bot(secret.New(r.app.Token)).As(ClassBackup)} {
		for _, call := range []func() error{
			func() error { return errOf(b.Member(ctx, guild, r.ana.String())) },
			func() error { return errOf(b.EditMember(ctx, guild, r.ana.String(), Changes{"nick": "A"}, "x")) },
			func() error { return b.AddRole(ctx, guild, r.bo.String(), role, "x") },
			func() error { return b.RemoveRole(ctx, guild, r.bo.String(), role, "x") }, // shares the bucket
			func() error { return errOf(b.Channels(ctx, guild)) },
			func() error {
				return errOf(b.SendMessage(ctx, r.text.String(), &discordgo.MessageSend{Content: "x"}, ""))
			},
		} {
			for range 12 {
				wg.Go(func() {
					if err := call(); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	wg.Wait()
	if c := r.Counts(); c.Status[200]+c.Status[204] != 144 || len(c.Limited) > 0 {
		t.Errorf("%+v", c)
	}
}

func TestDoWithoutALimiterStillWaitsAfter429(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick())
	c := must(NewClient(r.c.base))(t)
	t.Cleanup(c.Close)
	b := c.Bot(secret.New(r.app.Token))
	for range 7 { // two more than a window takes
		must(b.Roles(bounded(t), r.guild.String()))(t)
	}
	r.ok(r.AddFault(sandbox.Fault{Kind: sandbox.FaultLimitUser, RetryAfter: time.Hour}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var refused *APIError
	if _, err := b.Roles(ctx, r.guild.String()); !errors.As(err, &refused) || refused.RetryAfter != time.Hour {
		t.Errorf("%v", err)
	}
	if _, err := NewLimitedClient(r.c.base, nil); err == nil {
		t.Error("a limited client without a limiter")
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Location", "http://192.0.2.1/elsewhere")
		w.WriteHeader(map[bool]int{true: http.StatusFound, false: http.StatusOK}[r.URL.Path == "/redirect"])
	}))
	t.Cleanup(srv.Close)
	c := must(NewClient(srv.URL))(t)
	t.Cleanup(c.Close)
	for _, q := range []struct{ token, reason, auth, header string }{
		{"abc", "raid: 5 µs", "Bot abc", "raid:%205%20%C2%B5s"},
		{"Bot abc", "\xff broken", "Bot abc", "%EF%BF%BD%20broken"},
		{"Bearer abc", strings.Repeat("é", 600), "Bearer abc", strings.Repeat("%C3%A9", 512)},
		{"", " \n", "", ""},
	} {
		_, err := c.Do(bounded(t), secret.New(q.token), Request{Method: "DELETE", Path: "/x", Reason: q.reason})
		if err != nil || got.Get("Authorization") != q.auth || got.Get("X-Audit-Log-Reason") != q.header || got.Get("User-Agent") != userAgent {
			t.Errorf("%+v: %v %v", q, got, err)
		}
	}
	var refused *APIError
	if _, err := c.Do(bounded(t), secret.New("abc"), Request{Method: "GET", Path: "/redirect"}); !errors.As(err, &refused) || refused.Status != 302 {
		t.Errorf("a redirect was followed or taken for an answer: %v", err)
	}
}

func TestDoRefusesWhatItCannotSend(t *testing.T) {
	t.Parallel()
	c := must(NewClient("http://127.0.0.1:1"))(t)
	for name, q := range map[string]Request{
		"body":           {Method: "POST", Path: "/x", Body: func() {}},
		"too many files": {Method: "POST", Path: "/x", Files: make([]File, maxFiles+1)},
		"file": {Method: "POST", Path: "/x", Files: []File{{Name: "f", Size: 1, Open: func() (io.ReadCloser, error) {
			return nil, errors.New("disk is gone")
		}}}},
	} {
		if _, err := c.Do(bounded(t), secret.Value{}, q); err == nil || !strings.Contains(err.Error(), "nothing was sent") {
			t.Errorf("%s: %v", name, err)
		}
	}
	big := &discordgo.File{Name: "big", Reader: io.LimitReader(zeros{}, maxInMemory+1)}
	if _, err := filesOf([]*discordgo.File{big}); err == nil {
		t.Error("more files than memory")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
