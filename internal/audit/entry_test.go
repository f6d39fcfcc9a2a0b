package audit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"splashtail/bus"
)

func entry(kind int, more string) []byte {
	return fmt.Appendf(nil, `{"id":"1311000000000000001","guild_id":"812345678901234567","user_id":"234567890123456789","target_id":"42","action_type":%d%s}`, kind, more)
}

func TestEveryAuditLogKindCounts(t *testing.T) {
	roles := `,"changes":[{"key":%q,"new_value":[{"id":"9","name":"r"}]}]`
	for _, c := range []struct {
		kind int
		more string
		want []bus.ActionKind
	}{
		{1, "", []bus.ActionKind{bus.ActionGuildUpdate}},
		{10, "", []bus.ActionKind{bus.ActionChannelAdd}},
		{11, "", []bus.ActionKind{bus.ActionChannelUpdate}},
		{12, "", []bus.ActionKind{bus.ActionChannelRemove}},
		{13, "", []bus.ActionKind{bus.ActionOverwriteChange}},
		{14, "", []bus.ActionKind{bus.ActionOverwriteChange}},
		{15, "", []bus.ActionKind{bus.ActionOverwriteChange}},
		{20, "", []bus.ActionKind{bus.ActionKick}},
		{21, `,"options":{"members_removed":"5","delete_member_days":"7"}`, []bus.ActionKind{bus.ActionMemberPrune}},
		{22, "", []bus.ActionKind{bus.ActionBan}},
		{23, "", []bus.ActionKind{bus.ActionUnban}},
		{24, `,"changes":[{"key":"communication_disabled_until","new_value":"2026-11-24T00:00:00+00:00"}]`, []bus.ActionKind{bus.ActionMemberTimeout}},
		{24, `,"changes":[{"key":"communication_disabled_until","old_value":"2026-11-24T00:00:00+00:00"}]`, nil},
		{24, `,"changes":[{"key":"nick","new_value":"x"}]`, nil},
		{25, fmt.Sprintf(roles, "$add"), []bus.ActionKind{bus.ActionMemberRolesUpdated, bus.ActionRoleGiven}},
		{25, fmt.Sprintf(roles, "$remove"), []bus.ActionKind{bus.ActionMemberRolesUpdated, bus.ActionRoleTaken}},
		{28, "", []bus.ActionKind{bus.ActionBotAdd}},
		{30, "", []bus.ActionKind{bus.ActionRoleAdd}},
		{31, "", []bus.ActionKind{bus.ActionRoleUpdate}},
		{32, "", []bus.ActionKind{bus.ActionRoleRemove}},
		{50, "", []bus.ActionKind{bus.ActionWebhookCreate}},
		{51, "", []bus.ActionKind{bus.ActionWebhookUpdate}},
		{52, "", []bus.ActionKind{bus.ActionWebhookDelete}},
		{62, "", []bus.ActionKind{bus.ActionEmojiDelete}},
		{9999, "", nil},
	} {
		e, err := ParseEntry(entry(c.kind, c.more))
		if err != nil {
			t.Fatal(err)
		}
		var got []bus.ActionKind
		for _, a := range e.Actions() {
			got = append(got, a.Kind)
			if a.Actor != 234567890123456789 || a.Target != "42" || a.Guild != 812345678901234567 || !a.At.Equal(TimeOf(e.ID)) {
				t.Errorf("kind %d: %+v", c.kind, a)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("kind %d%s: %v, want %v", c.kind, c.more, got, c.want)
		}
	}
}

func TestRolesOfAChangeAreNamed(t *testing.T) {
	e, err := ParseEntry(entry(25, `,"changes":[{"key":"$add","new_value":[{"id":"9"},{"id":"8"}]},{"key":"$remove","new_value":[{"id":"7"}]}]`))
	if err != nil || !slices.Equal(e.Roles("$add"), []string{"9", "8"}) || !slices.Equal(e.Roles("$remove"), []string{"7"}) {
		t.Errorf("%+v %v", e, err)
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add(entry(25, `,"changes":[{"key":"$add","new_value":[{"id":"9"}]}]`))
	f.Add([]byte(`{"id":"1","guild_id":"2","user_id":null,"target_id":null,"changes":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEntry(data)
		if err != nil {
			return
		}
		for _, a := range e.Actions() {
			if a.ID == 0 || a.Guild == 0 || !slices.Contains(bus.ActionKinds[:], a.Kind) {
				t.Errorf("%q became %+v", data, a)
			}
		}
	})
}

// TestJoinsOfOneMomentAreToldApart, although the last bits of the members' ids are the same.
func TestJoinsOfOneMomentAreToldApart(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	a, b := Join(1, 1576367525719965697, at), Join(1, 1576367678426185729, at)
	if a.ID == b.ID || Join(1, 1576367525719965697, at).ID != a.ID {
		t.Errorf("ids %d and %d", a.ID, b.ID)
	}
}
