package command

import (
	"context"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
)

// Message is the answer as it stands in the channel, for what has to change it after Discord has forgotten the command.
func (u *Use) Message(ctx context.Context) (*discordgo.Message, error) {
	return u.Bot.Original(ctx, u.it.AppID, u.it.Token)
}

// Hand shows a card as the answer, with a file.
func (u *Use) Hand(ctx context.Context, c card.Card, f *discordgo.File) error {
	e := c.Edit()
	e.Files = []*discordgo.File{f}
	_, err := u.Bot.EditOriginal(ctx, u.it.AppID, u.it.Token, e)
	return err
}
