package sandbox

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
)

// redirect sends requests for discord.com to another host: discordgo's addresses are fixed.
type redirect struct {
	to   *url.URL
	base http.RoundTripper
}

func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host, req.Host = r.to.Scheme, r.to.Host, r.to.Host
	return r.base.RoundTrip(req)
}

// checked gives a transport that also holds every call against Discord's own description where that file is at hand.
func checked(t *testing.T, base http.RoundTripper) (http.RoundTripper, func() []string) {
	t.Helper()
	spec := description(t)
	if spec == nil {
		return base, nil
	}
	return spec.RoundTripper(base, func(err error) { t.Error(err) }), spec.Operations
}

func (w *world) discordgo(transport http.RoundTripper, base string, token string) *discordgo.Session {
	w.t.Helper()
	s := must(discordgo.New("Bot " + token))(w.t)
	to := must(url.Parse(base))(w.t)
	s.Client = &http.Client{Transport: redirect{to, transport}}
	s.ShouldRetryOnRateLimit = false
	return s
}

// TestDiscordgo drives the sandbox with a client library that knows nothing of it.
func TestDiscordgo(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{MemberPatch: Limit{8, time.Minute}}})
	base, client := w.serve()
	transport, operations := checked(t, client.Transport)
	s := w.discordgo(transport, base, w.bot.Token)
	guild, ana := w.guild.String(), w.ana.String()

	me := must(s.User("@me"))(t)
	if me.ID != w.bot.ID.String() || !me.Bot || me.Username != "muter" {
		t.Errorf("me %+v", me)
	}
	g := must(s.Guild(guild))(t)
	if g.OwnerID != w.owner.String() || len(g.Roles) != 3 || g.Roles[2].Permissions != int64(VoiceModerator) {
		t.Errorf("guild %+v", g)
	}
	if gw := must(s.Gateway())(t); !strings.HasPrefix(gw, "ws://127.0.0.1:") {
		t.Errorf("gateway %q", gw)
	}
	if gw := must(s.GatewayBot())(t); gw.Shards != 1 || gw.SessionStartLimit.MaxConcurrency != 1 {
		t.Errorf("gateway %+v", gw)
	}
	m := must(s.GuildMember(guild, ana))(t)
	if m.User.ID != ana || m.Mute || m.Deaf || m.JoinedAt.IsZero() {
		t.Errorf("member %+v", m)
	}
	if all := must(s.GuildMembers(guild, "", 1000))(t); len(all) != 5 {
		t.Errorf("%d members", len(all))
	}
	yes, no := true, false
	m = must(s.GuildMemberEdit(guild, ana, &discordgo.GuildMemberParams{Mute: &yes, Deaf: &yes}, discordgo.WithAuditLogReason("wave 1: tasks")))(t)
	if !m.Mute || !m.Deaf {
		t.Errorf("after the edit %+v", m)
	}
	if log := w.AuditLog(w.guild); len(log) != 1 || log[0].Reason != "wave 1: tasks" {
		t.Errorf("audit log %+v", log)
	}
	w.ok(s.GuildMemberMute(guild, ana, false))
	w.ok(s.GuildMemberDeafen(guild, ana, false))
	if v, _ := w.VoiceState(w.guild, w.ana); v.Mute || v.Deaf {
		t.Errorf("state %+v", v)
	}
	vs := discordgo.VoiceState{}
	body := must(s.RequestWithBucketID("GET", discordgo.EndpointGuild(guild)+"/voice-states/"+ana, nil, "voice"))(t)
	w.ok(discordgo.Unmarshal(body, &vs))
	if vs.ChannelID != w.voice.String() || vs.UserID != ana || vs.Member.User.ID != ana || vs.SessionID == "" {
		t.Errorf("voice state %+v", vs)
	}
	w.ok(w.JoinVoice(w.guild, w.bot.ID, w.voice))
	must(s.RequestWithBucketID("GET", discordgo.EndpointGuild(guild)+"/voice-states/@me", nil, "voice"))(t)
	w.discordgoErrors(s, &no)

	want := []string{
		"get_bot_gateway", "get_gateway", "get_guild", "get_guild_member", "get_my_user", "get_self_voice_state",
		"get_voice_state", "list_guild_members", "update_guild_member",
	}
	if operations != nil && !slices.Equal(operations(), want) {
		t.Errorf("checked operations %v, want %v", operations(), want)
	}
	if ua := w.Requests(0, 1)[0].UserAgent; !strings.HasPrefix(ua, "DiscordBot (") {
		t.Errorf("user agent %q", ua)
	}
}

