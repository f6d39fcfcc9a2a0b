package create

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/jobs/work"
)

// refusal tells why Discord does not give something, when that is its last word: a sentence for the manifest. Faults of the
// network and of Discord are none; the job is repeated after those.
func refusal(err error) (string, bool) {
	e, refused := discord.Refusal(err)
	if !refused {
		return "", false
	}
	switch {
	case e.Code == discord.CodeMissingAccess || e.Code == discord.CodeMissingPermissions || e.Status == http.StatusForbidden:
		return "Discord does not let the bot read it", true
	case e.Status == http.StatusNotFound:
		return "it is not there any more", true
	}
	return fmt.Sprintf("Discord refused to tell it: %.200s", e.Message), true
}

// judge says what an error of a step means for the job.
func judge(err error) error {
	var refused *discord.APIError
	var ours *discord.LimitedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized:
		return work.Permanent(fmt.Errorf("the backup was not made, since Discord does not know the bot's token; give a valid one: %w", err))
	case errors.As(err, &ours) && ours.Reason == discord.ReasonTokenInvalid:
		return work.Permanent(err)
	case errors.As(err, &ours):
		return work.Snooze(time.Now().Add(ours.RetryAfter), "Discord's rate limits leave no room for now")
	}
	return err
}

// needs names a permission, for people.
func needs(permission int64) string {
	names := map[int64]string{
		discordgo.PermissionViewChannel: "View Channels", discordgo.PermissionReadMessageHistory: "Read Message History",
		discordgo.PermissionVoiceConnect: "Connect", discordgo.PermissionManageGuild: "Manage Server",
		discordgo.PermissionBanMembers: "Ban Members", discordgo.PermissionManageWebhooks: "Manage Webhooks",
		discordgo.PermissionManageThreads: "Manage Threads",
	}
	return "the bot lacks the permission " + names[permission]
}
