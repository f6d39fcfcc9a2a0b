package downstream

import (
	"sync"
	"time"

	"splashtail/bus"
)

// maxAskers bounds the guilds that are remembered for all bots together.
const maxAskers = 16384

// voiceAskers knows which session asked last to speak in a guild.
type voiceAskers struct {
	mu   sync.Mutex
	last map[bus.GuildID]string
}

func (v *voiceAskers) take(g bus.GuildID, session string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.last) >= maxAskers {
		clear(v.last) // then each that asked once is told
	}
	v.last[g] = session
}

// owns says whether the session asked last, as far as this process knows.
func (v *voiceAskers) owns(g bus.GuildID, session string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	last, known := v.last[g]
	return !known || last == session
}

// fullRequests knows when all members of a guild were last asked for. Discord answers
// that once in a while per guild and bot, whichever of our bots asks.
type fullRequests struct {
	mu   sync.Mutex
	last map[bus.GuildID]time.Time
}

// again notes a request, or gives how long it must wait.
func (f *fullRequests) again(now time.Time, g bus.GuildID) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if left := f.last[g].Add(fullEvery).Sub(now); left > 0 {
		return left
	}
	if len(f.last) >= maxAskers {
		for id, at := range f.last {
			if now.Sub(at) >= fullEvery {
				delete(f.last, id)
			}
		}
	}
	if len(f.last) < maxAskers {
		f.last[g] = now
	}
	return 0
}
