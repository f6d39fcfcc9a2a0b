package main

import (
	"context"
	"strings"

	"github.com/diamondburned/arikawa/v3/api"
	"github.com/diamondburned/arikawa/v3/gateway"
	"github.com/diamondburned/arikawa/v3/session"
)

func runArikawa(ctx context.Context, s *say, url, token string) error {
	api.BaseEndpoint = strings.TrimRight(url, "/")
	api.Endpoint = api.BaseEndpoint + api.Path + "/"
	api.EndpointGateway = api.Endpoint + "gateway"
	api.EndpointGatewayBot = api.EndpointGateway + "/bot"
	client := session.New("Bot " + token)
	client.AddIntents(gateway.IntentGuilds | gateway.IntentGuildMessages | 1<<15)
	client.AddSyncHandler(func(*gateway.ReadyEvent) { s.line("ready", 0) })
	client.AddSyncHandler(func(*gateway.ResumedEvent) { s.line("resumed", 0) })
	client.AddSyncHandler(func(m *gateway.MessageCreateEvent) { s.message(m.Content) })
	return client.Connect(ctx)
}
