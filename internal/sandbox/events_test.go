package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"splashtail/internal/gateway"
)

// deed is something that the owner does, with what the gateway tells and what the audit log keeps of it.
type deed struct {
	name   string
	do     func() error
	events string // names in order, the audit entry's aside
	audit  string // what entries look like, one per line; empty = none
}

// stage is a guild with a bot that sees all events and an owner who acts.
type stage struct {
	*gatewayWorld
	p                                   Person
	role, channel, category, hook, bot2 ID
	code, token                         string
	message                             ID
}

func newStage(t *testing.T) *stage {
	w := newGatewayWorld(t, patient())
	r := must(w.AddRole(w.guild, "watcher", ViewAuditLog|ManageChannels))(t)
	w.ok(w.AddMember(w.guild, w.all.ID, r))
	return &stage{gatewayWorld: w, p: w.As(w.owner).Because("tidy up ✓")}
}

// hold runs what gives an id and keeps it.
func hold(at *ID, id ID, err error) error {
	*at = id
	return err
}

func (s *stage) deeds() []deed {
	g, ana := s.guild, s.ana
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	return slices.Concat([]deed{
		{"create a role", func() error { id, err := s.p.CreateRole(g, "mods", KickMembers); return hold(&s.role, id, err) },
			"GUILD_ROLE_CREATE", `30 ROLE name=>"mods" permissions=>"2" color=>0 hoist=>false mentionable=>false position=>1`},
		{"edit a role", func() error { return s.p.EditRole(g, s.role, Fields{"permissions": "8", "name": "admins"}) },
			"GUILD_ROLE_UPDATE", `31 ROLE name"mods"=>"admins" permissions"2"=>"8"`},
		{"edit nothing", func() error { return s.p.EditRole(g, s.role, Fields{"name": "admins"}) }, "", ""},
		{"give a role", func() error { return s.p.AddRole(g, ana, s.role) },
			"GUILD_MEMBER_UPDATE", `25 ANA $add=>[{"id":"ROLE","name":"admins"}]`},
		{"give it again", func() error { return s.p.AddRole(g, ana, s.role) }, "", ""},
		{"take a role", func() error { return s.p.RemoveRole(g, ana, s.role) },
			"GUILD_MEMBER_UPDATE", `25 ANA $remove=>[{"id":"ROLE","name":"admins"}]`},
		{"create a category", func() error {
			id, err := s.p.CreateChannel(g, "Ops", CategoryChannel, 0)
			return hold(&s.category, id, err)
		}, "CHANNEL_CREATE", `10 CATEGORY name=>"Ops" type=>4 permission_overwrites=>[] position=>2 nsfw=>false rate_limit_per_user=>0 flags=>0`},
		{"create a channel", func() error {
			id, err := s.p.CreateChannel(g, "War Room", TextChannel, s.category)
			return hold(&s.channel, id, err)
		}, "CHANNEL_CREATE", `10 CHANNEL name=>"war-room" type=>0 permission_overwrites=>[] position=>3 nsfw=>false rate_limit_per_user=>0 parent_id=>"CATEGORY" flags=>0`},
		{"edit a channel", func() error { return s.p.EditChannel(s.channel, Fields{"topic": "t", "rate_limit_per_user": 9}) },
			"CHANNEL_UPDATE", `11 CHANNEL topic=>"t" rate_limit_per_user0=>9`},
		{"forbid", func() error { return s.p.EditOverwrite(s.channel, s.role, 0, Overwrite{Deny: SendMessages}) },
			"CHANNEL_UPDATE", `13 CHANNEL {"id":"ROLE","role_name":"admins","type":"0"} id=>"ROLE" type=>"0" allow=>"0" deny=>"2048"`},
		{"allow", func() error { return s.p.EditOverwrite(s.channel, s.role, 0, Overwrite{Allow: SendMessages}) },
			"CHANNEL_UPDATE", `14 CHANNEL {"id":"ROLE","role_name":"admins","type":"0"} allow"0"=>"2048" deny"2048"=>"0"`},
		{"neither", func() error { return s.p.DeleteOverwrite(s.channel, s.role) },
			"CHANNEL_UPDATE", `15 CHANNEL {"id":"ROLE","role_name":"admins","type":"0"} id"ROLE"=> type"0"=> allow"2048"=> deny"0"=>`},
		{"make a webhook", func() error {
			id, token, err := s.p.CreateWebhook(s.channel, "log")
			s.token = token
			return hold(&s.hook, id, err)
		}, "WEBHOOKS_UPDATE", `50 HOOK type=>1 channel_id=>"CHANNEL" name=>"log"`},
		{"write through it", func() error { _, err := s.RunWebhook(s.hook, s.token, "spam"); return err }, "MESSAGE_CREATE", ""},
		{"delete it", func() error { return s.p.DeleteWebhook(s.hook) },
			"WEBHOOKS_UPDATE", `52 HOOK type1=> channel_id"CHANNEL"=> name"log"=>`},
		{"invite", func() error { code, err := s.p.CreateInvite(s.channel); s.code = code; return err },
			"INVITE_CREATE", `40 - code=>"CODE" channel_id=>"CHANNEL" inviter_id=>"OWNER" uses=>0 max_uses=>0 max_age=>0 temporary=>false flags=>0`},
		{"join", func() error { return s.As(s.stranger).Join(s.code) }, "GUILD_MEMBER_ADD", ""},
		{"rename", func() error {
			return s.p.EditMember(g, ana, Fields{"nick": "Red", "communication_disabled_until": until})
		}, "GUILD_MEMBER_UPDATE", `24 ANA nick=>"Red" communication_disabled_until=>"` + strings.Replace(until, "Z", ".000000+00:00", 1) + `"`},
		{"disconnect", func() error { return s.p.EditMember(g, s.bo, Fields{"channel_id": nil}) }, "VOICE_STATE_UPDATE", `27 - {"count":"1"}`},
		{"kick", func() error { return s.p.Kick(g, s.stranger) }, "GUILD_MEMBER_REMOVE", `20 STRANGER`},
		{"guild settings", func() error { return s.p.EditGuild(g, Fields{"verification_level": 3}) },
			"GUILD_UPDATE", `1 GUILD verification_level0=>3`},
		{"add a bot", func() error { id, err := s.p.AddBot(g, s.other.ID, Administrator); return hold(&s.bot2, id, err) },
			"GUILD_ROLE_CREATE GUILD_MEMBER_ADD", `28 OTHER`},
		{"kick the bot", func() error { return s.p.Kick(g, s.other.ID) }, "GUILD_MEMBER_REMOVE GUILD_ROLE_DELETE", `20 OTHER`},
	}, s.endings())
}

