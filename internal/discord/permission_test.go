package discord

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
)

// permissionWorld is a random guild with a member and a channel.
type permissionWorld struct {
	g      *discordgo.Guild
	m      *discordgo.Member
	c      *discordgo.Channel
	parent *discordgo.Channel
	now    time.Time
}

func randomBits(r *rand.Rand) int64 {
	p := r.Int64() & AllPermissions
	for range r.IntN(3) {
		p &= r.Int64()
	}
	return p &^ discordgo.PermissionAdministrator
}

func newPermissionWorld(r *rand.Rand) permissionWorld {
	w := permissionWorld{
		g: &discordgo.Guild{ID: "1", OwnerID: strconv.Itoa(100 + r.IntN(4))}, now: time.Unix(1_800_000_000, 0),
		m: &discordgo.Member{User: &discordgo.User{ID: "100"}},
	}
	for i := range 1 + r.IntN(6) {
		role := &discordgo.Role{ID: strconv.Itoa(i + 1), Position: r.IntN(4), Permissions: randomBits(r)}
		if i == 0 {
			role.Position = 0
		}
		if r.IntN(12) == 0 {
			role.Permissions |= discordgo.PermissionAdministrator
		}
		w.g.Roles = append(w.g.Roles, role)
		if i > 0 && r.IntN(2) == 0 {
			w.m.Roles = append(w.m.Roles, role.ID)
		}
	}
	r.Shuffle(len(w.g.Roles), func(i, j int) { w.g.Roles[i], w.g.Roles[j] = w.g.Roles[j], w.g.Roles[i] })
	if r.IntN(3) == 0 {
		until := w.now.Add(time.Duration(r.IntN(3)-1) * time.Hour)
		w.m.CommunicationDisabledUntil = &until
	}
	kinds := []discordgo.ChannelType{discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildVoice, discordgo.ChannelTypeGuildStageVoice, discordgo.ChannelTypeGuildPublicThread, discordgo.ChannelTypeGuildForum}
	w.c = &discordgo.Channel{ID: "50", Type: kinds[r.IntN(len(kinds))]}
	at := w.c
	if w.c.IsThread() {
		w.parent = &discordgo.Channel{ID: "51", Type: discordgo.ChannelTypeGuildText}
		at = w.parent
		w.c.PermissionOverwrites = []*discordgo.PermissionOverwrite{{ID: "1", Deny: AllPermissions}} // nobody looks at it
	}
	for _, id := range []string{"1", "2", "3", "4", "5", "100", "101"} {
		if r.IntN(2) == 0 {
			o := &discordgo.PermissionOverwrite{ID: id, Allow: randomBits(r), Deny: randomBits(r)}
			if len(id) == 3 {
				o.Type = discordgo.PermissionOverwriteTypeMember
			}
			at.PermissionOverwrites = append(at.PermissionOverwrites, o)
		}
	}
	return w
}

// naive decides about one permission by telling Discord's rules in words, bit by bit.
func (w permissionWorld) naive(bit int64, inChannel bool) bool {
	rule := func(bit int64) bool { return w.beforeImplied(bit, inChannel) }
	if w.m.User.ID == w.g.OwnerID || w.roleHas(discordgo.PermissionAdministrator) {
		return true
	}
	late := w.m.CommunicationDisabledUntil != nil && w.m.CommunicationDisabledUntil.After(w.now)
	if late && bit != discordgo.PermissionViewChannel && bit != discordgo.PermissionReadMessageHistory {
		return false
	}
	if !inChannel {
		return rule(bit)
	}
	if !rule(discordgo.PermissionViewChannel) {
		return false
	}
	isVoice := w.c.Type == discordgo.ChannelTypeGuildVoice || w.c.Type == discordgo.ChannelTypeGuildStageVoice
	if isVoice && !rule(discordgo.PermissionVoiceConnect) {
		return bit == discordgo.PermissionViewChannel
	}
	needsSend := bit == discordgo.PermissionMentionEveryone || bit == discordgo.PermissionSendTTSMessages ||
		bit == discordgo.PermissionAttachFiles || bit == discordgo.PermissionEmbedLinks
	sends := rule(discordgo.PermissionSendMessages)
	if w.parent != nil {
		sends = rule(discordgo.PermissionSendMessagesInThreads)
	}
	return rule(bit) && (sends || !needsSend)
}

func (w permissionWorld) roleHas(bit int64) bool {
	for _, role := range w.g.Roles {
		mine := role.ID == w.g.ID
		for _, id := range w.m.Roles {
			mine = mine || id == role.ID
		}
		if mine && role.Permissions&bit != 0 {
			return true
		}
	}
	return false
}

// beforeImplied goes from the last word to the first: what the member's own overwrite
// says counts, then what any role's says, allow before deny, then @everyone's.
func (w permissionWorld) beforeImplied(bit int64, inChannel bool) bool {
	if !inChannel {
		return w.roleHas(bit)
	}
	list := w.c.PermissionOverwrites
	if w.parent != nil {
		list = w.parent.PermissionOverwrites
	}
	says := func(fits func(*discordgo.PermissionOverwrite) bool) (allow, deny bool) {
		for _, o := range list {
			if fits(o) {
				allow, deny = allow || o.Allow&bit != 0, deny || o.Deny&bit != 0
			}
		}
		return
	}
	for _, fits := range []func(*discordgo.PermissionOverwrite) bool{
		func(o *discordgo.PermissionOverwrite) bool { return o.ID == w.m.User.ID },
		func(o *discordgo.PermissionOverwrite) bool {
			for _, id := range w.m.Roles {
				if id == o.ID {
					return true
				}
			}
			return false
		},
		func(o *discordgo.PermissionOverwrite) bool { return o.ID == w.g.ID },
	} {
		if allow, deny := says(fits); allow || deny {
			return allow
		}
	}
	return w.roleHas(bit)
}

