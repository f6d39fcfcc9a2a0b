package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Settings is every setting of the process: one field each, with its environment name, its flag (the same name in
// lower case with dashes), its default, what it allows and what it means. kong reads flags and environment from it,
// `splashtail config` prints it, docs/config.md is rendered from it. Names that galactus had keep their meaning.
type Settings struct {
	DiscordBotToken   Tokens `group:"discord" env:"DISCORD_BOT_TOKEN" allowed:"one" placeholder:"TOKEN" help:"Token of the primary bot, the one that AutoMuteUs uses. Without it 'up' runs against the sandbox, a stand-in for Discord inside the process."`
	WorkerBotTokens   Tokens `group:"discord" env:"WORKER_BOT_TOKENS" placeholder:"TOKEN,..." help:"Tokens of further bots that share the muting. Each must be a member of the guilds that it serves."`
	DiscordAPIURL     URL    `group:"discord" name:"discord-api-url" env:"DISCORD_API_URL" allowed:"http,https" default:"https://discord.com/api/v10" help:"Base of Discord's REST API: a proxy or a test double instead of Discord."`
	DiscordGatewayURL URL    `group:"discord" name:"discord-gateway-url" env:"DISCORD_GATEWAY_URL" allowed:"ws,wss" placeholder:"URL" help:"Address of Discord's gateway. Unset: what the REST API says."`
	DiscordCDNURL     URL    `group:"discord" name:"discord-cdn-url" env:"DISCORD_CDN_URL" allowed:"http,https" default:"https://cdn.discordapp.com" help:"Where Discord keeps files: those of backups are read from there and from nowhere else."`
	NumShards         Number `group:"discord" env:"NUM_SHARDS" allowed:"1..16384" placeholder:"N" help:"Shard count of the primary bot; must match AutoMuteUs. Unset: as many as Discord recommends."`
	ShardID           Number `group:"discord" name:"shard-id" env:"SHARD_ID" allowed:"0..16383" placeholder:"N" help:"The only shard that this process holds. Unset: processes on one bus share all shards among themselves."`

	RedisAddr HostPort `group:"redis" env:"REDIS_ADDR" placeholder:"HOST:PORT" help:"The Redis that AutoMuteUs uses. Without it 'up' starts a stand-in inside the process, which AutoMuteUs cannot share unless it is told the printed address."`
	RedisUser Text     `group:"redis" env:"REDIS_USER" placeholder:"NAME" help:"User name for Redis."`
	RedisPass Secret   `group:"redis" env:"REDIS_PASS" placeholder:"SECRET" help:"Password for Redis."`

	BrokerPort Port `group:"broker" env:"BROKER_PORT" default:"8123" help:"Port for capture clients."`
	BrokerBind Host `group:"broker" env:"BROKER_BIND" default:"0.0.0.0" help:"Address for capture clients. Every interface by default, as in galactus: players connect from the internet."`

	GalactusPort   Port   `group:"muteproxy" env:"GALACTUS_PORT" default:"5858" help:"Port for AutoMuteUs."`
	GalactusBind   Host   `group:"muteproxy" env:"GALACTUS_BIND" default:"127.0.0.1" help:"Address for AutoMuteUs. Loopback by default, unlike galactus: whoever reaches this door can mute people. In a container, set 0.0.0.0 on a network that only AutoMuteUs shares."`
	GalactusSecret Secret `group:"muteproxy" env:"GALACTUS_SECRET" allowed:"8..4096" placeholder:"SECRET" help:"When set, callers must send it as a bearer token. AutoMuteUs itself cannot; a proxy in front of this door can add it."`
	MaxReq5Sec     Number `group:"muteproxy" name:"max-req-5-sec" env:"MAX_REQ_5_SEC" allowed:"1..1000" default:"7" help:"Mutes per token and guild in 5 s until Discord's own headers have told the real limit. More than 5 are not sent before that."`
	AckTimeout     Millis `group:"muteproxy" name:"ack-timeout-ms" env:"ACK_TIMEOUT_MS" allowed:"10..60000" default:"2000" help:"How long a capture client has to take a mute."`
	TaskTimeout    Millis `group:"muteproxy" name:"task-timeout-ms" env:"TASK_TIMEOUT_MS" allowed:"10..60000" default:"1000" help:"How long a capture client has to finish a mute that it took."`
	MaxWorkers     Number `group:"muteproxy" env:"MAX_WORKERS" allowed:"1..1024" placeholder:"N" help:"How many members of one guild are worked on at the same time. Unset: as many as the budgets of the tokens allow, which is the fastest."`

	GatewayproxyAddr HostPort `group:"gatewayproxy" env:"GATEWAYPROXY_ADDR" default:"127.0.0.1:3220" help:"Where bots connect instead of to Discord's gateway, and send their API requests."`
	GatewayIntents   Number   `group:"gatewayproxy" env:"GATEWAY_INTENTS" allowed:"0..67108863" default:"0" help:"Intents that are asked of Discord, as the sum of their bits. 0: all that need no permission, and members and message content where the application has them."`
	GatewayCompress  Choice   `group:"gatewayproxy" env:"GATEWAY_COMPRESS" allowed:"zstd,zlib,none" default:"zstd" help:"How Discord compresses what it sends us. zstd costs the least of both; zlib and none are for a network or a test double that has no zstd."`

	BootstrapCommands Choice `group:"bot" env:"BOOTSTRAP_COMMANDS" allowed:"true,false" default:"false" help:"Register the first slash commands (help, ping, stats) at the start, in MAIN_GUILD. 'splashtail commands sync' registers all."`
	MainGuild         IDs    `group:"bot" env:"MAIN_GUILD" allowed:"one" placeholder:"ID" help:"The server of whoever runs the bot. Unset: BOOTSTRAP_COMMANDS registers for all servers."`
	BotAllowedUsers   IDs    `group:"bot" env:"BOT_ALLOWED_USERS" placeholder:"ID,..." help:"The only users whose commands the bot takes. Unset: everybody's, as far as their server lets them."`

	JobsWorkers    Number        `group:"jobs" env:"JOBS_WORKERS" allowed:"1..1000" default:"10" help:"How many jobs this process works on at a time. Several processes share the jobs of a bus."`
	JobsIPCSecrets ClientSecrets `group:"jobs" name:"jobs-ipc-secrets" env:"JOBS_IPC_SECRETS" placeholder:"CLIENT=SECRET,..." help:"Opens the HTTP door of the earlier job server, for these clients with these secrets. Unset: the door is shut."`
	BackupMessages Number        `group:"jobs" name:"backup-max-messages" env:"BACKUP_MAX_MESSAGES" allowed:"1..1000000" default:"10000" help:"The most messages that one backup keeps."`
	BackupFilesMiB Number        `group:"jobs" name:"backup-max-files-mib" env:"BACKUP_MAX_FILES_MIB" allowed:"1..100000" default:"500" help:"The most that the attachments of one backup have together, in MiB."`
	JobsIPCAddr    HostPort      `group:"jobs" name:"jobs-ipc-addr" env:"JOBS_IPC_ADDR" default:"localhost:2939" help:"Where that door is. It has no TLS of its own: keep it on loopback or behind a proxy."`

	NATSURL      URL      `group:"bus" name:"nats-url" env:"NATS_URL" allowed:"nats,tls,ws,wss" placeholder:"URL" help:"Join this NATS server (2.14 or later, with JetStream); several with commas. Unset: the process embeds its own."`
	NATSAddr     HostPort `group:"bus" name:"nats-addr" env:"NATS_ADDR" default:"127.0.0.1:4222" help:"Where the embedded server listens, for the nats CLI and for other processes."`
	NATSStoreDir Dir      `group:"bus" name:"nats-store-dir" env:"NATS_STORE_DIR" default:"data/nats" help:"Where the embedded server keeps its streams, and the process its generated key. Back it up."`
	NATSUser     Text     `group:"bus" name:"nats-user" env:"NATS_USER" placeholder:"NAME" help:"User name for the NATS server, embedded or not."`
	NATSPassword Secret   `group:"bus" name:"nats-password" env:"NATS_PASSWORD" placeholder:"SECRET" help:"Password for the NATS server. Required when NATS_ADDR is not loopback."`
	SealKey      Key      `group:"bus" env:"SEAL_KEY" placeholder:"KEY" help:"Key under which secrets are stored: worker tokens from /addtoken, passwords of jobs. Unset: made once and kept as seal.key in NATS_STORE_DIR (mode 0600). Set the same one in every process that shares a bus."`

	OpsAddr   HostPort `group:"process" env:"OPS_ADDR" default:"127.0.0.1:9464" help:"Where /healthz, /readyz and /metrics are served, without a login."`
	LogLevel  Choice   `group:"process" env:"LOG_LEVEL" allowed:"debug,info,warn,error" default:"info" help:"Least important lines to write."`
	LogFormat Choice   `group:"process" env:"LOG_FORMAT" allowed:"text,json" default:"text" help:"How a line is written."`
}

// groups are the headings of Settings in help and docs, in order.
func groups() []kong.Group {
	return []kong.Group{
		{Key: "discord", Title: "Discord"},
		{Key: "redis", Title: "Redis, shared with AutoMuteUs"},
		{Key: "broker", Title: "broker: the door for capture clients"},
		{Key: "muteproxy", Title: "muteproxy: the door for AutoMuteUs"},
		{Key: "gatewayproxy", Title: "gatewayproxy: Discord's gateway, and the door for bots"},
		{Key: "bot", Title: "bot: slash commands and the protection of servers"},
		{Key: "jobs", Title: "jobs: what takes long"},
		{Key: "bus", Title: "The bus (NATS)"},
		{Key: "process", Title: "The process"},
	}
}

// entry is one setting with its place in the grammar.
type entry struct {
	setting
	flag *kong.Flag
}

func (e entry) env() string    { return e.flag.Envs[0] }
func (e entry) rule() string   { return e.flag.Tag.Get("allowed") }
func (e entry) limits() string { return e.allowed(e.rule()) }

// entries lists the settings of a grammar in the order of Settings.
func entries(m *kong.Application) []entry {
	var all []entry
	for _, f := range m.Flags {
		if s, ok := f.Target.Addr().Interface().(setting); ok {
			all = append(all, entry{s, f})
		}
	}
	return all
}

// settle reads the text of every setting, after kong has put it in, and returns all faults at once. onLine tells which
// flags stood on the command line. An empty value counts as unset, since that is how compose files write it.
func settle(all []entry, onLine map[*kong.Flag]bool) faults {
	var out faults
	for _, e := range all {
		g := e.told()
		g.text = strings.TrimSpace(g.text)
		switch {
		case onLine[e.flag]:
			g.from = fromFlag
		case strings.TrimSpace(os.Getenv(e.env())) != "":
			g.from = fromEnvironment
		default:
			g.from = fromDefault
		}
		if g.text == "" {
			g.text, g.from = e.flag.Default, fromDefault
		}
		if g.text == "" {
			continue
		}
		if err := e.parse(g.text, e.rule()); err != nil {
			out = append(out, fault{
				name: e.env(), value: shown(e.setting), from: g.from, what: err.Error(), allowed: e.limits(),
			})
		}
	}
	return out
}

// fault is one setting that cannot be used.
type fault struct {
	name    string // environment name
	value   string // as given, secrets masked; empty when it is the absence that is at fault
	from    source
	what    string
	allowed string
}

func (f fault) Error() string {
	var b strings.Builder
	b.WriteString(f.name)
	if f.value != "" {
		fmt.Fprintf(&b, "=%s (%s)", f.value, f.from)
	}
	b.WriteString(" " + f.what)
	if f.allowed != "" {
		b.WriteString("; allowed: " + f.allowed)
	}
	return b.String()
}

// faults is everything that is wrong with the settings.
type faults []fault

func (f faults) Error() string {
	var b strings.Builder
	if len(f) == 1 {
		b.WriteString("1 setting cannot be used; nothing was started:")
	} else {
		fmt.Fprintf(&b, "%d settings cannot be used; nothing was started:", len(f))
	}
	for _, one := range f {
		b.WriteString("\n  " + one.Error())
	}
	return b.String()
}

// check finds what only shows when settings are seen together.
func (s *Settings) check() faults {
	var out faults
	if s.ShardID.text != "" && s.NumShards.text == "" {
		out = append(out, fault{name: "NUM_SHARDS", what: "is missing although SHARD_ID is set"})
	} else if s.NumShards.N > 0 && s.ShardID.N >= s.NumShards.N {
		out = append(out, fault{name: "SHARD_ID", value: shown(&s.ShardID), from: s.ShardID.from,
			what: "is no shard of NUM_SHARDS", allowed: fmt.Sprintf("0 to %d", s.NumShards.N-1)})
	}
	if s.RedisUser.Value != "" && s.RedisPass.Value.IsZero() {
		out = append(out, fault{name: "REDIS_PASS", what: "is missing although REDIS_USER is set"})
	}
	if s.NATSUser.Value != "" && s.NATSPassword.Value.IsZero() {
		out = append(out, fault{name: "NATS_PASSWORD", what: "is missing although NATS_USER is set"})
	}
	if s.NATSURL.Value == "" && !s.NATSAddr.loopback() && s.NATSPassword.Value.IsZero() {
		out = append(out, fault{name: "NATS_PASSWORD", what: "is missing although NATS_ADDR can be reached from other machines, and whoever reaches the bus rules everything on it"})
	}
	return out
}

// checkStandIn refuses settings that only make sense with the real Discord when the sandbox would stand in for it.
func (s *Settings) checkStandIn() faults {
	if s.DiscordBotToken.text != "" {
		return nil
	}
	var out faults
	for _, other := range []struct {
		name string
		set  bool
	}{
		{"WORKER_BOT_TOKENS", s.WorkerBotTokens.Values != nil},
		{"DISCORD_API_URL", s.DiscordAPIURL.from != fromDefault},
		{"DISCORD_GATEWAY_URL", s.DiscordGatewayURL.Value != ""},
		{"DISCORD_CDN_URL", s.DiscordCDNURL.from != fromDefault},
	} {
		if other.set {
			out = append(out, fault{name: "DISCORD_BOT_TOKEN", what: "is missing although " + other.name + " is set"})
		}
	}
	return out
}

// checkScene refuses settings with which a scene would reach real people, or could not be played.
func (s *Settings) checkScene() faults {
	var out faults
	if s.DiscordBotToken.text != "" {
		out = append(out, fault{name: "DISCORD_BOT_TOKEN", what: "is set; a scene would mute real people. Unset it, or leave --scene out"})
	}
	if s.GalactusSecret.text != "" {
		out = append(out, fault{name: "GALACTUS_SECRET", what: "is set; AutoMuteUs, which the scene plays, cannot send it. Unset it, or leave --scene out"})
	}
	return out
}

// need reports the settings that a command cannot do without.
func (s *Settings) need(command string, names ...string) faults {
	var out faults
	for _, name := range names {
		missing := map[string]bool{
			"DISCORD_BOT_TOKEN": s.DiscordBotToken.text == "",
			"REDIS_ADDR":        s.RedisAddr.text == "",
		}[name]
		if missing {
			out = append(out, fault{name: name, what: fmt.Sprintf("is missing; '%s' needs it (only 'up' has a stand-in)", command)})
		}
	}
	return out
}

// asError gives nil for no faults, so that the result can be compared with nil.
func (f faults) asError() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// isConfig tells whether err is about settings or usage, which has an exit code of its own.
func isConfig(err error) bool {
	var f faults
	var usage *usageError
	return errors.As(err, &f) || errors.As(err, &usage)
}

// orUnset prints a value that may be empty.
func orUnset(s string) string { return cmp.Or(s, "(unset)") }
