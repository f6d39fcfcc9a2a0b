package discord

import (
	"context"
	"net/http"

	"github.com/bwmarrin/discordgo"
)

// Commands of an application are global, or of one guild when a guild is named.

func commandsAt(method, app, guild, id string) Request {
	path, ids := "/applications/{}/commands", []string{app}
	if guild != "" {
		path, ids = "/applications/{}/guilds/{}/commands", append(ids, guild)
	}
	if id != "" {
		path, ids = path+"/{}", append(ids, id)
	}
	return at(method, path, ids...)
}

// Commands lists an application's commands with all translations.
func (b *Bot) Commands(ctx context.Context, app, guild string) ([]*discordgo.ApplicationCommand, error) {
	return get[[]*discordgo.ApplicationCommand](ctx, b, commandsAt(http.MethodGet, app, guild, "").query("with_localizations", "true"))
}

// SetCommands replaces all commands. Those whose names were not there count towards 200
// new ones per day.
func (b *Bot) SetCommands(ctx context.Context, app, guild string, all []*discordgo.ApplicationCommand) ([]*discordgo.ApplicationCommand, error) {
	if all == nil {
		all = []*discordgo.ApplicationCommand{}
	}
	return get[[]*discordgo.ApplicationCommand](ctx, b, commandsAt(http.MethodPut, app, guild, "").with(all))
}

// CreateCommand adds a command, or replaces the one with its name and type.
func (b *Bot) CreateCommand(ctx context.Context, app, guild string, c *discordgo.ApplicationCommand) (*discordgo.ApplicationCommand, error) {
	q := commandsAt(http.MethodPost, app, guild, "").with(c)
	q.Repeatable = true
	return get[*discordgo.ApplicationCommand](ctx, b, q)
}

// EditCommand changes the command with that id.
func (b *Bot) EditCommand(ctx context.Context, app, guild, id string, c *discordgo.ApplicationCommand) (*discordgo.ApplicationCommand, error) {
	return get[*discordgo.ApplicationCommand](ctx, b, commandsAt(http.MethodPatch, app, guild, id).with(c))
}

// DeleteCommand deletes the command with that id.
func (b *Bot) DeleteCommand(ctx context.Context, app, guild, id string) error {
	return b.send(ctx, commandsAt(http.MethodDelete, app, guild, id))
}
