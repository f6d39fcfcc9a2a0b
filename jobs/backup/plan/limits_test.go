package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"splashtail/jobs/backup/model"
)

// bare is a guild with nothing in it but @everyone and the bot's role, which stands on top.
func bare() model.Snapshot {
	return model.Snapshot{
		About: model.About{GuildID: "500", OwnerID: "5"}, Guild: model.Guild{Name: "guild", PreferredLocale: "de", AFKTimeout: 300},
		Roles: []model.Role{{ID: "500", Name: "@everyone"}, {ID: "600", Name: "bot", Permissions: "8", Position: 1000, Managed: true, Tags: &model.RoleTags{Bot: botUser}}},
	}
}

// TestRanking: roles stand by position, and of two with the same the older one is higher, whose id is the smaller number and
// not the smaller text (R5).
func TestRanking(t *testing.T) {
	s := bare()
	s.Roles = append(s.Roles, model.Role{ID: "1000", Position: 3}, model.Role{ID: "999", Position: 3}, model.Role{ID: "998", Position: 4}, model.Role{ID: "30", Position: 1})
	var ids []string
	for _, r := range ranked(s.Roles) {
		ids = append(ids, string(r.ID))
	}
	if have := strings.Join(ids, " "); have != "500 30 1000 999 998 600" {
		t.Errorf("from the bottom up: %s", have)
	}
	r, err := RightsOf(s, botUser, []model.ID{"1000", "999"})
	if err != nil || r.Top != "999" {
		t.Errorf("the bot's highest role is %s (%v)", r.Top, err)
	}
}

// TestLimitsOfTheGuild: what the guild cannot hold is left out or done in another way, and the plan says why; the features
// that count are those of the guild, not of the backup (R7, R11).
func TestLimitsOfTheGuild(t *testing.T) {
	many := func(s *model.Snapshot, roles, channels, inCategory int) {
		for i := range roles {
			s.Roles = append(s.Roles, model.Role{ID: model.ID(fmt.Sprint(10_000 + i)), Name: fmt.Sprint("role", i), Position: 1 + i})
		}
		category := model.Channel{ID: "20000", Type: model.TypeCategory, Name: "all"}
		if inCategory > 0 {
			s.Channels = append(s.Channels, category)
		}
		for i := range channels {
			c := model.Channel{ID: model.ID(fmt.Sprint(30_000 + i)), Name: fmt.Sprint("channel", i), Position: i}
			if i < inCategory {
				c.Parent = &category.ID
			}
			s.Channels = append(s.Channels, c)
		}
	}
	for name, c := range map[string]struct {
		saved func(s *model.Snapshot)
		want  string
		times int
	}{
		"roles":    {func(s *model.Snapshot) { many(s, 300, 0, 0) }, "at most 250 roles", 52},
		"channels": {func(s *model.Snapshot) { many(s, 0, 510, 0) }, "at most 500 channels", 10},
		"category": {func(s *model.Snapshot) { many(s, 0, 60, 55) }, "outside of its category", 5},
		"bitrate": {func(s *model.Snapshot) {
			s.Channels = []model.Channel{{ID: "1", Type: model.TypeVoice, Name: "v", Bitrate: 384_000}}
		}, "with 96 kbit/s", 1},
		"banner": {func(s *model.Snapshot) { s.Guild.Banner, s.Guild.Features = "key", []string{"BANNER"} }, "lacks the feature BANNER", 1},
		"icon of a role": {func(s *model.Snapshot) {
			s.Guild.Features = []string{"ROLE_ICONS"}
			s.Roles = append(s.Roles, model.Role{ID: "1", Name: "r", Position: 1, Icon: "key"})
		}, "without its icon", 1},
		"emojis": {func(s *model.Snapshot) {
			for i := range 55 {
				s.Emojis = append(s.Emojis, model.Emoji{ID: model.ID(fmt.Sprint(1 + i)), Name: "e", File: model.FileKey(fmt.Sprint(i))})
			}
		}, "a server takes 50 of these", 5},
		"no file": {func(s *model.Snapshot) { s.Emojis = []model.Emoji{{ID: "1", Name: "e"}} }, "the backup has not got its file", 1},
		"rules": {func(s *model.Snapshot) {
			for i := range 2 {
				s.AutoMod = append(s.AutoMod, model.AutoModRule{ID: model.ID(fmt.Sprint(1 + i)), Name: fmt.Sprint(i), TriggerType: 3, Actions: []model.AutoModAction{{Type: 1}}})
			}
		}, "1 rules of this trigger", 1},
		"past event": {func(s *model.Snapshot) { s.Events = []model.Event{{ID: "1", Name: "e"}} }, "its start is past", 1},
	} {
		saved := bare()
		c.saved(&saved)
		p := mustMake(t, inputOf(saved, bare(), Exact))
		n := 0
		for _, s := range p.Steps {
			if strings.Contains(s.Why+strings.Join(s.Less, ""), c.want) {
				n++
			}
		}
		if n != c.times {
			t.Errorf("%s: %d steps say %q, want %d\n%.2000s", name, n, c.want, c.times, lines(p))
		}
		f := newFold(bare())
		f.limits = LimitsOf(0, saved.Guild.Has)
		f.apply(p)
		if len(f.faults) > 0 {
			t.Errorf("%s: %v", name, f.faults)
		}
	}
}

// TestBadInputIsRefused: snapshots and options that make no sense are refused with a sentence.
func TestBadInputIsRefused(t *testing.T) {
	for name, change := range map[string]func(in *Input){
		"mode":      func(in *Input) { in.Options.Mode = "wipe" },
		"part":      func(in *Input) { in.Options.Parts = []Kind{"everything"} },
		"protected": func(in *Input) { in.Options.Protect = []model.ID{"all"} },
		"twice":     func(in *Input) { in.Saved.Roles = append(in.Saved.Roles, in.Saved.Roles[1]) },
		"no id":     func(in *Input) { in.Saved.Channels = []model.Channel{{ID: "../1"}} },
		"bits":      func(in *Input) { in.Saved.Roles[0].Permissions = "-1" },
		"everyone":  func(in *Input) { in.Saved.Roles = in.Saved.Roles[1:] },
		"guild":     func(in *Input) { in.Live.About.GuildID = "" },
		"two kinds": func(in *Input) { in.Saved.Channels = []model.Channel{{ID: "600"}} },
	} {
		in := inputOf(bare(), bare(), Exact)
		in.Saved.Roles = slices.Clone(in.Saved.Roles)
		change(&in)
		if _, err := Make(in); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
