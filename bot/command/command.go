package command

import (
	"context"
	"strings"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/words"
)

// Command is one slash command, or one subcommand of a root.
//
// Its words stand in the catalogue: cmd.NAME is the description, opt.NAME.OPTION that of
// an option and choice.VALUE that of a choice, with dots for the spaces of NAME. A root
// with subcommands has its description under cmd.ROOT.
type Command struct {
	Name string // "ping", or "limits add"
	// Menu puts it into the menu of a person or a message instead, under the words
	// menu.NAME; Name is what /access and our logs call it. It has no options.
	Menu    Menu
	Group   string // of /help: group.GROUP in the catalogue
	Options []Option
	// Default is what Discord lets see the root before a guild's own settings; of several
	// subcommands the common bits count. 0 means everybody.
	Default int64
	Access  []access.Check // empty: the owner alone, until the guild allows others
	// Public shows the answer to everybody; it cannot be chosen later. What concerns
	// nobody else stays with who asked.
	Public bool
	// Bootstrap puts it into the minimal set of a first run.
	Bootstrap bool

	Handle func(context.Context, *Use) error
	// Form gives a form to fill in before the command runs; nil: with these options there is
	// none, and Handle runs. Submitted runs with what was typed, and has the options too. Form
	// must answer within a second.
	Form      func(context.Context, *Use) (*Form, error)
	Submitted func(ctx context.Context, u *Use, typed map[string]string) error
	// Complete offers values for the option that is being typed; at most 25 are shown. What
	// comes in the end can be anything, so Handle checks it.
	Complete func(ctx context.Context, u *Use, option, typed string) ([]Choice, error)
	// Components handle the buttons that Use.Button made, by name. Names are of the whole
	// bot: begin them with the command's.
	Components map[string]Component
	// Confirmed carries out what Use.Confirm asked for, once. ConfirmForm can give a form that
	// is filled in before, such as for a password, which no record of ours may hold; what was
	// typed is in Use.Typed then.
	Confirmed   func(ctx context.Context, u *Use, args map[string]string) error
	ConfirmForm func(ctx context.Context, u *Use, args map[string]string) (*Form, error)
}

// Menu is where a command stands that is no slash command.
type Menu int

// The menus; the zero Menu is none.
const (
	OfPerson  Menu = iota + 1 // Use.Person("user") is whose it is
	OfMessage                 // Use.Marked is whose it is
)

func (m Menu) discord() discordgo.ApplicationCommandType {
	return [...]discordgo.ApplicationCommandType{discordgo.ChatApplicationCommand, discordgo.UserApplicationCommand, discordgo.MessageApplicationCommand}[m]
}

// Component handles a button. Who presses must be allowed to run the command, and be who
// ran it unless it is Shared.
type Component struct {
	Shared bool
	Handle func(ctx context.Context, u *Use, state string) error
	// Form can give a form that is filled in before Handle runs, which finds in Use.Typed what
	// was typed. It must answer within a second.
	Form func(ctx context.Context, u *Use, state string) (*Form, error)
}

// Choice is a value that autocomplete offers.
type Choice struct{ Label, Value string }

// Kind is the type of an option.
type Kind int

// The kinds of options.
const (
	Text Kind = iota
	Number
	Truth
	Person
	Role
	Channel
	Attachment // a file that is uploaded with the command
)

// Option is a parameter of a command.
type Option struct {
	Name         string
	Kind         Kind
	Required     bool
	Choices      []string // of Text: the only values; choice.VALUE is what people see
	Complete     bool     // of Text: Command.Complete offers values
	Min, Max     int      // of a Number, or of a Text's length; both 0: no bounds
	ChannelTypes []discordgo.ChannelType
}

func (k Kind) discord() discordgo.ApplicationCommandOptionType {
	return [...]discordgo.ApplicationCommandOptionType{
		Text: discordgo.ApplicationCommandOptionString, Number: discordgo.ApplicationCommandOptionInteger,
		Truth: discordgo.ApplicationCommandOptionBoolean, Person: discordgo.ApplicationCommandOptionUser,
		Role: discordgo.ApplicationCommandOptionRole, Channel: discordgo.ApplicationCommandOptionChannel,
		Attachment: discordgo.ApplicationCommandOptionAttachment,
	}[k]
}

// key is a name in the catalogue.
func key(parts ...string) string {
	return strings.ReplaceAll(strings.Join(parts, "."), " ", ".")
}

// Root is the first word of a command's name.
func (c Command) Root() string {
	root, _, _ := strings.Cut(c.Name, " ")
	return root
}

// Shown is what people know the command as.
func (c Command) Shown(w words.Language) string {
	if c.Menu != 0 {
		return w.T(key("menu", c.Name))
	}
	return "/" + c.Name
}

// Refusal is an error that is the user's to know: a sentence of the catalogue. It says
// what did not happen and what to do.
type Refusal struct {
	Key    string
	Values []any // pairs for words.Language.T
}

// Error implements error.
func (r *Refusal) Error() string { return "refused: " + r.Key }

// Refuse makes a Refusal.
func Refuse(key string, values ...any) error { return &Refusal{key, values} }
