package main

import (
	"context"

	"github.com/bwmarrin/discordgo"
)

// runDiscordgo sets every address by hand: the library joins them once, at its start.
func runDiscordgo(ctx context.Context, s *say, url, token string) error {
	api := url + "api/v" + discordgo.APIVersion + "/"
	discordgo.EndpointDiscord, discordgo.EndpointAPI = url, api
	discordgo.EndpointGuilds, discordgo.EndpointChannels = api+"guilds/", api+"channels/"
	discordgo.EndpointUsers, discordgo.EndpointWebhooks = api+"users/", api+"webhooks/"
	discordgo.EndpointGateway = api + "gateway"
	discordgo.EndpointGatewayBot = discordgo.EndpointGateway + "/bot"
	d, err := discordgo.New("Bot " + token)
	if err != nil {
		return err
	}
	d.SyncEvents = true // in the order in which they came
	d.LogLevel = discordgo.LogInformational
	d.Identify.Intents = discordgo.IntentsGuilds | discordgo.IntentsGuildMessages | discordgo.IntentMessageContent
	d.AddHandler(func(*discordgo.Session, *discordgo.Ready) { s.line("ready", 0) })
	d.AddHandler(func(*discordgo.Session, *discordgo.Resumed) { s.line("resumed", 0) })
	d.AddHandler(func(_ *discordgo.Session, m *discordgo.MessageCreate) { s.message(m.Content) })
	if err := d.Open(); err != nil {
		return err
	}
	<-ctx.Done()
	return d.Close()
}
