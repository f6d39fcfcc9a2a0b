package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMuteChangesTheMemberAndNothingElse(t *testing.T) {
	w := newWorld(t, Config{})
	got := w.do(request{method: "PATCH", path: w.memberPath(w.ana), body: `{"mute":true,"deaf":true,"unknown":[1]}`, reason: "act%3A01 na%C3%AFve+x"})
	var m struct {
		User       struct{ ID ID }
		Mute, Deaf bool
		Roles      []ID
	}
	if err := json.Unmarshal([]byte(got.Body), &m); err != nil || got.Status != 200 {
		t.Fatalf("%d %s: %v", got.Status, got.Body, err)
	}
	if m.User.ID != w.ana || !m.Mute || !m.Deaf {
		t.Errorf("answered %s", got.Body)
	}
	want := VoiceState{Guild: w.guild, User: w.ana, Channel: w.voice, Mute: true, Deaf: true}
	if v, ok := w.VoiceState(w.guild, w.ana); !ok || v != want {
		t.Errorf("state %+v, want %+v", v, want)
	}
	if v, _ := w.VoiceState(w.guild, w.bo); v.Mute || v.Deaf {
		t.Error("somebody else was muted")
	}
	last := w.VoiceChanges(w.LastVoiceChange()-1, 0)
	if len(last) != 1 || last[0].By != w.bot.ID || last[0].Token != TokenHash(w.bot.Token) || last[0].After != want {
		t.Errorf("change %+v", last)
	}
	log := w.AuditLog(w.guild)
	if len(log) != 1 || log[0].Action != 24 || log[0].Actor != w.bot.ID || log[0].Target != w.ana || log[0].Reason != "act:01 naïve+x" ||
		len(log[0].Changes) != 2 || log[0].Changes[0].Key != "mute" || string(log[0].Changes[0].Old) != "false" || string(log[0].Changes[0].New) != "true" {
		t.Errorf("audit log %+v", log)
	}
}

func TestSameStateAgainIsNoChange(t *testing.T) {
	w := newWorld(t, Config{})
	w.patch(w.ana, `{"mute":true}`)
	seq := w.LastVoiceChange()
	if got := w.patch(w.ana, `{"mute":true,"deaf":false}`); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if w.LastVoiceChange() != seq || len(w.AuditLog(w.guild)) != 1 {
		t.Error("a change was recorded")
	}
}

func TestServerMuteOutlivesLeavingVoice(t *testing.T) {
	w := newWorld(t, Config{})
	w.patch(w.ana, `{"mute":true}`)
	w.ok(w.LeaveVoice(w.guild, w.ana))
	if got := w.patch(w.ana, `{"mute":false}`); got.code(t) != 40032 {
		t.Errorf("unmute out of voice: %s", got.Body)
	}
	w.ok(w.JoinVoice(w.guild, w.ana, w.voice))
	if v, _ := w.VoiceState(w.guild, w.ana); !v.Mute {
		t.Error("the mute was gone after rejoining")
	}
}

func TestPatchOfManyKeysIsAllOrNothing(t *testing.T) {
	w := newWorld(t, Config{})
	if got := w.patch(w.ana, `{"mute":true,"nick":"x"}`); got.code(t) != 50013 {
		t.Errorf("without nickname permission: %s", got.Body)
	}
	if v, _ := w.VoiceState(w.guild, w.ana); v.Mute || len(w.AuditLog(w.guild)) != 0 {
		t.Error("half of the patch was made")
	}
	w.ok(w.SetRolePermissions(w.guild, w.botRole, Administrator))
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	body := `{"mute":true,"nick":"Red","roles":["` + w.plain.String() + `"],"flags":5,"channel_id":null,"communication_disabled_until":"` + until.Format(time.RFC3339) + `"}`
	if got := w.patch(w.ana, body); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	var actions []int
	for _, e := range w.AuditLog(w.guild) {
		actions = append(actions, e.Action)
	}
	if !slices.Equal(actions, []int{AuditMemberDisconnect, AuditMemberUpdate, AuditMemberRoleUpdate}) {
		t.Errorf("audit actions %v", actions)
	}
	got := w.do(request{method: "GET", path: w.memberPath(w.ana)})
	for _, part := range []string{`"nick":"Red"`, `"mute":true`, `"flags":4`, `"roles":["` + w.plain.String() + `"]`, until.Format("2006-01-02T15:04:05.000000-07:00")} {
		if !strings.Contains(got.Body, part) {
			t.Errorf("%s is missing in %s", part, got.Body)
		}
	}
	if got := w.patch(w.ana, `{"nick":null,"roles":null,"communication_disabled_until":null}`); got.Status != 200 ||
		!strings.Contains(got.Body, `"nick":null`) || !strings.Contains(got.Body, `"roles":[]`) || !strings.Contains(got.Body, `"communication_disabled_until":null`) {
		t.Errorf("nulls: %d %s", got.Status, got.Body)
	}
}

