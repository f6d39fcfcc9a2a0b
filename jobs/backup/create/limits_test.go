package create

import (
	"strings"
	"testing"

	"splashtail/bus"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		args bus.BackupArgs
		want string // in the error; empty: none
	}{
		{bus.BackupArgs{}, ""},
		{bus.BackupArgs{Messages: 500, PerChannel: 50, Attachments: true, Special: map[string]int{"1": 0}}, ""},
		{bus.BackupArgs{Messages: 501}, "0 to 500 messages, not 501"},
		{bus.BackupArgs{Messages: -1}, "not -1"},
		{bus.BackupArgs{Messages: 100, PerChannel: 49}, "at least 50"},
		{bus.BackupArgs{Messages: 100, PerChannel: -3}, "at least 50"},
		{bus.BackupArgs{Messages: 100, PerChannel: 101}, "more than the 100"},
		{bus.BackupArgs{Attachments: true}, "files belong to messages"},
		{bus.BackupArgs{Special: map[string]int{"1": 5}}, "no messages are asked for"},
		{bus.BackupArgs{Messages: 5, Special: map[string]int{"1": -5}}, "cannot give -5"},
		{bus.BackupArgs{Messages: 5, Special: map[string]int{"../1": 5}}, "not the id of a channel"},
		{bus.BackupArgs{Leave: []string{"emoji"}}, "no part of a backup"},
		{bus.BackupArgs{Leave: []string{bus.PartMessages}, Messages: 5}, "choose one"},
		{bus.BackupArgs{Leave: []string{bus.PartMembers}, Members: true}, "choose one"},
		{bus.BackupArgs{Name: strings.Repeat("é", 64)}, ""},
		{bus.BackupArgs{Name: strings.Repeat("é", 65)}, "64 characters"},
		{bus.BackupArgs{Name: "two\nlines"}, "one line"},
	} {
		w := New(Tools{})
		w.BackupArgs = c.args
		err := w.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.args, err, c.want)
		}
	}
	if err := Check(bus.BackupArgs{Messages: 10_000, PerChannel: 5}, Limits{Messages: 10_000, LeastPerChannel: 1}); err != nil {
		t.Errorf("a deployment with limits of its own: %v", err)
	}
}
