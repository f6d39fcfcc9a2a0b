package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/plan"
)

// thing is one entry of a list of the guild, as far as things are recognised by it.
type thing struct {
	ID      string `json:"id"`
	Sound   string `json:"sound_id"`
	Name    string `json:"name"`
	Type    int    `json:"type"`
	Parent  string `json:"parent_id"`
	Channel string `json:"channel_id"`
	Trigger int    `json:"trigger_type"`
	Start   string `json:"scheduled_start_time"`
}

// find looks for what a step may have made already: it was not there when the plan was made, nothing else was made as it, it
// looks like what the step makes and, where the audit log tells of it, it was made by this operation. Empty: there is none.
func (x *run) find(ctx context.Context, s plan.Step, v map[string]any) (string, error) {
	list, err := x.things(ctx, s, v)
	if err != nil {
		return "", err
	}
	want := fingerprint(s.Kind, v)
	x.mu.Lock()
	list = slices.DeleteFunc(list, func(t thing) bool {
		return x.before[s.Kind][t.ID] || x.taken[t.ID] || t.fingerprint(s.Kind) != want
	})
	x.mu.Unlock()
	if len(list) == 0 {
		return "", nil
	}
	reasons, err := x.reasons(ctx, s.Kind)
	if err != nil {
		return "", err
	}
	op := "op=" + x.Job().Operation(s.Key())
	for _, t := range list {
		if strings.HasSuffix(reasons[t.ID], op) {
			return t.ID, nil
		}
	}
	// What another operation or somebody else made is told by the log; what it does not tell yet, or never, is ours.
	for _, t := range list {
		if _, told := reasons[t.ID]; !told {
			return t.ID, nil
		}
	}
	return "", nil
}

// fingerprint is what a thing of a kind is recognised by.
func fingerprint(k plan.Kind, v map[string]any) string {
	name := textIn(v["name"])
	switch k {
	case plan.Channel:
		return fmt.Sprint(name, " ", numberIn(v["type"]), " ", textIn(v["parent_id"]))
	case plan.Thread:
		return fmt.Sprint(name, " ", textIn(v["parent_id"]))
	case plan.Webhook:
		return fmt.Sprint(name, " ", textIn(v["channel_id"]))
	case plan.AutoMod:
		return fmt.Sprint(name, " ", numberIn(v["trigger_type"]))
	}
	return name
}

func (t thing) fingerprint(k plan.Kind) string {
	switch k {
	case plan.Channel:
		return fmt.Sprint(t.Name, " ", t.Type, " ", t.Parent)
	case plan.Thread:
		return fmt.Sprint(t.Name, " ", t.Parent)
	case plan.Webhook:
		return fmt.Sprint(t.Name, " ", t.Channel)
	case plan.AutoMod:
		return fmt.Sprint(t.Name, " ", t.Trigger)
	}
	return t.Name
}

// things lists what the guild has of a step's kind.
func (x *run) things(ctx context.Context, s plan.Step, v map[string]any) (list []thing, err error) {
	b := x.Bot
	err = x.call(ctx, func(ctx context.Context) error {
		switch s.Kind {
		case plan.Role:
			return x.read(ctx, "/guilds/"+x.guild+"/roles", &list)
		case plan.Channel:
			return b.ReadChannels(ctx, x.guild, &list)
		case plan.Emoji:
			return x.read(ctx, "/guilds/"+x.guild+"/emojis", &list)
		case plan.Sticker:
			return x.read(ctx, "/guilds/"+x.guild+"/stickers", &list)
		case plan.Sound:
			return b.ReadSounds(ctx, x.guild, &list)
		case plan.AutoMod:
			return b.ReadAutoMod(ctx, x.guild, &list)
		case plan.Event:
			return b.ReadEvents(ctx, x.guild, &list)
		case plan.Webhook:
			return x.read(ctx, "/channels/"+textIn(v["channel_id"])+"/webhooks", &list)
		case plan.Thread:
			var active struct{ Threads []thing }
			err := b.ReadActiveThreads(ctx, x.guild, &active)
			list = active.Threads
			return err
		}
		return unknown(s)
	})
	for i := range list {
		if list[i].ID == "" {
			list[i].ID = list[i].Sound
		}
	}
	return list, err
}

func (x *run) read(ctx context.Context, path string, into any) error {
	a, err := x.Bot.Do(ctx, discord.Request{Method: "GET", Path: path})
	if err != nil {
		return err
	}
	return json.Unmarshal(a.Body, into)
}

// reasons gives the reasons of what was made lately, by what was made; nothing when the bot may not see the audit log.
func (x *run) reasons(ctx context.Context, k plan.Kind) (map[string]string, error) {
	action := map[plan.Kind]discordgo.AuditLogAction{
		plan.Role: 30, plan.Channel: 10, plan.Emoji: 60, plan.Sticker: 90, plan.Sound: 130, plan.AutoMod: 140, plan.Event: 100,
		plan.Webhook: 50, plan.Thread: 110,
	}[k]
	var log *discordgo.GuildAuditLog
	err := x.call(ctx, func(ctx context.Context) (err error) {
		log, err = x.Bot.AuditLog(ctx, x.guild, discord.AuditQuery{Action: action, Limit: 100})
		return err
	})
	if _, refused := refusal(err); refused {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	for _, e := range log.AuditLogEntries {
		reasons[e.TargetID] = e.Reason
	}
	return reasons, nil
}