func (s *stage) endings() []deed {
	g := s.guild
	return []deed{
		{"write", func() error { id, err := s.As(s.bo).Send(s.text, "hello"); return hold(&s.message, id, err) }, "MESSAGE_CREATE", ""},
		{"delete what another wrote", func() error { return s.p.DeleteMessage(s.text, s.message) },
			"MESSAGE_DELETE", `72 BO {"channel_id":"TEXT","count":"1"}`},
		{"write and delete", func() error {
			id, err := s.As(s.bo).Send(s.text, "oops")
			if err != nil {
				return err
			}
			return s.As(s.bo).DeleteMessage(s.text, id)
		}, "MESSAGE_CREATE MESSAGE_DELETE", ""},
		{"write much", func() error {
			_, err := s.As(s.bo).Send(s.text, "1")
			_, err2 := s.As(s.bo).Send(s.text, "2")
			return cmpErr(err, err2)
		}, "MESSAGE_CREATE MESSAGE_CREATE", ""},
		{"ban and wipe", func() error { return s.p.Ban(g, s.bo, time.Hour) },
			"GUILD_MEMBER_REMOVE GUILD_BAN_ADD MESSAGE_DELETE_BULK", `22 BO`},
		{"ban again", func() error { return s.p.Ban(g, s.bo, time.Hour) }, "", ""},
		{"unban", func() error { return s.p.Unban(g, s.bo) }, "GUILD_BAN_REMOVE", `23 BO`},
		{"prune", func() error {
			if err := s.SetLastSeen(g, s.cat, time.Now().AddDate(0, 0, -8)); err != nil {
				return err
			}
			return s.p.Prune(g, 7)
		}, "GUILD_MEMBER_REMOVE", `21 - {"delete_member_days":"7","members_removed":"1"}`},
		{"delete the category", func() error { return s.p.DeleteChannel(s.category) },
			"CHANNEL_DELETE CHANNEL_UPDATE", `12 CATEGORY name"Ops"=> type4=> permission_overwrites[]=> position2=> nsfwfalse=> rate_limit_per_user0=> flags0=>`},
		{"delete the role", func() error { return s.p.DeleteRole(g, s.role) }, "GUILD_ROLE_DELETE",
			`32 ROLE name"admins"=> permissions"8"=> color0=> hoistfalse=> mentionablefalse=> position1=>`},
	}
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// named puts names into the place of ids.
func (s *stage) named(text string) string {
	for name, id := range map[string]ID{
		"ROLE": s.role, "CHANNEL": s.channel, "CATEGORY": s.category, "HOOK": s.hook, "ANA": s.ana, "BO": s.bo, "OWNER": s.owner,
		"STRANGER": s.stranger, "GUILD": s.guild, "OTHER": s.other.ID, "TEXT": s.text,
	} {
		if id != 0 {
			text = strings.ReplaceAll(text, id.String(), name)
		}
	}
	if s.code != "" {
		text = strings.ReplaceAll(text, `"`+s.code+`"`, `"CODE"`)
	}
	return text
}

// brief writes an audit entry in one line: action, target, options, and key, old and new value of each change.
func (s *stage) brief(e wireAudit) string {
	target := "-"
	if e.Target != 0 {
		target = ID(e.Target).String()
	}
	line := fmt.Sprintf("%d %s", e.Action, target)
	if e.Options != nil {
		line += " " + string(rawJSON(e.Options))
	}
	for _, c := range e.Changes {
		line += fmt.Sprintf(" %s%s=>%s", c.Key, c.Old, c.New)
	}
	return s.named(line)
}

// told reads everything that the sandbox has given to the client's session by now.
func (s *stage) told(c *gatewayClient) []message {
	s.t.Helper()
	var events []message
	for _, session := range s.Sessions() {
		for session.ID == c.id && c.seq < session.Seq {
			if m := c.read(); m.O == gateway.OpDispatch {
				events = append(events, m)
			}
		}
	}
	return events
}

// TestEveryDeedIsToldAndKept lets people act and compares events and audit entries with what Discord sends. Each entry comes
// on the gateway exactly as it stands in the log, with the actor and the reason.
func TestEveryDeedIsToldAndKept(t *testing.T) {
	s := newStage(t)
	c := s.dial("/gateway?v=10&encoding=json")
	c.ready(identity(s.all, allIntents))
	s.told(c)
	for _, d := range s.deeds() {
		t.Run(d.name, func(t *testing.T) {
			c.t = t
			kept := len(s.AuditLog(s.guild))
			if err := d.do(); err != nil {
				t.Fatal(err)
			}
			var names, told, inLog []string
			for _, m := range s.told(c) {
				if m.name() != "GUILD_AUDIT_LOG_ENTRY_CREATE" {
					names = append(names, m.name())
					continue
				}
				var e auditEvent
				if err := json.Unmarshal(m.D, &struct{ *auditEvent }{&e}); err != nil {
					t.Fatal(err)
				}
				if e.GuildID != s.guild || ID(e.UserID) != s.owner || e.Reason != "tidy up ✓" {
					t.Errorf("told %s", m.D)
				}
				told = append(told, s.brief(e.wireAudit))
			}
			for _, e := range s.AuditLog(s.guild)[kept:] {
				inLog = append(inLog, s.brief(newWireAudit(e)))
			}
			if got := strings.Join(names, " "); got != d.events {
				t.Errorf("events %q, want %q", got, d.events)
			}
			if got := strings.Join(told, "\n"); got != d.audit {
				t.Errorf("told\n%s\nwant\n%s", got, d.audit)
			}
			if !slices.Equal(told, inLog) {
				t.Errorf("told %q, kept %q", told, inLog)
			}
		})
	}
}

// UnmarshalJSON is for tests: null is zero.
func (id *nullableID) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*id = 0
		return nil
	}
	return json.Unmarshal(b, (*ID)(id))
}

