package scene

import "time"

// Phase is the state of the game with its number on the wire.
type Phase int

// The phases. Ended came with capture 2.8.2; AutoMuteUs treats it like the lobby.
const (
	Lobby      Phase = 0
	Tasks      Phase = 1
	Discussion Phase = 2
	Menu       Phase = 3
	Ended      Phase = 4
)

// String gives the name that Among Us capture uses.
func (p Phase) String() string {
	switch p {
	case Lobby:
		return "LOBBY"
	case Tasks:
		return "TASKS"
	case Discussion:
		return "DISCUSSION"
	case Menu:
		return "MENU"
	case Ended:
		return "ENDED"
	}
	return "UNKNOWN"
}

// voice is what a player may do.
type voice struct{ mute, deaf bool }

// defaultRules are AutoMuteUs' rules where a guild has not set its own: during tasks the living hear and say nothing and the
// dead talk, in a discussion the dead only listen, else everybody is free.
func defaultRules(p Phase, alive bool) voice {
	switch {
	case p == Tasks && alive:
		return voice{mute: true, deaf: true}
	case p == Discussion && !alive:
		return voice{mute: true}
	}
	return voice{}
}

// defaultDelay is how long AutoMuteUs waits before it changes voices, so that players see the animation first.
func defaultDelay(from, to Phase) time.Duration {
	switch from, to = likeLobby(from), likeLobby(to); {
	case from == Lobby && to == Tasks, from == Discussion && to == Tasks:
		return 7 * time.Second
	case from == Discussion && to == Lobby:
		return 6 * time.Second
	case from == Tasks && to == Lobby:
		return time.Second
	}
	return 0
}

func likeLobby(p Phase) Phase {
	if p == Ended {
		return Lobby
	}
	return p
}

// first says whether players with this fate are changed before the others: the living when tasks begin again, the dead when
// a discussion begins. Both keep secrets from getting out in the moment between.
func first(from, to Phase, alive bool) bool {
	switch {
	case to == Discussion:
		return !alive
	case from == Discussion && to == Tasks:
		return alive
	}
	return true
}
