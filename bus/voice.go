package bus

import "time"

// VoiceRecord is what is wished and what is known to be applied for one member, in
// the bucket VOICE under VoiceKey. The newest wish wins, and newest means the
// record's revision, so no clock decides.
type VoiceRecord struct {
	V       int           `json:"v"`
	Wish    VoiceWish     `json:"wish"`
	Applied *VoiceApplied `json:"applied,omitempty"` // the last call that Discord confirmed, of this wish or an earlier one
	Failed  *VoiceFailed  `json:"failed,omitempty"`  // set when the wish was given up or waits for the member
}

// VoiceWish is what somebody asked for.
type VoiceWish struct {
	VoiceState
	ID   string    `json:"id"`   // unique per wish, so that an answer can name it
	Tier int       `json:"tier"` // premium tier of the request: how many worker tokens may be used
	Code string    `json:"code"` // connect code of the game, as sent; may be any text for old bots
	At   time.Time `json:"at"`
}

// VoiceApplied is a state that Discord confirmed.
type VoiceApplied struct {
	VoiceState
	WishID string    `json:"wish_id"`
	Lane   string    `json:"lane"` // worker, capture, official, or none when nothing had to be sent
	At     time.Time `json:"at"`
	// GameSeen tells that the wish's code was a live game of AutoMuteUs then, so
	// that its later absence means that the game ended.
	GameSeen bool `json:"game_seen,omitempty"`
}

// VoiceFailed is why a wish was not applied.
type VoiceFailed struct {
	WishID  string    `json:"wish_id"`
	Code    int       `json:"code,omitempty"` // Discord's JSON error code
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	RetryAt time.Time `json:"retry_at,omitzero"` // zero: given up until a new wish
	Tries   int       `json:"tries,omitempty"`
}

// Settled says whether nothing is left to do for the newest wish.
func (r VoiceRecord) Settled() bool {
	if r.Applied != nil && r.Applied.WishID == r.Wish.ID {
		return true
	}
	return r.Failed != nil && r.Failed.WishID == r.Wish.ID && r.Failed.RetryAt.IsZero()
}

// VoiceKey names a member's record in VOICE.
func VoiceKey(g GuildID, u UserID) string { return g.String() + "." + u.String() }

// ParseVoiceKey is the inverse of VoiceKey.
func ParseVoiceKey(key string) (GuildID, UserID, error) {
	t, err := split(key, 2)
	if err != nil {
		return 0, 0, err
	}
	g, err := ParseGuildID(t[0])
	if err != nil {
		return 0, 0, err
	}
	u, err := ParseUserID(t[1])
	return g, u, err
}
