package model

import "time"

// Manifest says what a backup holds, item by item, with the reason for each thing that it does not hold. People choose by
// it which backup they want, so it is honest about gaps.
type Manifest struct {
	Schema  int            `json:"schema"` // Version when it was written
	Guild   ID             `json:"guild_id"`
	Title   string         `json:"guild_name"`
	Name    string         `json:"name,omitempty"` // what people call this backup
	TakenAt time.Time      `json:"taken_at"`
	TakenBy ID             `json:"taken_by,omitempty"` // empty: a schedule
	Source  string         `json:"source,omitempty"`   // empty: taken from Discord; else the format that it was read from
	Items   []Item         `json:"items"`              // in the order in which people read them
	Missing []Missing      `json:"missing,omitempty"`  // at most MaxMissing
	Dropped int            `json:"missing_dropped,omitempty"`
	Counts  map[string]int `json:"counts"` // filled by the archive's writer: by the names of Counts
}

// Item is one thing that a backup can hold: a part (bus.BackupParts) or a piece of one, such as "attachments".
type Item struct {
	Name   string `json:"name"`
	Kept   bool   `json:"kept"`
	Reason string `json:"reason,omitempty"` // why not, or what is not quite whole; a sentence for people
	Count  int    `json:"count,omitempty"`
}

// Missing is a single thing that was asked for and is not in the backup.
type Missing struct {
	What string `json:"what"` // for people: a channel's or file's name
	ID   ID     `json:"id,omitempty"`
	Why  string `json:"why"` // a sentence
}

// MaxMissing bounds the list of what a manifest names as missing. The rest is counted in Dropped.
const MaxMissing = 1000

// Miss adds to what is missing, or counts it when the list is full.
func (m *Manifest) Miss(what string, id ID, why string) {
	if len(m.Missing) >= MaxMissing {
		m.Dropped++
		return
	}
	m.Missing = append(m.Missing, Missing{What: what, ID: id, Why: why})
}

// Counts counts what a snapshot holds, by the names of its lists. An archive adds "messages" and "files".
func (s *Snapshot) Counts() map[string]int {
	overwrites := 0
	for _, c := range s.Channels {
		overwrites += len(c.Overwrites)
	}
	all := map[string]int{
		"roles": len(s.Roles), "channels": len(s.Channels), "overwrites": overwrites, "threads": len(s.Threads),
		"emojis": len(s.Emojis), "stickers": len(s.Stickers), "sounds": len(s.Sounds), "automod": len(s.AutoMod),
		"events": len(s.Events), "webhooks": len(s.Webhooks), "bans": len(s.Bans), "members": len(s.Members), "pins": pinned(s.Pins),
	}
	for name, n := range all {
		if n == 0 {
			delete(all, name)
		}
	}
	return all
}

func pinned(all []Pins) int {
	n := 0
	for _, p := range all {
		n += len(p.Messages)
	}
	return n
}