func TestPermissionsAgainstTheRulesBitByBit(t *testing.T) {
	for seed := range uint64(5000) {
		w := newPermissionWorld(rand.New(rand.NewPCG(seed, 3)))
		guild := GuildPermissions(w.g, w.m, w.now)
		channel := ChannelPermissions(w.g, w.m, w.c, w.parent, w.now)
		for i := range 53 {
			bit := int64(1) << i
			if got, want := guild&bit != 0, w.naive(bit, false); got != want {
				t.Fatalf("seed %d, guild, bit %d: %v, want %v", seed, i, got, want)
			}
			if got, want := channel&bit != 0, w.naive(bit, true); got != want {
				t.Fatalf("seed %d, channel type %d, bit %d: %v, want %v", seed, w.c.Type, i, got, want)
			}
		}
	}
}

func TestPermissionsOfAThreadWithoutItsParentUseItsOwn(t *testing.T) {
	g := &discordgo.Guild{ID: "1", Roles: []*discordgo.Role{{ID: "1", Permissions: discordgo.PermissionViewChannel}}}
	m := &discordgo.Member{User: &discordgo.User{ID: "9"}}
	c := &discordgo.Channel{Type: discordgo.ChannelTypeGuildText, PermissionOverwrites: []*discordgo.PermissionOverwrite{
		{ID: "9", Type: discordgo.PermissionOverwriteTypeRole, Allow: 1 << 52}, // a role that is called as the member
	}}
	if p := ChannelPermissions(g, m, c, nil, time.Now()); p != discordgo.PermissionViewChannel {
		t.Errorf("%b", p)
	}
}

// The order of members is strict: never both ways, never oneself, transitive; and the
// owner above all.
func TestHierarchyIsAStrictOrder(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 4))
		w := newPermissionWorld(r)
		var members []*discordgo.Member
		for i := range 5 {
			m := &discordgo.Member{User: &discordgo.User{ID: strconv.Itoa(100 + i)}}
			for _, role := range w.g.Roles {
				if role.ID != "1" && r.IntN(3) == 0 {
					m.Roles = append(m.Roles, role.ID)
				}
			}
			members = append(members, m)
		}
		for _, a := range members {
			for _, b := range members {
				ab, ba := CanAct(w.g, a, b), CanAct(w.g, b, a)
				if ab && ba || a == b && ab {
					t.Fatalf("seed %d: both ways", seed)
				}
				if a != b && a.User.ID == w.g.OwnerID && !ab || b.User.ID == w.g.OwnerID && ab {
					t.Fatalf("seed %d: the owner", seed)
				}
				for _, c := range members {
					if ab && CanAct(w.g, b, c) && !CanAct(w.g, a, c) {
						t.Fatalf("seed %d: not transitive", seed)
					}
				}
				if ab && a.User.ID != w.g.OwnerID {
					if top := TopRole(w.g, b); !CanActOnRole(w.g, a, top) {
						t.Fatalf("seed %d: above the member but not above the role", seed)
					}
				}
			}
		}
	}
}

func TestHierarchy(t *testing.T) {
	role := func(id string, position int) *discordgo.Role { return &discordgo.Role{ID: id, Position: position} }
	everyone, low, high := role("1", 0), role("1000", 3), role("999", 3)
	bot := &discordgo.Role{ID: "7", Position: 1, Managed: true}
	g := &discordgo.Guild{ID: "1", OwnerID: "50", Roles: []*discordgo.Role{everyone, low, high, bot}}
	member := func(id string, roles ...string) *discordgo.Member {
		return &discordgo.Member{User: &discordgo.User{ID: id}, Roles: roles}
	}
	owner, a, b, plain := member("50"), member("51", "999"), member("52", "1000"), member("53")
	low.Permissions, everyone.Permissions = discordgo.PermissionBanMembers, discordgo.PermissionViewChannel
	for i, c := range []struct{ got, want bool }{
		{RoleAbove(high, low), true}, // same position: the older id, by number and not by text
		{RoleAbove(low, high), false},
		{RoleAbove(nil, low), false},
		{RoleAbove(low, nil), true},
		{CanAct(g, a, b), true},
		{CanAct(g, b, a), false},
		{CanAct(g, plain, member("54")), false}, // equal is refused
		{CanAct(g, owner, a), true},
		{CanAct(g, a, owner), false},
		{CanAct(g, owner, owner), false},
		{CanActOnRole(g, owner, high), true},
		{CanActOnRole(g, a, high), false},
		{CanGiveRole(g, owner, bot), false},
		{CanGiveRole(g, owner, everyone), false},
		{CanGiveRole(g, b, bot), false},
		{CanGiveRole(g, a, low), true},
	} {
		if c.got != c.want {
			t.Errorf("case %s: %v", fmt.Sprint(i), c.got)
		}
	}
}
