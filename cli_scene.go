package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"splashtail/internal/sandbox/scene"
	"splashtail/internal/supervise"
)

// tierScene stops before everything else: the scene is the outside world.
const tierScene = -1

// makeTemporary gives a scene a data directory that ends with it. The stand-ins forget everything at their end, so a bus
// that remembers would hold wishes for people who are gone. A directory that was set is kept.
func (s *site) makeTemporary() error {
	if !s.plan.scene || s.set.NATSStoreDir.from != fromDefault {
		return nil
	}
	dir, err := os.MkdirTemp("", "splashtail-scene-")
	if err != nil {
		return fmt.Errorf("no directory for the scene's bus; nothing was started, NATS_STORE_DIR can name one: %w", err)
	}
	s.temporary, s.house.dataDir = dir, dir
	return nil
}

// tidy removes what the scene stored.
func (s *site) tidy() {
	if s.temporary == "" {
		return
	}
	if err := os.RemoveAll(s.temporary); err != nil {
		s.log.Warn("the scene's directory was not removed", "err", err)
	}
}

// startScene plays rounds until the end: the first one told step by step, the following ones in a line each, so that
// whoever watches the bus meanwhile sees it live.
func (s *site) startScene(ctx context.Context) error {
	if !s.plan.scene {
		return nil
	}
	sc, err := scene.New(scene.Config{
		Discord: s.discord, Bots: s.bots, CaptureBot: true, Pace: scene.Shown(), Narrate: s.narrate(),
		BrokerURL: s.reach("broker"), GalactusURL: s.reach("muteproxy"),
		RedisAddr: s.house.redisAddr, RedisUser: s.set.RedisUser.Value, RedisPass: s.set.RedisPass.Value,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "A round of Among Us with ten made-up players plays by itself. Voice lines say how long after the event\nof the game the last member was muted or freed. Set LOG_LEVEL=debug to see everything.\n\n")
	return s.group.Start(ctx, supervise.Part{Name: "scene", Tier: tierScene, Run: sc.Run})
}

// narrate prints the steps of a scene for somebody who watches.
func (s *site) narrate() func(scene.Step) {
	began := time.Now()
	return func(step scene.Step) {
		if step.Round > 1 && step.Kind != scene.StepSummary {
			return
		}
		fmt.Fprintf(s.stdout, "%6.1fs  %s\n", step.At.Sub(began).Seconds(), step)
		if step.Round == 1 && step.Kind == scene.StepSummary {
			fmt.Fprint(s.stdout, s.whatNow())
		}
	}
}

// whatNow tells what to try once the first round is over.
func (s *site) whatNow() string {
	url := s.bus.URL()
	return fmt.Sprintf(`
That was the first round; more follow, one line each. Meanwhile, in another terminal:

  nats -s %[1]s stream ls               the streams (nats: go install github.com/nats-io/natscli/nats@v0.3.0)
  nats -s %[1]s sub 'capture.>'         game events as they come in
  nats -s %[1]s kv ls VOICE             who has a wish (kv get VOICE KEY shows it)
  curl -s %[2]s/readyz
  curl -s %[2]s/metrics | grep ^splashtail_

To make, wreck and restore a server of your own here, with slash commands: docs/backups.md, "Try it without Discord".

`, url, s.opsURL)
}

// reach is the base URL under which this process reaches a door of its own, which may listen on every interface.
func (s *site) reach(name string) string {
	for _, d := range s.doors {
		if d.name != name {
			continue
		}
		host, port, err := net.SplitHostPort(d.url[len("http://"):])
		if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
			return "http://" + net.JoinHostPort("127.0.0.1", port)
		}
		return d.url
	}
	return ""
}
