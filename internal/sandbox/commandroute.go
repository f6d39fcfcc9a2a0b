package sandbox

import (
	"net/http"
	"time"
)

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
