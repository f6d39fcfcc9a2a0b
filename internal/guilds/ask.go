package guilds

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"splashtail/bus"
)

// How members are asked for. A session may send 120 frames per minute, and ask for all
// members of a guild once in 30 s; the bots behind the gateway proxy share both, and they
// ask when a session is new. The answers are in the stream, 300 KB per 1000 members.
const (
	askAtOnce   = 2                // guilds per round of writing, which is 60 per minute
	askAfter    = 45 * time.Second // from when the guild was seen; bots go first
	askAgain    = 5 * time.Minute
	maxAskedFor = 5000 // members; of a larger guild only those are known whom events show
)

// wish is a guild whose members are to be asked for.
type wish struct {
	id      bus.GuildID
	shard   int
	created uint64
}

// ask asks for the members of guilds whose roster is not whole; only the process that
// writes does. What could not be asked is asked in a later round.
func (k *keeper) ask(ctx context.Context) {
	if k.s.cfg.Ask == nil {
		return
	}
	for _, w := range k.wishes(time.Now()) {
		data, _ := json.Marshal(map[string]any{"guild_id": w.id.String(), "query": "", "limit": 0, "nonce": rosterNonce + strconv.FormatUint(w.created, 36)}) // texts always encode
		if err := k.s.cfg.Ask(ctx, w.shard, data); err != nil {
			k.s.log.Debug("the members of a guild cannot be asked for now", "guild", w.id.String(), "err", err)
			k.asked[w.id] = asked{w.created, time.Now()}
			return
		}
	}
}

// wishes picks guilds, and notes that they are asked for.
func (k *keeper) wishes(now time.Time) (list []wish) {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	for id := range k.asked {
		if k.s.guilds[id] == nil {
			delete(k.asked, id)
		}
	}
	for id, e := range k.s.guilds {
		if len(list) == askAtOnce {
			break
		}
		if e.g == nil || e.unavailable || e.roster.whole || e.roster.full {
			continue
		}
		n, err := strconv.Atoi(string(e.g.get("member_count")))
		if err != nil || n > maxAskedFor {
			continue
		}
		a, known := k.asked[id]
		if !known || a.created != e.created {
			a = asked{e.created, now.Add(k.s.cfg.AskAfter)}
			k.asked[id] = a
		}
		if !a.due.After(now) {
			k.asked[id] = asked{e.created, now.Add(askAgain)}
			list = append(list, wish{id, e.shard, e.created})
		}
	}
	return list
}

// asked is when the members of a guild are to be asked for, after which GUILD_CREATE.
type asked struct {
	created uint64
	due     time.Time
}
