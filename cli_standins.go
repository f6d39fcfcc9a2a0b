package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/internal/supervise"
)

// tierStandIn stops after the components, which talk to the stand-ins until they have drained.
const tierStandIn = 50

// sandboxLatency is what a call to Discord takes from a server in the same region.
const sandboxLatency = 60 * time.Millisecond

// startStandIns puts something in the place of Discord and of Redis where nothing is set, and says so in one line each.
func (s *site) startStandIns(ctx context.Context) error {
	if !s.plan.standIns {
		return nil
	}
	if s.house.primary.IsZero() {
		if err := s.startSandbox(ctx); err != nil {
			return err
		}
	}
	if s.house.redisAddr == "" {
		return s.startRedis(ctx)
	}
	return nil
}

// startSandbox starts a Discord with one primary and two worker bots. They are in no guild until a scene or the
// sandbox's control requests put them there.
func (s *site) startSandbox(ctx context.Context) error {
	d := sandbox.New(sandbox.Config{Latency: sandboxLatency})
	for _, name := range []string{"primary", "worker 1", "worker 2"} {
		app, err := d.AddApplication(sandbox.ApplicationSpec{Name: name, MembersIntent: true, MessageContentIntent: true})
		if err != nil {
			return err
		}
		s.bots = append(s.bots, app)
	}
	err := s.group.Start(ctx, supervise.Part{Name: "sandbox", Tier: tierStandIn, Run: d.Run, Ready: d.Ready()})
	if err != nil {
		return err
	}
	s.discord, s.house.discordAPI, s.house.discordCDN = d, d.URL(), d.CDNURL()
	s.house.primary = secret.New(s.bots[0].Token)
	for _, app := range s.bots[1:] {
		s.house.workers = append(s.house.workers, secret.New(app.Token))
	}
	s.log.Warn("Discord is a sandbox inside this process, nobody real is muted; DISCORD_BOT_TOKEN replaces it", "component", "sandbox", "addr", d.Addr())
	s.serves(address{"discord", d.URL(), "stand-in (DISCORD_BOT_TOKEN)"})
	return nil
}

// registerCommands tells the sandbox of the slash commands. Nobody can have done so before: its bots are as old as it is.
func (s *site) registerCommands(ctx context.Context) error {
	if s.discord == nil || !slices.ContainsFunc(s.plan.components, func(k component) bool { return k.name == "bot" }) {
		return nil
	}
	own, err := s.bus.Component(ctx, "commands")
	if err != nil {
		return err
	}
	h := s.house
	h.metrics = prometheus.NewRegistry() // what only registers counts nothing
	one, err := bot.New(botConfig(h), own, s.log.With("component", "commands"))
	if err == nil {
		_, err = one.Sync(ctx, 0, false, false)
	}
	if err != nil {
		err = fmt.Errorf("the sandbox does not take the slash commands: %w", err)
	}
	return errors.Join(err, closeBus(ctx, own))
}

// startRedis starts a Redis that lives and dies with this process.
func (s *site) startRedis(ctx context.Context) error {
	m, ready := miniredis.NewMiniRedis(), make(chan struct{})
	err := s.group.Start(ctx, supervise.Part{Name: "redis", Tier: tierStandIn, Ready: ready, Run: func(ctx context.Context) error {
		return runRedis(ctx, m, ready)
	}})
	if err != nil {
		return err
	}
	s.house.redisAddr = m.Addr()
	s.log.Warn("Redis is a stand-in inside this process and forgets everything at its end; REDIS_ADDR replaces it", "component", "redis", "addr", m.Addr())
	s.serves(address{"redis", m.Addr(), "stand-in (REDIS_ADDR)"})
	return nil
}

// runRedis serves until ctx ends. Keys of miniredis only expire when it is told that time has passed.
func runRedis(ctx context.Context, m *miniredis.Miniredis, ready chan<- struct{}) error {
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return fmt.Errorf("the stand-in for Redis found no free port on loopback: %w", err)
	}
	defer m.Close()
	close(ready)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.FastForward(time.Second)
		case <-ctx.Done():
			return nil
		}
	}
}
