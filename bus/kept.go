package bus

import "time"

// What broker and muteproxy keep, and the places of readers.

// VoiceRecords holds what is wished and applied per member, under VoiceKey.
func VoiceRecords() Kept[VoiceRecord] { return Kept[VoiceRecord]{bucket: bucketVoice} }

// Owners holds who owns a connect code, under the code.
func Owners() Kept[Owner] { return Kept[Owner]{bucket: bucketLeases, prefix: leaseOwner + "."} }

// Owner says which capture session owns a connect code.
type Owner struct {
	V        int       `json:"v"`
	Instance string    `json:"instance"` // the broker process
	Session  string    `json:"session"`
	Since    time.Time `json:"since"`
}

// SealedTokens holds worker tokens, under the SHA-256 of the token in hexadecimal.
func SealedTokens() Kept[SealedToken] { return Kept[SealedToken]{bucket: bucketTokens} }

// SealedToken is a worker token, encrypted, or a marker without one.
type SealedToken struct {
	V      int       `json:"v"`
	Sealed []byte    `json:"sealed,omitempty"` // nonce and ciphertext
	Source string    `json:"source"`           // addtoken or migration
	At     time.Time `json:"at"`
}

// Positions holds how far readers came that keep their own place.
func Positions() Kept[Position] { return Kept[Position]{bucket: bucketPositions} }

// Position is a place in a stream.
type Position struct {
	V     int       `json:"v"`
	Epoch string    `json:"epoch"`
	Seq   uint64    `json:"seq"`
	At    time.Time `json:"at"`
}
