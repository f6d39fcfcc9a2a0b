package restore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
)

// talked makes a channel "told" with 25 messages of the owner, the last of them pinned, and gives their ids. Before them stands
// one of a webhook that looks like the first.
func (x *rig) talked() (channel sandbox.ID, ids []sandbox.ID) {
	x.t.Helper()
	channel = must(x.AddChannel(x.guild, "told", sandbox.TextChannel))(x.t)
	hook, token, err := x.As(x.owner).CreateWebhook(channel, "mirror")
	x.ok(err)
	_, err = x.As(x.owner).Do("POST", "/webhooks/"+hook.String()+"/"+token+"?wait=true", sandbox.Fields{"content": "line 0", "username": "Olga"})
	x.ok(err)
	x.ok(x.As(x.owner).DeleteWebhook(hook))
	for i := range 25 {
		ids = append(ids, must(x.As(x.owner).Send(channel, fmt.Sprint("line ", i)))(x.t))
	}
	x.ok(x.As(x.owner).Pin(channel, ids[24]))
	return channel, ids
}

// keep puts what is said in a channel into a backup.
func (x *rig) keep(b *stored, channel sandbox.ID) {
	x.t.Helper()
	id := idOf(channel)
	b.Order, b.Said = []model.ID{id}, map[model.ID][]model.Message{}
	for _, m := range x.Messages(channel) {
		var said model.Message
		x.ok(json.Unmarshal(m.JSON, &said))
		b.Said[id] = append(b.Said[id], said)
		if said.Pinned {
			b.Structure.Pins = []model.Pins{{Channel: id, Messages: []model.ID{said.ID}}}
		}
	}
}

// purge deletes messages as raiders do.
func (x *rig) purge(channel sandbox.ID, ids ...sandbox.ID) {
	x.t.Helper()
	_, err := x.As(x.owner).Do("POST", "/channels/"+channel.String()+"/messages/bulk-delete", sandbox.Fields{"messages": ids})
	x.ok(err)
}

// TestEmptiedChannelsAreWrittenAgain, once, behind what was said since, with the pins, whenever the process dies.
func TestEmptiedChannelsAreWrittenAgain(t *testing.T) {
	t.Parallel()
	var channel sandbox.ID
	var saved stored
	want := []string{"line 0", "after the raid"}
	for i := range 25 {
		want = append(want, fmt.Sprint("line ", i))
	}
	away{
		parts: []string{bus.PartMessages},
		begin: func(x *rig) {
			var ids []sandbox.ID
			channel, ids = x.talked()
			saved = stored{}
			x.keep(&saved, channel)
			all := saved.Said[idOf(channel)]
			saved.Said[idOf(channel)] = all[slices.IndexFunc(all, func(m model.Message) bool { return m.Webhook == "" }):] // what is older stays
			pins := x.placeMessages(channel)
			x.purge(channel, append(ids, pins...)...)
			must(x.As(x.owner).Send(channel, "after the raid"))(t)
		},
		backup: func(_ *rig, b *stored) {
			b.Order, b.Said, b.Structure.Pins = saved.Order, saved.Said, saved.Structure.Pins
		},
		happen: func(x *rig, _ sandbox.ID) {
			for i := range 5 {
				must(x.As(x.owner).Send(channel, fmt.Sprint("chat ", i)))(t)
			}
		},
		check: func(x *rig) string {
			h, _ := x.History(x.guild)
			var have []string
			pinned := 0
			for _, list := range h.Channels {
				for _, m := range list {
					if !strings.HasPrefix(m.Text, "chat") && m.Kind == 0 {
						have = append(have, m.Text)
					}
					if m.Pinned {
						pinned++
					}
				}
			}
			if !slices.Equal(have, want) || pinned != 1 {
				return fmt.Sprintf("%d pins, %q", pinned, have)
			}
			return ""
		},
	}.run(t)
}

// placeMessages are the ids of all that is in a channel now but people's words: what a pin has left.
func (x *rig) placeMessages(channel sandbox.ID) (ids []sandbox.ID) {
	for _, m := range x.Messages(channel) {
		var said model.Message
		x.ok(json.Unmarshal(m.JSON, &said))
		if said.Type != 0 {
			ids = append(ids, must(sandbox.ParseID(string(said.ID)))(x.t))
		}
	}
	return ids
}

// TestWhoseMessagesAreThere: only a channel that holds none of the backup's messages is written again, only when messages are
// chosen by name, and only once; the plan says so of the others.
func TestWhoseMessagesAreThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parts  []string
		purge  func(x *rig, channel sandbox.ID, ids []sandbox.ID)
		writes bool
		says   bool
	}{
		"all are gone":         {[]string{bus.PartMessages}, func(x *rig, c sandbox.ID, ids []sandbox.ID) { x.purge(c, append(ids, x.placeMessages(c)...)...) }, true, false},
		"the oldest is left":   {[]string{bus.PartMessages}, func(x *rig, c sandbox.ID, ids []sandbox.ID) { x.purge(c, append(ids[1:], x.placeMessages(c)...)...) }, false, true},
		"the newest is left":   {[]string{bus.PartMessages}, func(x *rig, c sandbox.ID, ids []sandbox.ID) { x.purge(c, ids...) }, false, true},
		"all are there":        {[]string{bus.PartMessages}, func(*rig, sandbox.ID, []sandbox.ID) {}, false, true},
		"not chosen":           {nil, func(x *rig, c sandbox.ID, ids []sandbox.ID) { x.purge(c, append(ids, x.placeMessages(c)...)...) }, false, false},
		"older ones are there": {[]string{bus.PartMessages}, func(x *rig, c sandbox.ID, ids []sandbox.ID) { x.purge(c, append(ids, x.placeMessages(c)...)...) }, true, false},
	} {
		x := newRig(t, sandbox.Administrator)
		channel, ids := x.talked()
		b := &stored{Structure: must(readGuild(t.Context(), x.tools.Bot, x.guild.String()))(t)}
		x.keep(b, channel)
		if name == "older ones are there" { // the backup has only the newest
			b.Said[idOf(channel)] = b.Said[idOf(channel)][11:]
			ids = ids[10:]
		} else {
			b.Said[idOf(channel)] = b.Said[idOf(channel)][1:]
		}
		c.purge(x, channel, ids)
		for again := range 2 {
			done, p := x.planned(b, bus.PlanArgs{Mode: bus.RestoreMerge, Parts: c.parts})
			writes := c.writes && again == 0
			if p.Empty() == writes || writes && (len(done.Lines) != 1 || !strings.Contains(done.Lines[0], "messages of told again, of which none is there any more")) {
				t.Errorf("%s, plan %d: %+v", name, again, done)
			}
			says := slices.ContainsFunc(done.Cannot, func(l string) bool { return strings.Contains(l, "the messages of 1 channel: ") })
			if says != (c.says || c.writes && again == 1) {
				t.Errorf("%s, plan %d: %q", name, again, done.Cannot)
			}
			r := x.newRun(bus.JobBackupRestore, fmt.Sprint(restoreJob, again))
			x.ok(x.attempt(r, done.Hash, -1))
		}
		h, _ := x.History(x.guild)
		if n := len(h.Channels["told"]); c.writes && n < 15 {
			t.Errorf("%s: %d messages in the end: %v", name, n, h.Channels)
		}
	}
}
