package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
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

// find looks for what a step may have made already: it was not there when the plan was made, and nothing else was made as it.
// Of such things it is the one that this operation made by the audit log; else one that looks like it and of which the log
// does not tell, since it does not yet or the bot may not read it. Empty: there is none.
func (x *run) find(ctx context.Context, s plan.Step, v map[string]any) (string, error) {
	list, err := x.things(ctx, s, v)
	if err != nil {
		return "", err
	}
	x.mu.Lock()
	list = slices.DeleteFunc(list, func(t thing) bool { return x.before[s.Kind][t.ID] || x.taken[t.ID] })
	x.mu.Unlock()
	if len(list) == 0 {
		return "", nil
	}
	want := fingerprint(s.Kind, v)
	if s.Kind == plan.Thread {
		alike := slices.DeleteFunc(slices.Clone(list), func(t thing) bool { return t.fingerprint(s.Kind) != want })
		if id, sure, err := x.findPost(ctx, textIn(v["parent_id"]), alike); sure || err != nil {
			return id, err
		}
	}
	reasons, err := x.reasons(ctx, s.Kind)
	if err != nil {
		return "", err
	}
	op := "op=" + x.Job().Operation(s.Key())
	for _, t := range list { // also under a name that Discord has made of ours
		if strings.HasSuffix(reasons[t.ID], op) {
			return t.ID, nil
		}
	}
	for _, t := range list {
		if _, told := reasons[t.ID]; !told && t.fingerprint(s.Kind) == want {
			return t.ID, nil
		}
	}
	return "", nil
}

// findPost looks for a post of a forum, which no reason in the audit log names: its first message is of our webhook there. sure
// says that this settles it: in other channels, and when somebody has deleted the webhook, it does not.
func (x *run) findPost(ctx context.Context, parent string, alike []thing) (id string, sure bool, err error) {
	c, err := x.parentOf(ctx, parent)
	if err != nil || c.Type != typeForum && c.Type != typeMedia {
		return "", false, err
	}
	h, err := x.findHook(ctx, parent)
	if err != nil || h == nil {
		return "", false, err
	}
	for _, t := range alike {
		var first there
		err := x.call(ctx, func(ctx context.Context) error { return x.Bot.ReadMessage(ctx, t.ID, t.ID, &first) })
		if _, refused := refusal(err); err != nil && !refused {
			return "", false, err
		}
		if err == nil && string(first.Webhook) == h.id {
			return t.ID, true, nil
		}
	}
	return "", true, nil
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
			list, err = x.threads(ctx, textIn(v["parent_id"]), numberIn(v["type"]))
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

// threads lists those of a channel that are open, and the hundred that were archived last: Discord archives what nobody has
// written in for an hour, and a worker may have been away for longer.
func (x *run) threads(ctx context.Context, parent string, kind int) ([]thing, error) {
	var active, archived struct{ Threads []thing }
	if err := x.Bot.ReadActiveThreads(ctx, x.guild, &active); err != nil {
		return nil, err
	}
	list := discord.ArchivePublic
	if kind == model.TypePrivateThread {
		list = discord.ArchiveJoined // who makes one is in it
	}
	err := x.Bot.ReadArchivedThreads(ctx, parent, list, "", &archived)
	if _, refused := refusal(err); err != nil && !refused {
		return nil, err
	}
	return append(active.Threads, archived.Threads...), nil
}

func (x *run) read(ctx context.Context, path string, into any) error {
	a, err := x.Bot.Do(ctx, discord.Request{Method: "GET", Path: path})
	if err != nil {
		return err
	}
	return json.Unmarshal(a.Body, into)
}

// maxLog is how many pages of the audit log are read for one look-up.
const maxLog = 20

// reasons gives the reasons of what was made since the job was asked for, by what was made; nothing when the bot may not see
// the audit log.
func (x *run) reasons(ctx context.Context, k plan.Kind) (map[string]string, error) {
	q := discord.AuditQuery{Limit: 100, Action: map[plan.Kind]discordgo.AuditLogAction{
		plan.Role: 30, plan.Channel: 10, plan.Emoji: 60, plan.Sticker: 90, plan.Sound: 130, plan.AutoMod: 140, plan.Event: 100,
		plan.Webhook: 50, plan.Thread: 110,
	}[k]}
	since := x.Job().SubmittedAt.Add(-time.Minute) // our clock may be ahead of Discord's
	reasons := map[string]string{}
	for range maxLog {
		var log *discordgo.GuildAuditLog
		err := x.call(ctx, func(ctx context.Context) (err error) {
			log, err = x.Bot.AuditLog(ctx, x.guild, q)
			return err
		})
		if _, refused := refusal(err); refused {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range log.AuditLogEntries {
			reasons[e.TargetID] = e.Reason
			q.Before = e.ID
		}
		if at, err := discordgo.SnowflakeTimestamp(q.Before); len(log.AuditLogEntries) < q.Limit || err != nil || at.Before(since) {
			break
		}
	}
	return reasons, nil
}
