package bus

import "time"

// Punishment is something that ends by itself: at Until a ban is lifted; in GUARD under temporary.<guild>.<user>. This
// record is the truth: a job that finds none, or one of another Op, lifts nothing.
type Punishment struct {
	V      int       `json:"v"`
	Guild  GuildID   `json:"guild,string"`
	User   UserID    `json:"user,string"`
	By     UserID    `json:"by,string"`
	Reason string    `json:"reason,omitempty"`
	Op     string    `json:"op"` // of the command that punished
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
	Job    string    `json:"job,omitempty"` // which ends it; empty: none was submitted yet
}

// PunishmentArgs are the arguments of JobPunishmentEnd.
type PunishmentArgs struct {
	User UserID `json:"user,string"`
	Op   string `json:"op"` // of the Punishment that is meant
}

// PunishmentDone is the outcome of JobPunishmentEnd.
type PunishmentDone struct {
	Result string `json:"result"` // one of the words below
}

// What came of the end of a punishment.
const (
	PunishmentLifted  = "lifted"
	PunishmentNoBan   = "no_ban"  // there was none any more
	PunishmentDropped = "dropped" // its record is gone or is of another punishment; nothing was lifted
)

// Punishments holds what ends by itself, under PunishmentKey.
func Punishments() Kept[Punishment] {
	return Kept[Punishment]{bucket: bucketGuard, prefix: "temporary."}
}

// PunishmentKey names the punishment of a user.
func PunishmentKey(g GuildID, u UserID) string { return join(g.String(), u.String()) }