// eventParts says which of Discord's schemas an event, or a part of it, has to fit.
func eventParts() map[string]struct{ part, schema string } {
	return map[string]struct{ part, schema string }{
		"CHANNEL_CREATE": {"", "GuildChannelResponse"}, "CHANNEL_UPDATE": {"", "GuildChannelResponse"},
		"CHANNEL_DELETE": {"", "GuildChannelResponse"}, "GUILD_ROLE_CREATE": {"role", "GuildRoleResponse"},
		"GUILD_ROLE_UPDATE": {"role", "GuildRoleResponse"}, "GUILD_MEMBER_ADD": {"", "GuildMemberResponse"},
		"GUILD_MEMBER_UPDATE": {"", "GuildMemberResponse"}, "GUILD_MEMBER_REMOVE": {"user", "UserResponse"},
		"GUILD_BAN_ADD": {"user", "UserResponse"}, "GUILD_BAN_REMOVE": {"user", "UserResponse"}, "GUILD_UPDATE": {"", "GuildResponse"},
		"MESSAGE_CREATE": {"", "MessageResponse"}, "MESSAGE_UPDATE": {"", "MessageResponse"},
		"GUILD_AUDIT_LOG_ENTRY_CREATE": {"", "AuditLogEntryResponse"},
	}
}

func TestEventsMatchTheDescription(t *testing.T) {
	spec := description(t)
	if spec == nil {
		return
	}
	s := newStage(t)
	c := s.dial("/gateway?v=10&encoding=json")
	c.ready(identity(s.all, allIntents))
	s.told(c)
	checked := map[string]int{}
	for _, d := range s.deeds() {
		if err := d.do(); err != nil {
			t.Fatal(err)
		}
		for _, m := range s.told(c) {
			want, ok := eventParts()[m.name()]
			if !ok {
				continue
			}
			raw := m.D
			if want.part != "" {
				var parts map[string]json.RawMessage
				s.ok(json.Unmarshal(m.D, &parts))
				raw = parts[want.part]
			}
			if err := spec.Component(want.schema, raw); err != nil {
				t.Errorf("%s after %q: %v\n%s", m.name(), d.name, err, raw)
			}
			checked[m.name()]++
		}
	}
	if len(checked) < 12 {
		t.Errorf("only %v were checked", checked)
	}
}
