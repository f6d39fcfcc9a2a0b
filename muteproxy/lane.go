package muteproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// laneKind says what a lane is; its names are the counts of AutoMuteUs.
type laneKind int

const (
	laneWorker laneKind = iota
	laneCapture
	laneOfficial
)

func (k laneKind) String() string { return [...]string{"worker", "capture", "official"}[k] }

// laneNone stands where nothing had to be sent.
const laneNone = "none"

// lane is one way to change members of one guild. It belongs to the guild's goroutine.
type lane struct {
	id   int
	kind laneKind

	token  *token // worker and official
	window *discord.Window

	code string    // capture: the game
	call captureID // capture: the same as a connect code
	busy bool      // capture: it works on a task; it takes one at a time
	next time.Time // capture: the pause after a task

	out    time.Time // it rests until then
	reason string    // why
}

// captureID is a connect code that can have a capture client.
type captureID = bus.ConnectCode

// capturePause keeps a capture client at about five tasks per second: its own bot has
// the same budget per guild as any other.
const capturePause = 200 * time.Millisecond

// free tells how many calls the lane takes now.
func (l *lane) free(now time.Time) int {
	switch {
	case now.Before(l.out):
		return 0
	case l.kind == laneCapture:
		if l.busy || now.Before(l.next) {
			return 0
		}
		return 1
	case l.token.held(now):
		return 0
	default:
		return l.window.Free(now)
	}
}

// wake tells when the lane may be free again without an answer coming; zero: not.
func (l *lane) wake(now time.Time) time.Time {
	switch {
	case l.kind == laneCapture:
		if l.busy {
			return time.Time{}
		}
		return later(l.out, l.next)
	case l.token.gone():
		return time.Time{}
	default:
		next := l.window.Next(now)
		if next.IsZero() {
			return next
		}
		return later(later(l.out, next), l.token.heldUntil())
	}
}

// usable says whether the lane will be free again soon and without somebody's help: a
// lane that waits for its budget is, one that was refused is not.
func (l *lane) usable(now time.Time) bool {
	if l.kind == laneCapture {
		return !now.Before(l.out)
	}
	return !l.token.gone() && l.out.Sub(now) <= faultRest
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// workerOrder puts worker tokens into an order that is the guild's own and does not
// change when others come or go, so that the same few serve a guild and different
// ones different guilds.
func workerOrder(g bus.GuildID, tokens []*token) []*token {
	weight := make(map[*token]uint64, len(tokens))
	for _, t := range tokens {
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(g)), t.hash...))
		weight[t] = binary.BigEndian.Uint64(sum[:])
	}
	out := slices.Clone(tokens)
	slices.SortFunc(out, func(a, b *token) int { return cmp.Compare(weight[a], weight[b]) })
	return out
}