// permissionRules is the rule of each key, with the smallest change that breaks it.
var permissionRules = []struct {
	name    string
	grants  Permissions
	prepare func(*world)
	user    func(*world) ID
	body    string
	want    int // status
}{
	{name: "mute", grants: MuteMembers, body: `{"mute":true}`, want: 200},
	{name: "mute with deafen only", grants: DeafenMembers, body: `{"mute":true}`, want: 403},
	{name: "deafen", grants: DeafenMembers, body: `{"deaf":true}`, want: 200},
	{name: "both with one", grants: MuteMembers, body: `{"mute":true,"deaf":true}`, want: 403},
	{name: "move with mute only", grants: MuteMembers, body: `{"channel_id":null}`, want: 403},
	{name: "move", grants: MoveMembers, body: `{"channel_id":null}`, want: 200},
	{name: "administrator", grants: Administrator, body: `{"mute":true,"deaf":true,"channel_id":null}`, want: 200},
	{name: "administrator past an overwrite", grants: Administrator, body: `{"mute":true}`, want: 200,
		prepare: func(w *world) {
			w.ok(w.SetOverwrite(w.guild, w.voice, w.botRole, Overwrite{Deny: ViewChannel | MuteMembers}))
		}},
	{name: "mute of the owner", grants: MuteMembers, body: `{"mute":true}`, want: 200, user: func(w *world) ID { return w.owner },
		prepare: func(w *world) { w.ok(w.JoinVoice(w.guild, w.owner, w.voice)) }},
	{name: "role denies in the channel", grants: MuteMembers, body: `{"mute":true}`, want: 403,
		prepare: func(w *world) {
			w.ok(w.SetOverwrite(w.guild, w.voice, w.botRole, Overwrite{Deny: MuteMembers}))
		}},
	{name: "everyone denies, role allows", grants: 0, body: `{"mute":true}`, want: 200,
		prepare: func(w *world) {
			w.ok(w.SetOverwrite(w.guild, w.voice, w.guild, Overwrite{Deny: MuteMembers}))
			w.ok(w.SetOverwrite(w.guild, w.voice, w.botRole, Overwrite{Allow: MuteMembers}))
		}},
	{name: "role allows, member denies", grants: 0, body: `{"mute":true}`, want: 403,
		prepare: func(w *world) {
			w.ok(w.SetOverwrite(w.guild, w.voice, w.botRole, Overwrite{Allow: MuteMembers}))
			w.ok(w.SetOverwrite(w.guild, w.voice, w.bot.ID, Overwrite{Deny: MuteMembers}))
		}},
	{name: "nick", grants: ManageNicknames, body: `{"nick":"x"}`, want: 200},
	{name: "nick of a higher one", grants: ManageNicknames, body: `{"nick":"x"}`, want: 403, prepare: raise},
	{name: "nick of the owner", grants: Administrator, body: `{"nick":"x"}`, want: 403, user: func(w *world) ID { return w.owner }},
	{name: "own nick", grants: 0, body: `{"nick":"x"}`, want: 200, user: func(w *world) ID { return w.bot.ID }},
	{name: "roles without permission", grants: 0, body: `{"roles":[]}`, want: 403},
	{name: "roles", grants: ManageRoles, body: `{"roles":["PLAIN"]}`, want: 200},
	{name: "roles at the own height", grants: ManageRoles, body: `{"roles":["BOT"]}`, want: 403},
	{name: "roles taken from above", grants: ManageRoles, body: `{"roles":[]}`, want: 403, prepare: raise},
	{name: "time-out", grants: ModerateMembers, body: `{"communication_disabled_until":"LATER"}`, want: 200},
	{name: "time-out of a higher one", grants: ModerateMembers, body: `{"communication_disabled_until":"LATER"}`, want: 403, prepare: raise},
	{name: "time-out of an administrator", grants: ModerateMembers, body: `{"communication_disabled_until":"LATER"}`, want: 403,
		prepare: func(w *world) {
			w.ok(w.SetRolePermissions(w.guild, w.plain, Administrator))
			w.ok(w.AddMember(w.guild, w.ana, w.plain))
		}},
	{name: "flags", grants: ManageGuild, body: `{"flags":4}`, want: 200},
	{name: "flags without permission", grants: KickMembers, body: `{"flags":4}`, want: 403},
	{name: "bot in time-out", grants: MuteMembers, body: `{"mute":true}`, want: 403,
		prepare: func(w *world) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.guilds[w.guild].members[w.bot.ID].timeout = time.Now().Add(time.Hour)
		}},
}