// discordgoErrors checks that the library understands each refusal.
func (w *world) discordgoErrors(s *discordgo.Session, no *bool) {
	w.t.Helper()
	mute := &discordgo.GuildMemberParams{Mute: no}
	edit := func(guild, user ID, p *discordgo.GuildMemberParams) error {
		_, err := s.GuildMemberEdit(guild.String(), user.String(), p)
		return err
	}
	for _, tc := range []struct {
		what         string
		err          error
		status, code int
	}{
		{"out of voice", edit(w.guild, w.cat, mute), 400, 40032},
		{"no member", edit(w.guild, w.stranger, mute), 404, 10007},
		{"no guild", edit(1, w.ana, mute), 404, 10004},
		{"nick", edit(w.guild, w.ana, &discordgo.GuildMemberParams{Nick: "x"}), 403, 50013},
	} {
		var rest *discordgo.RESTError
		if !errors.As(tc.err, &rest) || rest.Response.StatusCode != tc.status || rest.Message == nil || rest.Message.Code != tc.code {
			w.t.Errorf("%s: %v", tc.what, tc.err)
		}
	}
	// Six of eight are used up in this guild; the library reads the headers not a table of its own.
	if left := s.Ratelimiter.GetBucket(discordgo.EndpointGuildMember(w.guild.String(), "")).Remaining; left != 2 {
		w.t.Errorf("discordgo believes that %d requests are left, want 2", left)
	}
	w.ok(w.AddFault(Fault{Kind: FaultLimitUser, RetryAfter: 2 * time.Second}))
	var limited *discordgo.RateLimitError
	if err := edit(w.guild, w.ana, mute); !errors.As(err, &limited) || limited.RetryAfter != 2*time.Second {
		w.t.Errorf("429: %v", err)
	}
}

// TestAnswersMatchTheDescription sends every kind of refusal past Discord's description.
func TestAnswersMatchTheDescription(t *testing.T) {
	w := newWorld(t, Config{Limits: noLimits()})
	base, client := w.serve()
	transport, operations := checked(t, client.Transport)
	client = &http.Client{Transport: transport}
	reached := map[int]bool{}
	for _, r := range []request{
		{method: "PATCH", path: w.memberPath(w.ana), body: `{"mute":true,"deaf":true}`, reason: "a%20reason"},
		{method: "PATCH", path: w.memberPath(w.ana), body: `{"mute":null,"channel_id":null}`},
		{method: "PATCH", path: w.memberPath(w.cat), body: `{"mute":true}`},
		{method: "PATCH", path: w.memberPath(w.stranger), body: `{"mute":true}`},
		{method: "PATCH", path: w.memberPath(w.bo), body: `{"nick":"x"}`},
		{method: "PATCH", path: "/guilds/1/members/2", body: `{}`},
		{method: "GET", path: "/users/@me", auth: "Bot nobody"},
		{method: "GET", path: "/guilds/" + w.guild.String() + "?with_counts=true"},
		{method: "GET", path: "/guilds/" + w.guild.String() + "/members?limit=1000&after=0"},
	} {
		req, _ := http.NewRequest(r.method, base+r.path, nil)
		if r.body != "" {
			req, _ = http.NewRequest(r.method, base+r.path, jsonBody(r.body))
			req.Header.Set("Content-Type", "application/json")
		}
		if r.auth == "" {
			r.auth = "Bot " + w.bot.Token
		}
		req.Header.Set("Authorization", r.auth)
		if r.reason != "" {
			req.Header.Set("X-Audit-Log-Reason", r.reason)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		reached[resp.StatusCode] = true
	}
	for _, status := range []int{200, 400, 401, 403, 404} {
		if !reached[status] {
			t.Errorf("no answer with %d came", status)
		}
	}
	if operations != nil && len(operations()) != 4 {
		t.Errorf("operations %v", operations())
	}
}

// TestEverythingAtOnce is for the race detector: all of the interface from many goroutines.
func TestEverythingAtOnce(t *testing.T) {
	w := newWorld(t, Config{RequestLog: 16, ChangeLog: 16, AuditLog: 16})
	changes, cancel := w.SubscribeVoice(4096)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				user := []ID{w.ana, w.bo, w.cat}[(i+n)%3]
				switch (i + n) % 8 {
				case 0:
					w.patch(user, `{"mute":true,"deaf":true}`)
				case 1:
					w.patch(user, `{"mute":false}`)
				case 2:
					_ = w.JoinVoice(w.guild, user, w.voice)
				case 3:
					_ = w.LeaveVoice(w.guild, user)
				case 4:
					_ = w.AddFault(Fault{Kind: Fault500})
					w.do(request{method: "GET", path: w.memberPath(user)})
				case 5:
					_ = w.SetRolePermissions(w.guild, w.botRole, VoiceModerator)
					w.Counts()
				case 6:
					w.Requests(0, 0)
					w.VoiceChanges(0, 0)
					w.state()
				case 7:
					_ = w.SetVoice(w.guild, user, n%2 == 0, false)
					w.SetLimits(Limits{MemberPatch: Limit{5 + n%3, time.Millisecond}})
				}
			}
		})
	}
	wg.Wait()
	cancel()
	seq := uint64(0)
	for c := range changes {
		if seq != 0 && c.Seq != seq+1 {
			t.Fatalf("change %d follows %d", c.Seq, seq)
		}
		if c.Before == c.After {
			t.Errorf("no change: %+v", c)
		}
		seq = c.Seq
	}
	if seq != w.LastVoiceChange() {
		t.Errorf("the feed ended at %d of %d", seq, w.LastVoiceChange())
	}
	if n := len(w.Requests(0, 0)); n != 16 {
		t.Errorf("%d requests kept", n)
	}
}
