package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot"
	"splashtail/broker"
	"splashtail/bus"
	"splashtail/gatewayproxy"
	"splashtail/internal/discord"
	"splashtail/internal/secret"
	"splashtail/jobs"
	"splashtail/jobs/backup/create"
	"splashtail/muteproxy"
)

// components is the list of everything that runs on the bus. `splashtail up` starts them in this order, each when the
// one before is ready, and stops them tier by tier; `splashtail NAME` runs one.
func components() []component {
	return []component{
		{
			name: "broker", tier: 1, // muteproxy's last changes may go through its capture clients
			does:  "capture clients over Socket.IO -> CAPTURE -> Redis, where AutoMuteUs reads; mute tasks to capture clients",
			door:  door{setting: "BROKER_PORT", whose: "capture clients", addr: func(s *Settings) string { return listenAddr(s.BrokerBind, s.BrokerPort) }},
			reads: []string{"redis", "broker", "muteproxy"},
			need:  []string{"REDIS_ADDR"},
			make:  makeBroker,
		},
		{
			name: "muteproxy", tier: 0,
			does:  "wishes of AutoMuteUs over HTTP -> VOICE -> Discord, over every token and capture client",
			door:  door{setting: "GALACTUS_PORT", whose: "AutoMuteUs", addr: func(s *Settings) string { return listenAddr(s.GalactusBind, s.GalactusPort) }},
			reads: []string{"discord", "redis", "muteproxy"},
			need:  []string{"DISCORD_BOT_TOKEN"}, // Redis only brings tokens over and tells of ended games
			make:  makeMuteproxy,
		},
		{
			name: "gatewayproxy", tier: 1,
			does:  "Discord's gateway -> DISPATCH -> every component, and bots of any library that connect here",
			door:  door{setting: "GATEWAYPROXY_ADDR", whose: "bots", addr: func(s *Settings) string { return s.GatewayproxyAddr.Value }},
			reads: []string{"discord", "redis", "gatewayproxy"},
			need:  []string{"DISCORD_BOT_TOKEN"}, // Redis only tells when AutoMuteUs begins a session
			make:  makeGatewayproxy,
		},
		{
			name: "bot", tier: 0,
			does:  "slash commands, and the protection of servers, from DISPATCH -> Discord",
			reads: []string{"discord", "bot"},
			need:  []string{"DISCORD_BOT_TOKEN"},
			make:  makeBot,
		},
		{
			name: "jobs", tier: 0,
			does:  "jobs of bot, api and schedules: what takes long and survives the end of any process",
			door:  door{setting: "JOBS_IPC_ADDR", whose: "clients of the earlier job server", addr: func(s *Settings) string { return s.jobsDoor() }},
			reads: []string{"discord", "jobs"},
			need:  []string{"DISCORD_BOT_TOKEN"},
			make:  makeJobs,
		},
	}
}

func makeBroker(h house, b *bus.Bus, log *slog.Logger) (service, error) {
	return broker.New(broker.Config{
		Addr:      listenAddr(h.BrokerBind, h.BrokerPort),
		RedisAddr: h.redisAddr, RedisUser: h.RedisUser.Value, RedisPass: h.RedisPass.Value,
		AckTimeout: h.AckTimeout.duration(), TaskTimeout: h.TaskTimeout.duration(),
		Instance: h.instance, Version: buildVersion(), Metrics: h.metrics,
	}, b, log)
}

func makeMuteproxy(h house, b *bus.Bus, log *slog.Logger) (service, error) {
	return muteproxy.New(muteproxy.Config{
		Addr: listenAddr(h.GalactusBind, h.GalactusPort), Secret: h.GalactusSecret.Value,
		Primary: h.primary, Workers: h.workers, APIURL: h.discordAPI,
		MaxReq5Sec: h.MaxReq5Sec.N, MaxWorkers: h.MaxWorkers.N,
		AckTimeout: h.AckTimeout.duration(), TaskTimeout: h.TaskTimeout.duration(),
		RedisAddr: h.redisAddr, RedisUser: h.RedisUser.Value, RedisPass: h.RedisPass.Value,
		SealKey: h.SealKey.Value, DataDir: h.dataDir,
		Instance: h.instance, Version: buildVersion(), Metrics: h.metrics,
	}, b, log)
}

