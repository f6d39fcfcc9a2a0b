package command

import (
	"context"

	"github.com/bwmarrin/discordgo"
)

// Message is the answer as it stands in the channel, for what has to change it after Discord has forgotten the command.
func (u *Use) Message(ctx context.Context) (*discordgo.Message, error) {
	return u.Bot.Original(ctx, u.it.AppID, u.it.Token)
}

// Enclose sends a file with the next Reply. The message keeps it when a further one takes the place of that.
func (u *Use) Enclose(f *discordgo.File) { u.enclosed = append(u.enclosed, f) }
