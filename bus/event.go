package bus

import "time"

// MuteApplied reports one member's voice state that Discord confirmed; published as
// event.mute.applied.<guild>.
type MuteApplied struct {
	V     int        `json:"v"`
	Guild GuildID    `json:"guild,string"`
	User  UserID     `json:"user,string"`
	State VoiceState `json:"state"`
	Lane  string     `json:"lane"`
	Took  int64      `json:"took_ms"` // from the wish to Discord's confirmation
	At    time.Time  `json:"at"`
}

// MuteFailed reports a wish that no lane could fulfil; published as
// event.mute.failed.<guild>.
type MuteFailed struct {
	V      int        `json:"v"`
	Guild  GuildID    `json:"guild,string"`
	User   UserID     `json:"user,string"`
	State  VoiceState `json:"state"`
	Code   int        `json:"code,omitempty"` // Discord's JSON error code
	Reason string     `json:"reason"`
	At     time.Time  `json:"at"`
}

// Parked is what PARKED keeps of a message that no handler could take.
type Parked struct {
	V        int       `json:"v"`
	Stream   string    `json:"stream"`
	Durable  string    `json:"durable"`
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"sequence"`
	Tries    uint64    `json:"tries"`
	Code     Code      `json:"code"`
	Reason   string    `json:"reason"`
	Message  string    `json:"message"`
	At       time.Time `json:"at"`
	Data     []byte    `json:"data"` // the payload as it was
}

// Command asks a component to do something and is its own action log; published as
// command.<component>.<verb>.
type Command struct {
	V         int       `json:"v"`
	ID        string    `json:"id"`
	Component string    `json:"component"`
	Verb      string    `json:"verb"`
	Actor     string    `json:"actor"`  // who asked
	Reason    string    `json:"reason"` // why, in the asker's words
	Outcome   string    `json:"outcome"`
	At        time.Time `json:"at"`
}

// Status is what every component answers on ctl.<component>.status.
type Status struct {
	V         int       `json:"v"`
	Component string    `json:"component"`
	Instance  string    `json:"instance"`
	Version   string    `json:"version"`
	Since     time.Time `json:"since"`
	Ready     bool      `json:"ready"`
	Details   any       `json:"details,omitempty"` // the component's own figures
}
