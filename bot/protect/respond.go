package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/guilds"
)

// respondWithin bounds a response; Discord takes a fraction of a second for it.
const respondWithin = 20 * time.Second

// scene is what has to be known before anybody is touched.
type scene struct {
	guild     *discordgo.Guild
	me, actor *discordgo.Member // actor is nil when they have left
}

// judgement is what is to be done about a hit.
type judgement int

const (
	trusted judgement = iota // nothing: it is the owner's, or of somebody exempt
	tooHigh                  // nothing can be done: the actor stands above the bot
	act
)

// respond does to the actor what the limit says. It gives "ok" or "failed: " and why, and
// whether the hit counts at all: that of an owner or of somebody trusted does not.
//
// What the gateway has shown saves the round trip of asking first. It may only lead to
// acting: before an actor is let be, Discord is asked, and when Discord refuses what was
// right by what we knew, it is asked too. So an old view costs a refused request at most.
func (e *Engine) respond(ctx context.Context, p Policy, h bus.LimitHit, after guilds.Mark) (result string, counts bool) {
	ctx, cancel := context.WithTimeout(ctx, respondWithin)
	defer cancel()
	if s, known := e.recall(ctx, h, after); known && judge(p, h, s) == act {
		err := e.act(ctx, p, h, s)
		if err == nil {
			return resultSuccess, true
		}
		if _, refused := discord.Refusal(err); !refused {
			return failed(err), true
		}
		e.log.Info("Discord refused a response to what the gateway has shown; it is asked how things are", "guild", h.Guild, "actor", h.Actor, "err", err)
	}
	s, err := e.ask(ctx, h)
	if err != nil {
		return failed(err), true
	}
	switch judge(p, h, s) {
	case trusted:
		return "", false
	case tooHigh:
		return failedPrefix + roleTooLow, true
	}
	if err := e.act(ctx, p, h, s); err != nil {
		return failed(err), true
	}
	return resultSuccess, true
}

func judge(p Policy, h bus.LimitHit, s scene) judgement {
	var roles []string
	if s.actor != nil {
		roles = s.actor.Roles
	}
	switch {
	case s.guild.OwnerID == id(h.Actor), p.Exempt != nil && p.Exempt(h.Actor, roles, h.Kind, h.At):
		return trusted
	case h.Respond != bus.RespondAlert && s.actor != nil && !discord.CanAct(s.guild, s.me, s.actor):
		return tooHigh
	}
	return act
}

func failed(err error) string {
	if discord.HasCode(err, discord.CodeMissingPermissions) {
		return failedPrefix + lacksForIt
	}
	return failedPrefix + err.Error()
}

// ask asks Discord for guild, actor and ourselves at once: each takes a round trip, and
// what was known before may be what the actor has just changed.
func (e *Engine) ask(ctx context.Context, h bus.LimitHit) (s scene, err error) {
	guild := h.Guild.String()
	var wg sync.WaitGroup
	var guildErr, meErr, actorErr error
	wg.Go(func() { s.guild, guildErr = e.cfg.Bot.Guild(ctx, guild) })
	wg.Go(func() { s.me, meErr = e.cfg.Bot.Member(ctx, guild, id(e.cfg.Self())) })
	wg.Go(func() { s.actor, actorErr = e.cfg.Bot.Member(ctx, guild, id(h.Actor)) })
	wg.Wait()
	if discord.HasCode(actorErr, discord.CodeUnknownMember, discord.CodeUnknownUser) {
		s.actor, actorErr = nil, nil
	}
	return s, errors.Join(guildErr, meErr, actorErr)
}

// act changes the actor.
func (e *Engine) act(ctx context.Context, p Policy, h bus.LimitHit, s scene) error {
	guild, actor, reason := h.Guild.String(), id(h.Actor), reasonOf(h)
	switch h.Respond {
	case bus.RespondAlert:
		return nil
	case bus.RespondBan:
		return e.cfg.Bot.Ban(ctx, guild, actor, 0, reason)
	}
	if s.actor == nil {
		return nil // gone by themselves; a ban would still count, anything else has no object
	}
	switch h.Respond {
	case bus.RespondStripRoles:
		return e.setRoles(ctx, h, s, managedRoles(s))
	case bus.RespondQuarantine:
		if p.Quarantine == "" {
			return e.setRoles(ctx, h, s, managedRoles(s))
		}
		return e.setRoles(ctx, h, s, append(managedRoles(s), p.Quarantine))
	case bus.RespondKick:
		return e.cfg.Bot.Kick(ctx, guild, actor, reason)
	case bus.RespondTimeout:
		return e.cfg.Bot.Timeout(ctx, guild, actor, time.Now().Add(h.Timeout.Duration()), reason)
	}
	return fmt.Errorf("%q is no response", h.Respond)
}

// setRoles leaves an actor these roles. A bot keeps its permissions in its managed role,
// which nobody can take: it is kicked.
func (e *Engine) setRoles(ctx context.Context, h bus.LimitHit, s scene, roles []string) error {
	if s.actor.User != nil && s.actor.User.Bot {
		return e.cfg.Bot.Kick(ctx, h.Guild.String(), id(h.Actor), reasonOf(h))
	}
	return e.cfg.Bot.SetRoles(ctx, h.Guild.String(), id(h.Actor), roles, reasonOf(h))
}

// managedRoles are the actor's roles that Discord itself gives and that nobody can take.
func managedRoles(s scene) []string {
	keep := []string{}
	for _, r := range s.guild.Roles {
		if r.Managed && slices.Contains(s.actor.Roles, r.ID) {
			keep = append(keep, r.ID)
		}
	}
	return keep
}

// reasonOf is what the guild's audit log says.
func reasonOf(h bus.LimitHit) string {
	return fmt.Sprintf("[limits] %s: %d %s in %s · op=%s", h.Name, h.Count, h.Kind, h.Window.Duration(), h.ID())
}

func id(u bus.UserID) string { return strconv.FormatUint(uint64(u), 10) }
