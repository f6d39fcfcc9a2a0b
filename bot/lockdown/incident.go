package lockdown

import (
	"context"
	"net/http"
	"time"

	"splashtail/bot/command"
	"splashtail/internal/discord"
)

// What a switch of Discord's incident actions can be set to.
const (
	switchOff = "switch_off"
	switchOn  = "switch_on"
)

// margin keeps a time of 24 hours within what Discord takes, by its own clock.
const margin = time.Minute

// incident makes the handler that sets one of Discord's incident actions. They end by
// themselves, at Discord, so nothing of it is kept here. The key that is not sent stays as
// it is.
func incident(name, key string) func(context.Context, *command.Use) error {
	return func(ctx context.Context, u *command.Use) error {
		span, err := spanOf(u)
		if err != nil {
			return err
		}
		until := time.Now().Add(min(span, longest-margin)).UTC()
		body := discord.Changes{key: until.Format(time.RFC3339)}
		if u.Text("state") == switchOn {
			body[key] = nil
		}
		_, err = u.Bot.Do(ctx, discord.Request{Method: http.MethodPut, Path: "/guilds/" + u.GuildID() + "/incident-actions", Body: body, Reason: u.Reason(whyOf(u))})
		if err != nil {
			return err
		}
		if body[key] == nil {
			return u.Say(ctx, "lockdown."+name+"_on")
		}
		return u.Say(ctx, "lockdown."+name+"_off", "until", stamp(until))
	}
}
