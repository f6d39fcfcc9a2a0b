package incident

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"splashtail/bus"
)

// shown is a guild as GUILD_CREATE brings it.
const shown = `{"id":"1","system_channel_id":"12","roles":[
 {"id":"1","name":"@everyone","position":0},{"id":"5","name":"crew","position":1,"color":255},{"id":"6","name":"vip","position":1}],
 "channels":[{"id":"11","name":"ops","type":4,"position":0},
 {"id":"12","name":"bridge","type":0,"position":1,"parent_id":"11","permission_overwrites":[{"id":"5","type":0,"allow":"2048","deny":"0"}]},
 {"id":"13","name":"helm","type":2,"position":2,"parent_id":"11"}],
 "members":[{"user":{"id":"51"},"roles":["5","6"]},{"user":{"id":"52"},"roles":["5"]}]}`

// event is what the gateway tells; an empty name stands for the audit-log entry.
type event struct{ name, data string }

// after applies events to the guild and gives the deed of the entry among them.
func after(t *testing.T, kind int, target string, events ...event) bus.Deed {
	t.Helper()
	im := imageOf(json.RawMessage(shown))
	d := bus.Deed{Type: kind, Target: target}
	for _, e := range events {
		if e.name == "" {
			im.fill(&d, nil)
			continue
		}
		im.apply(e.name, json.RawMessage(e.data))
	}
	return d
}

// orders gives every order of events.
func orders(events []event) [][]event {
	if len(events) < 2 {
		return [][]event{events}
	}
	var out [][]event
	for i, e := range events {
		rest := slices.Delete(slices.Clone(events), i, i+1)
		for _, o := range orders(rest) {
			out = append(out, append([]event{e}, o...))
		}
	}
	return out
}

func TestADeletedRoleIsKnownInWhicheverOrderEventsCome(t *testing.T) {
	events := []event{{"", ""}, {"GUILD_ROLE_DELETE", `{"guild_id":"1","role_id":"5"}`},
		{"CHANNEL_UPDATE", `{"id":"12","name":"bridge","type":0,"position":1,"parent_id":"11","permission_overwrites":[]}`}}
	for _, order := range orders(events) {
		d := after(t, typeRoleDelete, "5", order...)
		over := parseOverwrite(d.Overwrites["12"])
		if o := parseObject(d.Before); o.text("name") != "crew" || o.number("color") != 255 || !slices.Equal(d.Members, []string{"51", "52"}) || over.Allow != 2048 {
			t.Errorf("%v: %+v", order, d)
		}
		if want := []string{"1", "6", "5"}; !slices.Equal(d.Order, want) {
			t.Errorf("%v: the order is %v, not %v: of two roles of one position the older is above", order, d.Order, want)
		}
	}
}

func TestADeletedCategoryIsKnownInWhicheverOrderEventsCome(t *testing.T) {
	events := []event{{"", ""}, {"CHANNEL_DELETE", `{"id":"11","guild_id":"1","name":"ops","type":4,"position":0}`},
		{"CHANNEL_UPDATE", `{"id":"12","name":"bridge","type":0,"position":1,"parent_id":null}`},
		{"CHANNEL_UPDATE", `{"id":"13","name":"helm","type":2,"position":2,"parent_id":null}`}}
	for _, order := range orders(events) {
		d := after(t, typeChannelDelete, "11", order...)
		if o := parseObject(d.Before); o.text("name") != "ops" || !reflect.DeepEqual(d.Children, []string{"12", "13"}) || !slices.Equal(d.Order, []string{"11", "12", "13"}) {
			t.Errorf("%v: %+v", order, d)
		}
	}
}

func TestADeletedChannelIsKnownWithTheSettingsThatNamedIt(t *testing.T) {
	events := []event{{"", ""}, {"CHANNEL_DELETE", `{"id":"12","guild_id":"1","name":"bridge","type":0}`}, {"GUILD_UPDATE", `{"id":"1","system_channel_id":null}`}}
	for _, order := range orders(events) {
		d := after(t, typeChannelDelete, "12", order...)
		if o := parseObject(d.Before); o.text("parent_id") != "11" || len(o.overwrites()) != 1 || !slices.Equal(d.Settings, []string{"system_channel_id"}) {
			t.Errorf("%v: %+v", order, d)
		}
	}
}

// TestWhatNobodySawIsReadFromTheEntry: after a restart the deletion can be the first event.
func TestWhatNobodySawIsReadFromTheEntry(t *testing.T) {
	im, d := newImage(), bus.Deed{Type: typeRoleDelete, Target: "5", Changes: json.RawMessage(`[{"key":"name","old_value":"crew"},{"key":"permissions","old_value":"8"}]`)}
	im.apply("GUILD_ROLE_DELETE", json.RawMessage(`{"guild_id":"1","role_id":"5"}`))
	im.fill(&d, changesOf(d))
	if o := parseObject(d.Before); o.text("name") != "crew" || o.text("permissions") != "8" || o.text("id") != "5" {
		t.Errorf("%+v", d)
	}
}
