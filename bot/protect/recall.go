package protect

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/guilds"
)

// recallWithin bounds the reading of what the gateway has shown; asking Discord takes
// about as long.
const recallWithin = 300 * time.Millisecond

// recall gives the scene as the gateway has shown it, the event that completed the hit
// included. known is false without such an event, and when somebody of the scene is not
// kept: of large guilds not everybody is.
func (e *Engine) recall(ctx context.Context, h bus.LimitHit, after guilds.Mark) (s scene, known bool) {
	if e.cfg.Stored == nil || after.Place == 0 {
		return s, false
	}
	ctx, cancel := context.WithTimeout(ctx, recallWithin)
	defer cancel()
	view, err := e.cfg.Stored(ctx, h.Guild, after)
	if err == nil {
		s, known, err = sceneOf(view, e.cfg.Self(), h.Actor)
	}
	if err != nil {
		e.log.Debug("what the gateway has shown of a guild cannot be used; Discord is asked", "guild", h.Guild, "err", err)
	}
	return s, known && err == nil
}

// sceneOf reads a scene out of a view; known is false when it lacks a member.
func sceneOf(view guilds.View, self, actor bus.UserID) (s scene, known bool, err error) {
	var g struct {
		ID    string            `json:"id"`
		Owner string            `json:"owner_id"`
		Roles []*discordgo.Role `json:"roles"`
	}
	if err := json.Unmarshal(view.JSON("channels", "threads", "members", "voice_states", "emojis", "stickers"), &g); err != nil {
		return s, false, err
	}
	s.guild = &discordgo.Guild{ID: g.ID, OwnerID: g.Owner, Roles: g.Roles}
	for user, into := range map[bus.UserID]**discordgo.Member{self: &s.me, actor: &s.actor} {
		raw, kept := view.Member(user)
		if !kept {
			return s, false, nil
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return s, false, err
		}
		if (*into).User == nil {
			return s, false, nil
		}
	}
	return s, g.ID != "" && g.Owner != "", nil
}
