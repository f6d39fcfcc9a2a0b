package restore

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
)

// away is a restore that is killed at every point in turn, after which much happens in the server before another attempt.
type away struct {
	rights sandbox.Permissions // zero: all
	parts  []string
	backup func(*rig, *stored)
	begin  func(*rig)             // before the plan
	happen func(*rig, sandbox.ID) // while nobody works; the id is that of the place "told" when it was made, or zero
	check  func(*rig) string      // what is wrong in the end
}

func (a away) run(t *testing.T) {
	t.Helper()
	for at, boundaries := -1, 1; at < boundaries; at++ {
		x := newRig(t, cmp.Or(a.rights, sandbox.Administrator))
		if a.begin != nil {
			a.begin(x)
		}
		b := &stored{Structure: must(readGuild(t.Context(), x.tools.Bot, x.guild.String()))(t)}
		a.backup(x, b)
		done, _ := x.planned(b, bus.PlanArgs{Mode: bus.RestoreMerge, Parts: a.parts})
		r := x.newRun(bus.JobBackupRestore, restoreJob)
		if err := x.attempt(r, done.Hash, at); err != nil {
			a.happen(x, x.placeCalled("told"))
			err := x.attempt(r, done.Hash, -1)
			if begun := new(string); err != nil && !must(r.Noted("before", begun))(t) {
				continue // it had not begun: what happened is a reason not to
			}
			x.ok(err)
		}
		if at < 0 {
			boundaries = x.kill.passed
		}
		if wrong := a.check(x); wrong != "" {
			t.Fatalf("after a kill at %d of %d: %s", at, boundaries, wrong)
		}
	}
}

// placeCalled finds a channel or thread by its name; zero when there is none.
func (x *rig) placeCalled(name string) sandbox.ID {
	s := must(readGuild(x.t.Context(), x.tools.Bot, x.guild.String()))(x.t)
	var id sandbox.ID
	for _, c := range s.Channels {
		if c.Name == name {
			id = must(sandbox.ParseID(string(c.ID)))(x.t)
		}
	}
	for _, c := range s.Threads {
		if c.Name == name {
			id = must(sandbox.ParseID(string(c.ID)))(x.t)
		}
	}
	return id
}

// TestFoundBehindABusyLog: a role is known by its operation although somebody made one of the same name, and more than the
// newest page of the audit log since.
func TestFoundBehindABusyLog(t *testing.T) {
	t.Parallel()
	away{
		backup: func(_ *rig, b *stored) {
			b.Structure.Roles = append(b.Structure.Roles, model.Role{ID: "90000", Name: "Crew", Permissions: "0", Hoist: true})
		},
		happen: func(x *rig, _ sandbox.ID) {
			must(x.As(x.owner).CreateRole(x.guild, "Crew", 0))(t)
			for range 120 {
				must(x.As(x.owner).CreateRole(x.guild, "other", 0))(t)
			}
		},
		check: func(x *rig) string {
			ours := 0
			s, _ := x.Snapshot(x.guild)
			for _, r := range s.Roles {
				if r.Name == "Crew" && r.Hoist {
					ours++
				}
			}
			if ours != 1 {
				return fmt.Sprintf("%d roles", ours)
			}
			return ""
		},
	}.run(t)
}

// TestFoundUnderAnotherName: what Discord has given another name than we sent is not made again.
func TestFoundUnderAnotherName(t *testing.T) {
	t.Parallel()
	away{
		backup: func(_ *rig, b *stored) {
			b.Structure.Channels = append(b.Structure.Channels, model.Channel{ID: "90000", Name: "Told You", Type: model.TypeText, Topic: ptr("ours")})
		},
		happen: func(*rig, sandbox.ID) {},
		check: func(x *rig) string {
			ours := 0
			s, _ := x.Snapshot(x.guild)
			for _, c := range s.Channels {
				if c.Topic == "ours" {
					ours++
				}
			}
			if ours != 1 {
				return fmt.Sprintf("%d channels", ours)
			}
			return ""
		},
	}.run(t)
}

