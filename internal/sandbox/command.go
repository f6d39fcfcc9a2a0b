package sandbox

import (
	"encoding/json"
	"net/http"
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

// commandRoutes are the routes of application commands, global ones and a guild's.
func commandRoutes() []route {
	const app = "/applications/{application_id}"
	read, write := per(10, 10*time.Second), per(5, 20*time.Second)
	var list []route
	for _, base := range []string{app + "/commands", app + "/guilds/{guild_id}/commands"} {
		bucket, one := "commands", base+"/{command_id}"
		if base != app+"/commands" {
			bucket = "guild-commands"
			list = append(list,
				route{method: "GET", pattern: base + "/permissions", bucket: "command-permissions", limit: read, handle: listCommandPermissions},
				route{method: "GET", pattern: one + "/permissions", bucket: "command-permissions", limit: read, handle: getCommandPermissions},
			)
		}
		list = append(list,
			route{method: "GET", pattern: base, bucket: bucket, limit: read, handle: listCommands},
			route{method: "PUT", pattern: base, bucket: bucket + "-put", limit: write, handle: putCommands},
			route{method: "POST", pattern: base, bucket: bucket + "-post", limit: write, handle: postCommand},
			route{method: "GET", pattern: one, bucket: bucket, limit: read, handle: getCommand},
			route{method: "PATCH", pattern: one, bucket: bucket + "-patch", limit: write, handle: patchCommand},
			route{method: "DELETE", pattern: one, bucket: bucket + "-delete", limit: write, handle: deleteCommand},
		)
	}
	return list
}

// ownCommands checks that the path names the caller's application and a guild that it is in, and gives its commands there.
func (c *call) ownCommands() ([]*command, *apiError) {
	if c.app == nil || c.pathID("application_id") != c.me.id {
		return nil, notYourApplication()
	}
	if c.pathText("guild_id") != "" {
		if _, _, err := c.guildFor(); err != nil {
			return nil, err
		}
	}
	return c.app.commandsIn(c.guild), nil
}

func notYourApplication() *apiError {
	return fail(http.StatusForbidden, 20012, "You are not authorized to perform this action on this application")
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

// shown copies commands for an answer. Without the query key of that name, texts in other languages are left out of lists.
func shown(list []*command, localized bool) []command {
	out := make([]command, 0, len(list))
	for _, cmd := range list {
		w := *cmd
		if !localized {
			w.Names, w.Descriptions = nil, nil
		}
		out = append(out, w)
	}
	return out
}

func listCommands(c *call) (any, *apiError) {
	list, err := c.ownCommands()
	if err != nil {
		return nil, err
	}
	localized, err := c.boolQuery("with_localizations")
	if err != nil {
		return nil, err
	}
	return shown(list, localized), nil
}

// commandFor finds the command that a path names.
func (c *call) commandFor() (*command, *apiError) {
	list, err := c.ownCommands()
	if err != nil {
		return nil, err
	}
	for _, cmd := range list {
		if cmd.ID == c.pathID("command_id") {
			return cmd, nil
		}
	}
	return nil, unknownCommand()
}

func getCommand(c *call) (any, *apiError) {
	cmd, err := c.commandFor()
	if err != nil {
		return nil, err
	}
	return *cmd, nil
}

// putCommands replaces all commands there. Those that keep name and type keep their id, and only the others count as
// created.
func putCommands(c *call) (any, *apiError) {
	have, err := c.ownCommands()
	if err != nil {
		return nil, err
	}
	items, err := c.listBody(maxChatCommands + 2*maxMenuCommands)
	if err != nil {
		return nil, err
	}
	next, err := parseCommands(items)
	if err != nil {
		return nil, err
	}
	added := 0
	for _, cmd := range next {
		if same(have, cmd) == nil {
			added++
		}
	}
	if err := c.countCreates(added); err != nil {
		return nil, err
	}
	for _, cmd := range have {
		delete(c.app.commands, cmd.ID)
	}
	for _, cmd := range next {
		c.keepCommand(cmd, same(have, cmd))
	}
	return shown(c.app.commandsIn(c.guild), true), nil
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

func postCommand(c *call) (any, *apiError) {
	have, err := c.ownCommands()
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	cmd, err := parseCommand(keys, command{Type: chatCommand}, true)
	if err != nil {
		return nil, err
	}
	old := same(have, cmd)
	if old == nil {
		if err := roomFor(have, cmd); err != nil {
			return nil, err
		}
		if err := c.countCreates(1); err != nil {
			return nil, err
		}
	}
	c.keepCommand(cmd, old)
	if old != nil {
		return *cmd, nil
	}
	return created(*cmd), nil
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

func patchCommand(c *call) (any, *apiError) {
	old, err := c.commandFor()
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	cmd, err := parseCommand(keys, *old, false)
	if err != nil {
		return nil, err
	}
	if twin := same(c.app.commandsIn(c.guild), cmd); twin != nil && twin != old {
		var bad formErrors
		bad.add("APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique", "name")
		return nil, bad.err()
	}
	c.keepCommand(cmd, old)
	return *cmd, nil
}

func deleteCommand(c *call) (any, *apiError) {
	cmd, err := c.commandFor()
	if err != nil {
		return nil, err
	}
	delete(c.app.commands, cmd.ID)
	return noContent(), nil
}

// listCommandPermissions is empty: who may use a command is changed by people in the app, which the sandbox has not.
func listCommandPermissions(c *call) (any, *apiError) {
	if _, err := c.ownCommands(); err != nil {
		return nil, err
	}
	return []struct{}{}, nil
}

func getCommandPermissions(c *call) (any, *apiError) {
	if _, err := c.commandFor(); err != nil {
		return nil, err
	}
	return nil, fail(http.StatusNotFound, 10066, "Unknown application command permissions")
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
