package main

import (
	"context"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/rest"
)

func runDisgo(ctx context.Context, s *say, url, token string) error {
	client, err := disgo.New(token,
		bot.WithRestClientConfigOpts(rest.WithURL(url+"api/v10")),
		bot.WithGatewayConfigOpts(gateway.WithIntents(gateway.IntentGuilds, gateway.IntentGuildMessages, gateway.IntentMessageContent), gateway.WithCompress(true)),
		bot.WithEventListenerFunc(func(*events.Ready) { s.line("ready", 0) }),
		bot.WithEventListenerFunc(func(*events.Resumed) { s.line("resumed", 0) }),
		bot.WithEventListenerFunc(func(e *events.MessageCreate) { s.message(e.Message.Content) }),
	)
	if err != nil {
		return err
	}
	if err := client.OpenGateway(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	client.Close(context.WithoutCancel(ctx))
	return nil
}
