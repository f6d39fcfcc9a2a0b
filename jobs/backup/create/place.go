package create

import (
	"cmp"
	"slices"

	"splashtail/jobs/backup/model"
)

// place is a channel or a thread as far as reading its messages goes.
type place struct {
	ID     model.ID `json:"id"`
	Type   int      `json:"type"`
	Parent model.ID `json:"parent,omitempty"` // of a thread: its channel
	Pinned bool     `json:"pinned,omitempty"` // something was pinned in it once
	Why    string   `json:"why,omitempty"`    // why it cannot be read
}

func isThread(kind int) bool {
	return kind == model.TypeAnnouncementThread || kind == model.TypePublicThread || kind == model.TypePrivateThread
}

// holdsText says whether people write in a channel of a type; a forum's posts are threads.
func holdsText(kind int) bool {
	switch kind {
	case model.TypeText, model.TypeVoice, model.TypeAnnouncement, model.TypeStage:
		return true
	}
	return isThread(kind)
}

func isForum(kind int) bool { return kind == model.TypeForum || kind == model.TypeMedia }

// holdsThreads says whether a channel of a type can have threads.
func holdsThreads(kind int) bool {
	return kind == model.TypeText || kind == model.TypeAnnouncement || isForum(kind)
}

// channelOrder is the order of channels in a backup: by position, then by id.
func channelOrder(a, b model.Channel) int {
	return cmp.Or(cmp.Compare(a.Position, b.Position), byID(a.ID, b.ID))
}

func byID(a, b model.ID) int {
	switch {
	case a == b:
		return 0
	case a.Before(b):
		return -1
	}
	return 1
}

// groupPlaces puts the places that can be read into groups, in the order in which they share: channels as they come, a forum
// with its posts, the newest first; then threads, the newest first. A post with an allocation of its own leaves its forum.
func groupPlaces(channels, threads []place, special map[model.ID]int) []group {
	var out []group
	at := map[model.ID]int{}
	for _, c := range channels {
		if c.Why != "" {
			continue
		}
		switch {
		case isForum(c.Type):
			at[c.ID] = len(out)
			out = append(out, group{ID: c.ID})
		case holdsText(c.Type):
			out = append(out, group{ID: c.ID, Places: []model.ID{c.ID}})
		}
	}
	threads = slices.Clone(threads)
	slices.SortFunc(threads, func(a, b place) int { return byID(b.ID, a.ID) })
	for _, t := range threads {
		forum, post := at[t.Parent]
		if t.Why != "" {
			continue
		}
		if _, own := special[t.ID]; post && !own {
			out[forum].Places = append(out[forum].Places, t.ID)
			continue
		}
		out = append(out, group{ID: t.ID, Thread: true, Places: []model.ID{t.ID}})
	}
	return out
}
