package plan

import (
	"strings"
	"unicode/utf8"
)

// line says a step in words.
func line(s Step) string {
	what := label(s.Kind, s.Name)
	switch {
	case s.Op == Cannot:
		return what + ": " + s.Why
	case s.Kind == RoleOrder, s.Kind == ChannelOrder:
		return "Put " + what + " in order"
	case s.Kind == Ban:
		return "Ban " + s.Name
	case s.Kind == Messages:
		return "Write the " + s.Name
	case s.Op == Create:
		return "Create " + what + less(s)
	case s.Op == Delete && s.Kind == Channel:
		return "Delete " + what + " with all that is in it"
	case s.Op == Delete:
		return "Delete " + what
	}
	return "Change " + what + ": " + strings.Join(changed(s.Fields), ", ") + less(s)
}

func less(s Step) string {
	if len(s.Less) == 0 {
		return ""
	}
	return " (" + join(s.Less) + ")"
}

func join(list []string) string { return strings.Join(list, "; ") }

// label names a thing.
func label(k Kind, name string) string {
	name = Short(name)
	switch k {
	case Settings:
		return "the server's settings"
	case Role:
		return "the role " + name
	case Channel:
		return "the channel " + name
	case AutoMod:
		return "the AutoMod rule " + name
	case Welcome:
		return "the welcome screen"
	case Onboarding:
		return "the onboarding"
	case RoleOrder:
		return "the roles"
	case ChannelOrder:
		return "the channels"
	case Member:
		return "the member " + name
	case Ban:
		return "the bans of " + name
	case Messages:
		return "the messages " + name
	}
	return "the " + string(k) + " " + name
}

// Short cuts a name to what fits into a line.
func Short(name string) string {
	const most = 60
	name = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if utf8.RuneCountInString(name) > most {
		return string([]rune(name)[:most-1]) + "…"
	}
	return name
}
