package protect

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"time"

	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/pause"
)

// Teller tells people in the alert channels of guilds: what stands on EVENTS about them,
// each once. One process at a time tells, from where the last one came; a guild whose
// channel cannot be reached for now waits, and the others do not wait for it.
type Teller struct {
	cfg TellerConfig
	b   *bus.Bus
	log *slog.Logger
}

// TellerConfig is what a teller needs.
type TellerConfig struct {
	Bot      *discord.Bot
	Words    *words.Catalogue
	Policy   func(bus.GuildID) Policy // gives the alert channel and language of a guild, as they are now
	Instance string
}

// Bounds of telling.
const (
	tellWithin = 20 * time.Second
	tellers    = 8              // guilds that are told at a time
	tellFor    = 24 * time.Hour // an alarm that could not be told for so long is only in /limits hits
	tellerTTL  = 4 * time.Second
)

// NewTeller makes a teller. It does no I/O.
func NewTeller(cfg TellerConfig, b *bus.Bus, log *slog.Logger) *Teller {
	return &Teller{cfg: cfg, b: b, log: log}
}

// Run tells until ctx ends. What waits then is told by whoever comes next.
func (t *Teller) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, t.b, bus.AlarmLease(), tellerTTL, t.cfg.Instance)
		if err != nil {
			return nil // only ctx ends the wait
		}
		held, cancel := lease.Context(ctx)
		err = bus.FollowKept(held, t.b, bus.Durable{Name: "bot-alarms", Workers: tellers}, bus.AllAlarms(),
			func(d bus.Delivery[bus.Alarm]) string { return d.Value.Guild().String() }, t.tell)
		cancel()
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			t.log.Debug("a lease was not released; it ends by itself", "err", err)
		}
		if err != nil && ctx.Err() == nil {
			t.log.Error("alarms cannot be read; trying again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
	return nil
}

// tell tells of one alarm. The nonce keeps a repetition from being a second message.
// Errors: CodeUnavailable when Discord cannot be reached, so that it is tried again.
func (t *Teller) tell(ctx context.Context, d bus.Delivery[bus.Alarm]) error {
	guild := d.Value.Guild()
	p := t.cfg.Policy(guild)
	if p.AlertChannel == "" {
		return nil
	}
	if age := time.Since(d.Time); age > tellFor {
		t.log.Error("an alarm was not told: it is too old by now", "guild", guild, "age", age.Round(time.Minute))
		return nil
	}
	call, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	language := p.Language
	if language == "" {
		g, err := t.cfg.Bot.Guild(call, guild.String())
		if err != nil {
			return t.failed(ctx, guild, p, err)
		}
		language = g.PreferredLocale
	}
	c := alarmCard(t.cfg.Words.In(language), d.Value)
	_, err := t.cfg.Bot.SendMessage(call, p.AlertChannel, c.Message(), nonceOf(d.Value))
	return t.failed(ctx, guild, p, err)
}

// failed says whether telling is to be tried again: not when Discord refused it.
func (t *Teller) failed(ctx context.Context, g bus.GuildID, p Policy, err error) error {
	_, refused := discord.Refusal(err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case refused:
		t.log.Error("an alarm could not be told in the guild's alert channel; see /protect check", "guild", g, "channel", p.AlertChannel, "err", err)
		return nil
	}
	t.log.Warn("an alarm cannot be told yet; trying again", "guild", g, "channel", p.AlertChannel, "err", err)
	return bus.Errorf(bus.CodeUnavailable, "not_told", "an alarm cannot be told yet: %w", err)
}

// nonceOf shortens what names an alarm to what Discord takes.
func nonceOf(a bus.Alarm) string {
	h := fnv.New64a()
	switch {
	case a.Hit != nil:
		fmt.Fprint(h, "hit ", a.Hit.ID())
	case a.Raid != nil:
		fmt.Fprint(h, "raid ", a.Raid.Guild, a.Raid.Began.UnixMilli(), a.Raid.Over)
	case a.Silent != nil:
		fmt.Fprint(h, "silent ", a.Silent.Guild, a.Silent.At.UnixMilli())
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// Raid puts a raid on EVENTS, from where people are told. It fits Config.RaidAlert. What
// is there already, since a process before this one put it there, is not put there again.
func (t *Teller) Raid(ctx context.Context, _ Policy, n RaidNews) {
	told := false
	err := bus.Latest(ctx, t.b, bus.RaidsIn(n.Guild), func(d bus.Delivery[bus.Raid]) error {
		told = d.Value.Began.Equal(n.Began) && d.Value.Over == n.Over
		return nil
	})
	if err != nil {
		t.log.Warn("whether a raid was told before cannot be looked up; it is told", "guild", n.Guild, "err", err)
	}
	if told {
		return
	}
	r := bus.Raid{V: 1, Guild: n.Guild, Began: n.Began, Joins: n.Joins, Usual: n.Usual, Over: n.Over, Until: n.Until, Result: n.Result, At: time.Now().UTC()}
	if _, err := bus.Publish(ctx, t.b, bus.RaidSubject(n.Guild), r, bus.WithID("raid-"+nonceOf(bus.Alarm{Raid: &r}))); err != nil {
		t.log.Error("a raid could not be kept; people are not told", "guild", n.Guild, "err", err)
	}
}

// Silent puts destruction without a name on EVENTS. It fits Config.SilentAlert.
func (t *Teller) Silent(ctx context.Context, _ Policy, n SilentNews) {
	s := bus.Silent{V: 1, Guild: n.Guild, Count: n.Count, At: n.At.UTC()}
	if _, err := bus.Publish(ctx, t.b, bus.SilentSubject(n.Guild), s, bus.WithID("silent-"+nonceOf(bus.Alarm{Silent: &s}))); err != nil {
		t.log.Error("destruction without a name could not be kept; people are not told", "guild", n.Guild, "err", err)
	}
}
