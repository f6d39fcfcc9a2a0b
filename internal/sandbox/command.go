package sandbox

import (
	"encoding/json"
	"slices"
	"time"
)

// Command types, with Discord's numbers, and how many of each there may be per application and guild (or globally).
const (
	chatCommand     = 1
	userCommand     = 2
	messageCommand  = 3
	maxChatCommands = 100
	maxMenuCommands = 15

	// maxCommandCreates is per application and guild and day; a command that replaces one of its name is no creation.
	maxCommandCreates = 200
)

// command is one application command. Guild zero means that it is global.
type command struct {
	ID            ID                `json:"id"`
	ApplicationID ID                `json:"application_id"`
	Version       ID                `json:"version"`
	Permissions   *Permissions      `json:"default_member_permissions"`
	Type          int               `json:"type"`
	Name          string            `json:"name"`
	Names         map[string]string `json:"name_localizations"`
	Description   string            `json:"description"`
	Descriptions  map[string]string `json:"description_localizations"`
	GuildID       ID                `json:"guild_id,omitzero"`
	DM            *bool             `json:"dm_permission,omitempty"`
	Contexts      []int             `json:"contexts"`
	Integrations  []int             `json:"integration_types"`
	Options       []commandOption   `json:"options,omitempty"`
	NSFW          bool              `json:"nsfw"`
}

// commandOption is a parameter, a subcommand or a group of those.
type commandOption struct {
	Type         int               `json:"type"`
	Name         string            `json:"name"`
	Names        map[string]string `json:"name_localizations,omitempty"`
	Description  string            `json:"description"`
	Descriptions map[string]string `json:"description_localizations,omitempty"`
	Required     bool              `json:"required,omitempty"`
	Choices      []commandChoice   `json:"choices,omitempty"`
	Options      []commandOption   `json:"options,omitempty"`
	ChannelTypes []int             `json:"channel_types,omitempty"`
	MinValue     *float64          `json:"min_value,omitempty"`
	MaxValue     *float64          `json:"max_value,omitempty"`
	MinLength    *int              `json:"min_length,omitempty"`
	MaxLength    *int              `json:"max_length,omitempty"`
	Autocomplete bool              `json:"autocomplete,omitempty"`
}

type commandChoice struct {
	Name  string            `json:"name"`
	Names map[string]string `json:"name_localizations,omitempty"`
	Value json.RawMessage   `json:"value"`
}

// creates counts new commands of one day.
type creates struct {
	since time.Time
	n     int
}

// commandsIn lists the commands of one guild or, with zero, the global ones, by id.
func (a *application) commandsIn(guild ID) []*command {
	var list []*command
	for _, id := range sortedIDs(a.commands) {
		if a.commands[id].GuildID == guild {
			list = append(list, a.commands[id])
		}
	}
	return list
}

// same finds the command with the name and type of another.
func same(list []*command, cmd *command) *command {
	for _, one := range list {
		if one.Name == cmd.Name && one.Type == cmd.Type {
			return one
		}
	}
	return nil
}

// keepCommand stores a command in the place of an old one, or as a new one for nil.
func (c *call) keepCommand(cmd, old *command) {
	cmd.ApplicationID, cmd.GuildID, cmd.Version = c.me.id, c.guild, c.d.newID()
	if cmd.ID = cmd.Version; old != nil {
		cmd.ID = old.ID
	}
	c.app.commands[cmd.ID] = cmd
}

func (c *call) countCreates(n int) *apiError {
	if n == 0 {
		return nil
	}
	day := c.app.creates[c.guild]
	if c.now.Sub(day.since) >= 24*time.Hour {
		day = creates{since: c.now}
	}
	if day.n+n > maxCommandCreates {
		return commandCreates()
	}
	day.n += n
	c.app.creates[c.guild] = day
	return nil
}

// roomFor checks the number of commands of one type.
func roomFor(have []*command, cmd *command) *apiError {
	most := maxMenuCommands
	if cmd.Type == chatCommand {
		most = maxChatCommands
	}
	n := 0
	for _, one := range have {
		if one.Type == cmd.Type {
			n++
		}
	}
	if n >= most {
		return maximum(30032, "application commands", most)
	}
	return nil
}

// Commands copies the commands that a bot registered for a guild or, with zero, globally: their names, sorted.
func (d *Discord) Commands(app, guild ID) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.apps[app]
	if a == nil {
		return nil
	}
	var names []string
	for _, cmd := range a.commandsIn(guild) {
		names = append(names, cmd.Name)
	}
	slices.Sort(names)
	return names
}
