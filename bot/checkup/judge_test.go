package checkup

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// whole is a guild in which everything is right.
func whole() facts {
	const mine = dangerous&^discordgo.PermissionAdministrator | discordgo.PermissionViewAuditLogs | discordgo.PermissionModerateMembers
	return facts{now: now,
		guild: &discordgo.Guild{ID: "1", OwnerID: "100", Roles: []*discordgo.Role{
			{ID: "1", Permissions: discordgo.PermissionViewChannel | discordgo.PermissionSendMessages | discordgo.PermissionEmbedLinks},
			{ID: "2", Position: 1}, {ID: "3", Position: 2, Permissions: dangerous}, {ID: "4", Position: 3, Permissions: mine},
		}},
		me: &discordgo.Member{User: &discordgo.User{ID: "200"}, Roles: []string{"4"}}, flags: 1<<15 | 1<<19,
		settings: bus.GuildSettings{AlertChannel: "50", Quarantine: "2"}, alert: &discordgo.Channel{ID: "50", GuildID: "1"},
		limits: []bus.LimitRule{{Respond: bus.RespondQuarantine}}, event: now.Add(-time.Minute), lost: map[string]error{},
	}
}

func TestJudge(t *testing.T) {
	catalogue, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*facts)
		bad    []string // the headings that are bad
		says   string
	}{
		{"all is right", func(*facts) {}, nil, ""},
		{"a dangerous role stands above", func(f *facts) { f.guild.Roles[2].Position = 9 }, []string{"roles"}, "<@&3>"},
		{"at the same height the older role is above", func(f *facts) { f.guild.Roles[2].Position = 3 }, []string{"roles"}, "<@&3>"},
		{"a harmless role stands above", func(f *facts) {
			f.guild.Roles[1].Position = 9
			f.settings.Quarantine = ""
			f.limits[0].Respond = bus.RespondBan
		}, nil, ""},
		{"the audit log is closed", func(f *facts) { f.guild.Roles[3].Permissions &^= discordgo.PermissionViewAuditLogs }, []string{"permissions"}, "to know who did it"},
		{"it may nothing", func(f *facts) { f.guild.Roles[3].Permissions = 0 }, []string{"permissions"}, "to pause invites"},
		{"members are not seen", func(f *facts) { f.flags = 1 << 18 }, []string{"intents"}, "Server Members Intent"},
		{"the small application's flags do", func(f *facts) { f.flags = 1<<14 | 1<<18 }, nil, ""},
		{"no alert channel", func(f *facts) { f.settings.AlertChannel = "" }, []string{"alert"}, "go nowhere"},
		{"it is gone", func(f *facts) { f.alert = nil }, []string{"alert"}, "<#50>"},
		{"it is another guild's", func(f *facts) { f.alert.GuildID = "9" }, []string{"alert"}, "<#50>"},
		{"it is closed", func(f *facts) {
			f.alert.PermissionOverwrites = []*discordgo.PermissionOverwrite{{ID: "1", Type: discordgo.PermissionOverwriteTypeRole, Deny: discordgo.PermissionSendMessages}}
		}, []string{"alert"}, "<#50>"},
		{"quarantine without a role", func(f *facts) { f.settings.Quarantine = "" }, []string{"quarantine"}, "only takes roles"},
		{"its role is gone", func(f *facts) { f.settings.Quarantine = "77" }, []string{"quarantine"}, "is gone"},
		{"its role is above", func(f *facts) { f.guild.Roles[1].Position = 9 }, []string{"quarantine"}, "not below my role"},
		{"its role is strong", func(f *facts) { f.settings.Quarantine = "3" }, []string{"quarantine"}, "dangerous"},
		{"no limits", func(f *facts) { f.limits = nil }, []string{"limits"}, "/limits profile"},
		{"limits that only tell", func(f *facts) { f.limits[0].Respond = bus.RespondAlert }, []string{"limits"}, "only tell people"},
		{"no event ever", func(f *facts) { f.event = time.Time{} }, []string{"events"}, "None has come"},
		{"events are old", func(f *facts) { f.event = now.Add(-staleAfter - time.Second) }, []string{"events"}, "I am blind"},
		{"Discord did not answer", func(f *facts) { f.guild, f.me = nil, nil; f.lost[partRoles] = errors.New("x") }, []string{"alert", "permissions", "quarantine", "roles"}, "REF"},
		{"the bus did not answer", func(f *facts) {
			f.limits, f.event = nil, time.Time{}
			f.lost[partLimits], f.lost[partEvents] = errors.New("x"), errors.New("x")
		},
			[]string{"events", "limits", "quarantine"}, "REF"},
	} {
		for _, language := range catalogue.Languages() {
			f := whole()
			c.change(&f)
			w := catalogue.In(language)
			lines := judge(w, f, "REF")
			var wrong []string
			text := ""
			for _, l := range lines {
				if l.mark == bad {
					wrong = append(wrong, l.key)
					text += l.text
				}
				if l.text == "" || strings.HasPrefix(l.text, "check.") {
					t.Errorf("%s: %s says %q", c.name, l.key, l.text)
				}
			}
			slices.Sort(wrong)
			if !slices.Equal(wrong, c.bad) || language == words.English && !strings.Contains(text, c.says) {
				t.Errorf("%s, %s: wrong are %v, want %v: %q", c.name, language, wrong, c.bad, text)
			}
			if green := report(w, lines).Colour == card.Good; green != (len(c.bad) == 0) {
				t.Errorf("%s: green %t with %v", c.name, green, wrong)
			}
		}
	}
}
