package bus

import "time"

// JobCard is a message in Discord that shows a job until it has ended; in GUARD under
// card.<guild>.<job>.
type JobCard struct {
	V       int       `json:"v"`
	Guild   GuildID   `json:"guild,string"`
	Job     string    `json:"job"`
	Channel string    `json:"channel"`
	Message string    `json:"message,omitempty"` // empty: it has to be written first
	By      UserID    `json:"by,string"`         // who is told of the end; 0: nobody
	Locale  string    `json:"locale"`            // Discord's name of the language that it is in
	At      time.Time `json:"at"`                // when the message was written
}

// JobCards holds the cards that are not finished, under JobKey.
func JobCards() Kept[JobCard] { return Kept[JobCard]{bucket: bucketGuard, prefix: "card."} }

// JobCardLease is the right to keep the cards of all guilds up to date.
func JobCardLease() LeaseKey { return LeaseKey{join(leaseBot, "cards")} }
