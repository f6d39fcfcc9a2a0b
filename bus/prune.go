package bus

// PruneArgs are the arguments of JobMessagePrune: the newest messages go, of one author or of all. Pinned ones stay, and
// those that Discord does not delete in bulk any more: older than 14 days.
type PruneArgs struct {
	User         UserID         `json:"user,string,omitempty"`   // only of this author; 0: of all
	Channels     []string       `json:"channels,omitempty"`      // ids; empty: every channel of the guild that has messages
	Max          int            `json:"max_messages"`            // in all, 1 to 1000
	PerChannel   int            `json:"per_channel,omitempty"`   // of one channel, at least 10; 0: no bound but Max
	Special      map[string]int `json:"special,omitempty"`       // channel id -> bound of that channel
	Seconds      int64          `json:"from_seconds,omitempty"`  // only messages of this many last seconds; 0 or more than 14 days: 14 days
	Rollover     bool           `json:"rollover,omitempty"`      // give what channels left of their bounds to others
	IgnoreErrors bool           `json:"ignore_errors,omitempty"` // pass over channels that cannot be read or pruned
	Reason       string         `json:"reason,omitempty"`        // for the audit log, up to 256 characters
}

// PruneDone is the outcome of JobMessagePrune.
type PruneDone struct {
	File    string         `json:"file"`    // what was deleted, by channel, as JSON
	Deleted map[string]int `json:"deleted"` // channel id -> messages
	Total   int            `json:"total"`
	Skipped []string       `json:"skipped,omitempty"` // channels that were passed over, with the reason
}