func makeGatewayproxy(h house, b *bus.Bus, log *slog.Logger) (service, error) {
	cfg := gatewayproxy.Config{
		Addr: h.GatewayproxyAddr.Value, Token: h.primary, APIURL: h.discordAPI, GatewayURL: h.DiscordGatewayURL.Value,
		Shards: h.NumShards.N, Intents: uint64(h.GatewayIntents.N), Compress: h.GatewayCompress.Value, Limiter: h.limiter,
		RedisAddr: h.redisAddr, RedisUser: h.RedisUser.Value, RedisPass: h.RedisPass.Value,
		Instance: h.instance, Version: buildVersion(), Metrics: h.metrics,
	}
	if h.ShardID.text != "" {
		cfg.Only = []int{h.ShardID.N}
	}
	return gatewayproxy.New(cfg, b, log)
}

func makeBot(h house, b *bus.Bus, log *slog.Logger) (service, error) {
	return bot.New(botConfig(h), b, log)
}

func botConfig(h house) bot.Config {
	return bot.Config{
		Token: h.primary, APIURL: h.discordAPI, MainGuild: bus.GuildID(h.MainGuild.first()),
		Bootstrap: h.BootstrapCommands.Value == "true", Only: h.BotAllowedUsers.texts(), Limiter: h.limiter,
		Instance: h.instance, Version: buildVersion(), Metrics: h.metrics,
	}
}

func makeJobs(h house, b *bus.Bus, log *slog.Logger) (service, error) {
	return jobs.New(jobs.Config{
		Token: h.primary, APIURL: h.discordAPI, CDNURL: h.discordCDN, Limiter: h.limiter, Backups: h.backupLimits(),
		Workers: h.JobsWorkers.N, SealKey: h.SealKey.Value, DataDir: h.dataDir,
		IPCAddr: h.jobsDoor(), IPCSecrets: h.JobsIPCSecrets.Values,
		Instance: h.instance, Version: buildVersion(), Metrics: h.metrics,
	}, b, log)
}

// backupLimits are what one backup may hold.
func (s *Settings) backupLimits() create.Limits {
	l := create.DefaultLimits()
	l.Messages, l.Attachments = s.BackupMessages.N, int64(s.BackupFilesMiB.N)<<20
	return l
}

// jobsDoor is where clients of the earlier job server connect; empty: that door is shut.
func (s *Settings) jobsDoor() string {
	if len(s.JobsIPCSecrets.Values) == 0 {
		return ""
	}
	return s.JobsIPCAddr.Value
}

// component is one row of the list.
type component struct {
	name  string // also its command, its connection to the bus and `component` in log lines
	does  string
	tier  int      // tier 0 stops first; what others need in order to finish stops later; the bus is last
	door  door     // where others reach it; zero for one that nobody connects to
	reads []string // groups of settings that its own command shows
	need  []string // settings that its own command cannot do without
	make  func(house, *bus.Bus, *slog.Logger) (service, error)
}

// service is a component as main sees it: New has made it, Run owns everything that it starts and returns drained,
// Ready closes when it serves, and then Addr is where.
type service interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
	Addr() string
}

// checker is a service that can serve and still need somebody to act: Check says why, for readiness.
type checker interface {
	Check(ctx context.Context) error
}

// door is an address that a component listens on.
type door struct {
	setting string                 // what to change when the port is taken
	addr    func(*Settings) string // empty: shut
	whose   string                 // who comes in
}

// house is what components are built from: the settings, with stand-ins in the place of what is not set.
type house struct {
	*Settings
	redisAddr  string // empty: none
	discordAPI string
	discordCDN string // where its files are
	primary    secret.Value
	workers    []secret.Value
	dataDir    string // for files that are not streams
	instance   string // names this process on the bus
	metrics    prometheus.Registerer
	limiter    *discord.Limiter // one line for all, since Discord counts a token's requests together
}

// instance names this process among others on the same bus: letters, digits and dashes.
func instance() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "host"
	}
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, host)
	return fmt.Sprintf("%s-%d", plain[:min(len(plain), 48)], os.Getpid())
}