// TestFoundInTheArchive: a thread that was archived while nobody worked is written on, and so is a post of a forum although a
// member made one of the same name; also by a bot that may not read the audit log.
func TestFoundInTheArchive(t *testing.T) {
	t.Parallel()
	const blind = sandbox.AllPermissions &^ (sandbox.Administrator | sandbox.ViewAuditLog)
	for name, rights := range map[string]sandbox.Permissions{"a thread": 0, "a post": 0, "a post, blindly": blind} {
		kind := sandbox.ForumChannel
		if name == "a thread" {
			kind = sandbox.TextChannel
		}
		away{
			rights: rights,
			begin: func(x *rig) {
				if kind == sandbox.ForumChannel {
					must(x.As(x.owner).Do("PATCH", "/guilds/"+x.guild.String(), sandbox.Fields{"features": []string{"COMMUNITY"}, "verification_level": 1,
						"rules_channel_id": must(x.AddChannel(x.guild, "rules", sandbox.TextChannel))(t), "public_updates_channel_id": must(x.AddChannel(x.guild, "updates", sandbox.TextChannel))(t)}))(t)
				}
				must(x.As(x.owner).CreateChannel(x.guild, "home", kind, 0))(t)
			},
			backup: func(x *rig, b *stored) {
				b.Structure.Threads = append(b.Structure.Threads, model.Thread{ID: "90000", Name: "told", Type: model.TypePublicThread, Parent: idOf(x.placeCalled("home"))})
				b.Order, b.Said = []model.ID{"90000"}, map[model.ID][]model.Message{}
				for i := range 3 {
					b.Said["90000"] = append(b.Said["90000"], model.Message{ID: model.ID(fmt.Sprint(90000 + i)), Author: model.Author{Name: "Ana"}, Content: fmt.Sprint("line ", i)})
				}
			},
			happen: func(x *rig, told sandbox.ID) {
				if told != 0 {
					x.ok(x.As(x.owner).EditChannel(told, sandbox.Fields{"archived": true}))
				}
				if kind == sandbox.ForumChannel {
					must(x.As(x.owner).CreatePost(x.placeCalled("home"), "told", "theirs"))(t)
				}
			},
			check: func(x *rig) string {
				h, _ := x.History(x.guild)
				ours := 0
				for _, th := range h.Threads {
					lines := ""
					for _, m := range th.Messages {
						lines += m.Text + "; "
					}
					if lines == "theirs; " {
						continue
					}
					if ours++; strings.Count(lines, "line") != 3 {
						return name + ": " + lines
					}
				}
				if ours != 1 {
					return fmt.Sprintf("%s: %d of ours: %+v", name, ours, h.Threads)
				}
				return ""
			},
		}.run(t)
	}
}

// TestFoundBehindAConversation: messages that were written before a crash are not written again, however much people have
// said since.
func TestFoundBehindAConversation(t *testing.T) {
	t.Parallel()
	away{
		backup: func(_ *rig, b *stored) {
			for i := range 3 {
				b.say("90000", model.Message{ID: model.ID(fmt.Sprint(90000 + i)), Content: fmt.Sprint("line ", i)})
			}
		},
		happen: func(x *rig, told sandbox.ID) {
			for i := range 1100 {
				if told != 0 {
					must(x.As(x.owner).Send(told, fmt.Sprint("chat ", i)))(t)
				}
			}
		},
		check: func(x *rig) string {
			h, _ := x.History(x.guild)
			all := ""
			for name, list := range h.Channels {
				for _, m := range list {
					if strings.HasPrefix(m.Text, "line") {
						all += name + ": " + m.Text + "; "
					}
				}
			}
			if strings.Count(all, "line") != 3 {
				return all
			}
			return ""
		},
	}.run(t)
}
