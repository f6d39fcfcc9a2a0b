package bus

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"
)

// Raid is that a join raid began in a guild, or is over; published as event.raid.<guild>.
type Raid struct {
	V      int       `json:"v"`
	Guild  GuildID   `json:"guild,string"`
	Began  time.Time `json:"began"`
	Joins  int       `json:"joins"` // so far
	Usual  float64   `json:"usual"` // joins per minute
	Over   bool      `json:"over,omitempty"`
	Until  time.Time `json:"until,omitzero"` // invites are off until then; zero: they are not, by us
	Result string    `json:"result"`         // as of a LimitHit; of switching invites off, or on again
	At     time.Time `json:"at"`
}

// Silent is that channels or roles disappeared without a word in the audit log; published
// as event.silent.<guild>.
type Silent struct {
	V     int       `json:"v"`
	Guild GuildID   `json:"guild,string"`
	Count int       `json:"count"`
	At    time.Time `json:"at"`
}

// RaidSubject reports raids: event.raid.<guild>.
func RaidSubject(g GuildID) Subject[Raid] { return Subject[Raid]{join(rootEvent, "raid", g.String())} }

// SilentSubject reports destruction without a name: event.silent.<guild>.
func SilentSubject(g GuildID) Subject[Silent] {
	return Subject[Silent]{join(rootEvent, "silent", g.String())}
}

// RaidsIn takes the raids of one guild.
func RaidsIn(g GuildID) Filter[Raid] { return filterOf[Raid](streamEvents, RaidSubject(g).name) }

// AllAlarms takes everything about which a guild's people are told: met limits, raids, and
// destruction without a name.
func AllAlarms() Filter[Alarm] {
	return filterOf[Alarm](streamEvents, AllLimitHits().patterns[0], join(rootEvent, "raid", "*"), join(rootEvent, "silent", "*"))
}

// Alarm is one of the events of AllAlarms: exactly one of its fields is set.
type Alarm struct {
	Hit    *LimitHit
	Raid   *Raid
	Silent *Silent
}

// Guild is whom the alarm concerns.
func (a Alarm) Guild() GuildID {
	switch {
	case a.Hit != nil:
		return a.Hit.Guild
	case a.Raid != nil:
		return a.Raid.Guild
	case a.Silent != nil:
		return a.Silent.Guild
	}
	return 0
}

// unpack reads what the subject says it is.
func (a *Alarm) unpack(subject string, _ nats.Header, data []byte) error {
	*a = Alarm{}
	if t, err := split(subject, 4, rootEvent, "limit", "hit"); err == nil {
		a.Hit = &LimitHit{}
		return a.read(t[3], data, a.Hit, &a.Hit.Guild)
	}
	t, err := split(subject, 3, rootEvent)
	switch {
	case err == nil && t[1] == "raid":
		a.Raid = &Raid{}
		return a.read(t[2], data, a.Raid, &a.Raid.Guild)
	case err == nil && t[1] == "silent":
		a.Silent = &Silent{}
		return a.read(t[2], data, a.Silent, &a.Silent.Guild)
	}
	return Errorf(CodeInvalid, "bad_subject", "%q is no alarm", subject)
}

// read decodes a payload, which must be of the guild in the subject.
func (a *Alarm) read(guild string, data []byte, into any, is *GuildID) error {
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	if g, err := ParseGuildID(guild); err != nil || g != *is {
		return Errorf(CodeInvalid, "bad_payload", "an alarm under guild %s is of guild %s", guild, *is)
	}
	return nil
}

// pack is the inverse of unpack.
func (a Alarm) pack() ([]byte, nats.Header) {
	var v any
	switch {
	case a.Hit != nil:
		v = a.Hit
	case a.Raid != nil:
		v = a.Raid
	default:
		v = a.Silent
	}
	data, _ := json.Marshal(v) // plain values always encode
	return data, nil
}

// AlarmLease is the right to tell guilds of alarms; one process at a time does.
func AlarmLease() LeaseKey { return LeaseKey{join(leaseBot, "alarms")} }
