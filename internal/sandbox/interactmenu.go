package sandbox

import "fmt"

// wireUseMenu is the data of a command in the menu of a person or a message.
type wireUseMenu struct {
	ID       ID              `json:"id"`
	Name     string          `json:"name"`
	Type     int             `json:"type"`
	GuildID  ID              `json:"guild_id,omitzero"`
	TargetID ID              `json:"target_id"`
	Resolved wireResolveMenu `json:"resolved"`
}

// wireResolveMenu has what the menu belongs to: a person with their membership, or a message.
type wireResolveMenu struct {
	Users    map[ID]wireUser          `json:"users,omitempty"`
	Members  map[ID]wireResolveMember `json:"members,omitempty"`
	Messages map[ID]wireMessage       `json:"messages,omitempty"`
}

// useOfMenu checks a command in the menu of the target as the app does before it sends it. A message has to be in the
// channel where the menu is used.
func (d *Discord) useOfMenu(g *guild, m *member, ch *channel, u *use, spec InteractionSpec) (any, error) {
	var r wireResolveMenu
	kind := userCommand
	if message := ch.find(spec.Target); message != nil {
		kind = messageCommand
		r.Messages = map[ID]wireMessage{spec.Target: newWireMessage(message)}
	} else {
		all := newWireResolve()
		d.resolve(g, &all, spec.Target)
		if r.Users, r.Members = all.Users, all.Members; len(r.Users) == 0 {
			return nil, fmt.Errorf("sandbox: %s is no person, and no message of channel %s; nothing was used", spec.Target, ch.id)
		}
	}
	if len(spec.Options) > 0 || spec.Focused != "" {
		return nil, fmt.Errorf("sandbox: %q is in a menu, where commands have no options; nothing was used", spec.Command)
	}
	cmd, err := offered(g, m, ch, u.app, &command{Name: spec.Command, Type: kind})
	if err != nil {
		return nil, err
	}
	u.kind, u.command = useCommand, spec.Command
	return wireUseMenu{ID: cmd.ID, Name: cmd.Name, Type: kind, GuildID: cmd.GuildID, TargetID: spec.Target, Resolved: r}, nil
}
