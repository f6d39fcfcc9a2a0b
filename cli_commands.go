package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot"
	"splashtail/bus"
	"splashtail/internal/logs"
)

// commandsCmd is about the slash commands.
type commandsCmd struct {
	Sync commandsSyncCmd `cmd:"" help:"Register the slash commands that differ. Commands of other programs with this token stay as they are."`
}

// commandsSyncCmd registers the slash commands.
type commandsSyncCmd struct {
	Guild  string `placeholder:"ID" help:"Only in this server, where they show at once. Without it in all servers."`
	DryRun bool   `help:"Say what would be done and do nothing."`
	Adopt  bool   `help:"Take over commands of other programs that have the names of ours."`
}

// syncBound is how long registering may take; Discord lets few be made at a time.
const syncBound = 10 * time.Minute

// Run implements the command.
func (cmd commandsSyncCmd) Run(c *call) error {
	c.bad = append(c.bad, c.set.need("commands sync", "DISCORD_BOT_TOKEN")...)
	var guild IDs
	if cmd.Guild != "" {
		if err := guild.parse(cmd.Guild, "one"); err != nil {
			c.bad = append(c.bad, fault{name: "--guild", value: cmd.Guild, from: fromFlag, what: err.Error(), allowed: guild.allowed("one")})
		}
	}
	if err := c.bad.asError(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), syncBound)
	defer cancel()
	go func() {
		select {
		case <-c.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return cmd.run(ctx, c, bus.GuildID(guild.first()))
}

func (cmd commandsSyncCmd) run(ctx context.Context, c *call, guild bus.GuildID) error {
	log := logs.New(c.stderr, c.set.LogLevel.level(), c.set.LogFormat.format())
	s := &site{call: c, plan: plan{components: c.components}, log: log}
	s.house.dataDir = c.set.NATSStoreDir.Value
	b, err := bus.Open(ctx, s.busConfig(), log)
	if err != nil {
		return fmt.Errorf("bus: %w; when another process of ours runs, set NATS_URL to its NATS_ADDR", err)
	}
	one, err := bot.New(botConfig(house{Settings: c.set, discordAPI: c.set.DiscordAPIURL.Value, primary: c.set.DiscordBotToken.first(),
		instance: instance(), metrics: prometheus.NewRegistry()}), b, log)
	if err == nil {
		var done fmt.Stringer
		done, err = one.Sync(ctx, guild, cmd.DryRun, cmd.Adopt)
		tell(c.stdout, cmd.DryRun, done)
	}
	if err2 := closeBus(ctx, b); err == nil {
		err = err2
	}
	return err
}

func tell(w io.Writer, dry bool, done fmt.Stringer) {
	what := "done"
	if dry {
		what = "would be done"
	}
	fmt.Fprintf(w, "%s: %s\n", what, done)
}
