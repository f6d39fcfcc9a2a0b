package create

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"splashtail/bus"
)

// Limits are what a deployment lets one backup hold.
type Limits struct {
	Messages        int   // most messages in all
	PerChannel      int   // a channel's share when the arguments do not say
	LeastPerChannel int   // the smallest share that may be asked for
	Share           int   // a share smaller than this is not worth a request: then only the first channels get one
	Specials        int   // most channels with an allocation of their own
	Attachment      int64 // the largest file of a message, in bytes
	Attachments     int64 // all files of messages together, in bytes
	Threads         int   // most threads and posts
	People          int   // most bans, and most members
	Parallel        int   // channels that are read at the same time
}

// DefaultLimits are those of a free deployment.
func DefaultLimits() Limits {
	return Limits{
		Messages: 500, PerChannel: 100, LeastPerChannel: 50, Share: 10, Specials: 500,
		Attachment: 8_000_000, Attachments: 50_000_000, Threads: 5_000, People: 50_000, Parallel: 16,
	}
}

// withDefaults fills what is zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, or *int }{
		{&l.Messages, &d.Messages}, {&l.PerChannel, &d.PerChannel}, {&l.LeastPerChannel, &d.LeastPerChannel}, {&l.Share, &d.Share},
		{&l.Specials, &d.Specials}, {&l.Threads, &d.Threads}, {&l.People, &d.People}, {&l.Parallel, &d.Parallel},
	} {
		if *f.have <= 0 {
			*f.have = *f.or
		}
	}
	if l.Attachment <= 0 {
		l.Attachment = d.Attachment
	}
	if l.Attachments <= 0 {
		l.Attachments = d.Attachments
	}
	return l
}

// maxBackupName is in characters.
const maxBackupName = 64

// Check says what is wrong with the arguments of a backup, all of it at once; nil when nothing is. It asks nobody.
func Check(a bus.BackupArgs, l Limits) error {
	l = l.withDefaults()
	var all []error
	bad := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if utf8.RuneCountInString(a.Name) > maxBackupName || !utf8.ValidString(a.Name) || strings.ContainsFunc(a.Name, func(r rune) bool { return r < ' ' }) {
		bad("the name may have %d characters on one line; give a shorter one", maxBackupName)
	}
	for _, part := range a.Leave {
		if !slices.Contains(bus.BackupParts(), part) {
			bad("%.40q is no part of a backup; the parts are %s", part, strings.Join(bus.BackupParts(), ", "))
		}
	}
	checkMessages(a, l, bad)
	if len(a.Special) > l.Specials {
		bad("%d channels have an allocation of their own, and %d may; name fewer", len(a.Special), l.Specials)
	}
	for _, id := range sortedKeys(a.Special) {
		if !isID(id) {
			bad("%.40q is not the id of a channel; ids are 1 to 20 digits", id)
		} else if a.Special[id] < 0 {
			bad("channel %s cannot give %d messages; 0 keeps none of it", id, a.Special[id])
		}
	}
	return errors.Join(all...)
}

func checkMessages(a bus.BackupArgs, l Limits, bad func(string, ...any)) {
	switch {
	case a.Messages < 0 || a.Messages > l.Messages:
		bad("a backup here may keep 0 to %d messages, not %d", l.Messages, a.Messages)
	case a.Messages == 0 && a.Attachments:
		bad("files belong to messages: ask for messages, too, or for no files")
	case a.Messages == 0 && len(a.Special) > 0:
		bad("channels have an allocation of their own, but no messages are asked for; say how many in all")
	case a.Messages > 0 && slices.Contains(a.Leave, bus.PartMessages):
		bad("messages are asked for and left out at once; choose one")
	case a.Messages == 0 || a.PerChannel == 0:
	case a.PerChannel < l.LeastPerChannel:
		bad("the share of a channel has to be at least %d messages, not %d", l.LeastPerChannel, a.PerChannel)
	case a.PerChannel > a.Messages:
		bad("the share of a channel, %d, is more than the %d messages in all", a.PerChannel, a.Messages)
	}
	if a.Members && slices.Contains(a.Leave, bus.PartMembers) {
		bad("members are asked for and left out at once; choose one")
	}
}

func isID(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
