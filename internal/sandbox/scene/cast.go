package scene

import (
	"fmt"

	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// crew are the players that there can be, in the order in which they join. Their place is their colour on the wire.
var crew = []string{"Ana", "Bo", "Chloé", "Dmitri", "Eve", "Femi", "Gus", "Hana", "Ivo", "Jun", "Kim", "Lea", "Max", "Nia", "Oz"}

// castPlayer is somebody who plays: a member of the guild and a figure in the game.
type castPlayer struct {
	user  sandbox.ID
	name  string
	color int
}

type cast struct {
	guild, channel sandbox.ID
	players        []castPlayer
	captureBot     *CaptureBot
}

// newCast makes guild, roles, channel and members, and puts the players into voice.
func newCast(cfg Config) (cast, error) {
	d := cfg.Discord
	owner, err := d.AddUser("Host")
	if err != nil {
		return cast{}, err
	}
	var c cast
	if c.guild, err = d.AddGuild("The Skeld", owner); err != nil {
		return cast{}, err
	}
	moderator, err := d.AddRole(c.guild, "muter", sandbox.VoiceModerator)
	if err != nil {
		return cast{}, err
	}
	if c.channel, err = d.AddChannel(c.guild, "Cafeteria", sandbox.VoiceChannel); err != nil {
		return cast{}, err
	}
	bots := cfg.Bots
	if cfg.CaptureBot {
		bot, err := d.AddApplication(sandbox.ApplicationSpec{Name: "capture"})
		if err != nil {
			return cast{}, err
		}
		bots = append(bots[:len(bots):len(bots)], bot)
		c.captureBot = &CaptureBot{ID: uint64(bot.ID), Token: secret.New(bot.Token), API: d.URL}
	}
	for i, name := range crew[:cfg.Players] {
		p := castPlayer{name: name, color: i}
		if p.user, err = d.AddUser(name); err != nil {
			return cast{}, err
		}
		if err := d.AddMember(c.guild, p.user); err != nil {
			return cast{}, err
		}
		if err := d.JoinVoice(c.guild, p.user, c.channel); err != nil {
			return cast{}, fmt.Errorf("%s: %w", name, err)
		}
		c.players = append(c.players, p)
	}
	// Bots come last, into a server with people in it, as they do in life: ten members who join at once are a raid to them.
	for _, b := range bots {
		if err := d.AddMember(c.guild, b.ID, moderator); err != nil {
			return cast{}, err
		}
	}
	return c, nil
}

// links say who of the guild is who in the game; a real guild does this by reacting to a message.
func (c cast) links() []Link {
	links := make([]Link, 0, len(c.players))
	for _, p := range c.players {
		links = append(links, Link{Name: p.name, User: p.user})
	}
	return links
}