// later is a time-out that Discord accepts.
func later() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }

func TestPermissions(t *testing.T) {
	for _, tc := range permissionRules {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.ok(w.SetRolePermissions(w.guild, w.botRole, tc.grants))
			if tc.prepare != nil {
				tc.prepare(w)
			}
			user := w.ana
			if tc.user != nil {
				user = tc.user(w)
			}
			body := strings.NewReplacer("LATER", later(), "PLAIN", w.plain.String(), "BOT", w.botRole.String()).Replace(tc.body)
			if got := w.patch(user, body); got.Status != tc.want {
				t.Errorf("%d %s, want %d", got.Status, got.Body, tc.want)
			}
		})
	}
}

// raise gives Ana a role above the bot's.
func raise(w *world) {
	top := must(w.AddRole(w.guild, "captain", 0))(w.t)
	w.ok(w.AddMember(w.guild, w.ana, top))
}

func TestListMembersPages(t *testing.T) {
	w := newWorld(t, Config{Limits: noLimits()})
	var seen []ID
	after := "0"
	for {
		got := w.do(request{method: "GET", path: "/guilds/" + w.guild.String() + "/members?limit=2&after=" + after})
		var page []struct{ User struct{ ID ID } }
		if err := json.Unmarshal([]byte(got.Body), &page); err != nil || got.Status != 200 || len(page) > 2 {
			t.Fatalf("%d %s: %v", got.Status, got.Body, err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			seen = append(seen, m.User.ID)
		}
		after = seen[len(seen)-1].String()
	}
	want := []ID{w.bot.ID, w.owner, w.ana, w.bo, w.cat}
	slices.Sort(want)
	if !slices.Equal(seen, want) {
		t.Errorf("members %v, want %v", seen, want)
	}
	if one := w.do(request{method: "GET", path: "/guilds/" + w.guild.String() + "/members"}); strings.Count(one.Body, `"joined_at"`) != 1 {
		t.Errorf("without a limit one member is listed, not %s", one.Body)
	}
}

// FuzzMemberPatch: any body gives a patch or a 400 whose own body is JSON with a code, and a good one survives a round trip
// of its booleans.
func FuzzMemberPatch(f *testing.F) {
	for _, s := range []string{
		`{"mute":true,"deaf":false}`, `{"mute":null}`, `{}`, `[]`, `null`, `"x"`, `{"roles":["1",2]}`, `{"nick":"é"}`,
		`{"channel_id":9223372036854775808}`, `{"communication_disabled_until":"2026-01-01T00:00:00Z"}`, `{"flags":1e3}`,
		`{"mute":true,"mute":1}`, "{\"nick\":\"\xff\"}", `{"roles":"`, ``, ` {} `, `{"Mute":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parseMemberPatch(body)
		if err != nil {
			b, bad := json.Marshal(err)
			if bad != nil || err.status != 400 || err.Code != 50035 && err.Code != 50109 || err.Code == 50035 != (err.Errors != nil) || !json.Valid(b) {
				t.Fatalf("%q: %+v %s %v", body, err, b, bad)
			}
			return
		}
		var keys map[string]json.RawMessage
		if json.Unmarshal(body, &keys) != nil {
			t.Fatalf("%q was taken but is no object", body)
		}
		raw, sent := keys["mute"]
		if sent != p.mute.set || sent && string(raw) == "true" != p.mute.value || p.mute.null && p.mute.value {
			t.Fatalf("%q: mute %+v", body, p.mute)
		}
	})
}
