package restore

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// result is what is noted of a step that is over.
type result struct {
	ID     string   `json:"id,omitempty"`     // of what was made
	Failed string   `json:"failed,omitempty"` // why it was not done
	Left   []string `json:"left,omitempty"`   // what was left out of it
}

// step does one step, unless it was done before.
func (x *run) step(ctx context.Context, i int) error {
	var res result
	s := x.plan.Steps[i]
	key := s.Key()
	noted, err := x.Noted(doneKey(key), &res)
	if err != nil {
		return err
	}
	if !noted {
		if res, err = x.act(ctx, s); err != nil {
			return err
		}
		if err := x.Note(ctx, doneKey(key), res); err != nil {
			return err
		}
		if res.Failed != "" {
			x.Say(work.Failure, "%s: %s", s.Line, res.Failed)
		} else {
			x.Say(work.Info, "%s", s.Line)
		}
	}
	x.mu.Lock()
	if res.ID != "" {
		x.ids["+"+s.ID] = model.ID(res.ID)
		x.taken[res.ID] = true
	}
	x.results[i] = res
	x.mu.Unlock()
	x.over(s)
	return nil
}

func doneKey(step string) string { return "done/" + step }

// act does a step. A refusal by Discord is a result; an error is a fault after which the step is tried again.
func (x *run) act(ctx context.Context, s plan.Step) (result, error) {
	if saved, made := plan.Made(s.ID); made {
		id, ok := x.made("+" + saved)
		if !ok {
			return result{Failed: "it could not be made"}, nil
		}
		s.ID = id
	}
	values, err := s.Values(x.made)
	if err != nil {
		return result{Failed: err.Error()}, nil
	}
	var res result
	var lacks []string // what it has to do without
	switch {
	case s.Kind == plan.Ban:
		res, err = x.ban(ctx, s)
	case s.Kind == plan.Messages:
		res, err = x.write(ctx, s)
	case s.Op == plan.Create:
		res, err = x.create(ctx, s, values, &lacks)
	case s.Op == plan.Delete:
		if err = x.call(ctx, func(ctx context.Context) error { return x.remove(ctx, s) }); gone(err) {
			err = nil
		}
	default:
		res, err = x.change(ctx, s, values, &lacks)
	}
	if why, refused := refusal(err); refused {
		return result{Failed: why}, nil
	}
	var missing *fileError
	if errors.As(err, &missing) {
		return result{Failed: missing.Error()}, nil
	}
	for _, l := range lacks {
		res.Left = append(res.Left, s.Line+": "+l)
	}
	return res, err
}

// restored begins the reasons of a restore that has no better one.
const restored = "Restore of a backup · op="

// reason is what the audit log says of an act: with the operation's id, by which it can be found again.
func (x *run) reason(s plan.Step) string {
	return restored + x.Job().Operation(s.Key())
}

// remove deletes one thing.
func (x *run) remove(ctx context.Context, s plan.Step) error {
	b, id, why := x.Bot, string(s.ID), x.reason(s)
	switch s.Kind {
	case plan.Role:
		return b.DeleteRole(ctx, x.guild, id, why)
	case plan.Channel:
		return b.DeleteChannel(ctx, id, why)
	case plan.Emoji:
		return b.DeleteEmoji(ctx, x.guild, id, why)
	case plan.Sticker:
		return b.DeleteSticker(ctx, x.guild, id, why)
	case plan.Sound:
		return b.DeleteSound(ctx, x.guild, id, why)
	case plan.AutoMod:
		return b.DeleteAutoModRule(ctx, x.guild, id, why)
	case plan.Event:
		return b.DeleteEvent(ctx, x.guild, id)
	case plan.Webhook:
		return b.DeleteWebhook(ctx, id, why)
	}
	return unknown(s)
}

// unknown is for a plan that asks for what this program cannot do: none that it made does.
func unknown(s plan.Step) error {
	return work.Permanent(fmt.Errorf("the plan asks for %q, which this program cannot do; it ended there", s.Line))
}

// change sets values on what is there.
func (x *run) change(ctx context.Context, s plan.Step, v map[string]any, lacks *[]string) (result, error) {
	c := x.withFiles(discord.Changes(maps.Clone(v)), lacks)
	if len(c) == 0 {
		return result{}, nil
	}
	switch s.Kind {
	case plan.Settings:
		return x.settings(ctx, s, c)
	case plan.Onboarding:
		return x.onboarding(ctx, s, c)
	case plan.RoleOrder:
		return result{}, x.orderRoles(ctx, s, v)
	case plan.ChannelOrder:
		return result{}, x.orderChannels(ctx, s, v)
	}
	return result{}, x.call(ctx, func(ctx context.Context) error { return x.edit(ctx, s, c) })
}

func (x *run) edit(ctx context.Context, s plan.Step, c discord.Changes) error {
	b, id, why := x.Bot, string(s.ID), x.reason(s)
	switch s.Kind {
	case plan.Role:
		_, err := b.EditRole(ctx, x.guild, id, c, why)
		return err
	case plan.Channel:
		_, err := b.EditChannel(ctx, id, c, why)
		return err
	case plan.Emoji:
		return b.EditEmoji(ctx, x.guild, id, c, why)
	case plan.Sticker:
		return b.EditSticker(ctx, x.guild, id, c, why)
	case plan.Sound:
		return b.EditSound(ctx, x.guild, id, c, why)
	case plan.AutoMod:
		return b.EditAutoModRule(ctx, x.guild, id, c, why)
	case plan.Welcome:
		return b.EditWelcome(ctx, x.guild, c, why)
	case plan.Event:
		return b.EditEvent(ctx, x.guild, id, c, why)
	case plan.Webhook:
		return b.EditWebhook(ctx, id, c, why)
	case plan.Member:
		_, err := b.EditMember(ctx, x.guild, id, c, why)
		return err
	}
	return unknown(s)
}
