package downstream

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"splashtail/internal/pause"
	"splashtail/internal/rawjson"
)

// presenceEvery is how often a shard's presence changes at most: Discord allows five
// changes in 20 s.
const presenceEvery = 4 * time.Second

// maxActivities and maxActivity bound what is passed on.
const (
	maxActivities = 5
	maxActivity   = 2048 // bytes
)

// readPresence brings a presence into the form that Discord takes. Libraries send some
// that it would end the connection for, which all bots share: the old member game, no
// status, a time that is none.
func readPresence(d []byte) (json.RawMessage, error) {
	if len(d) == 0 || d[0] != '{' {
		return nil, errors.New("not an object")
	}
	status := rawjson.Text(rawjson.Get(d, "status"))
	switch status {
	case "online", "dnd", "idle", "invisible", "offline":
	case "":
		status = "online"
	default:
		return nil, errors.New("no such status")
	}
	activities := slices.Collect(rawjson.Elements(rawjson.Get(d, "activities")))
	if game := rawjson.Get(d, "game"); len(activities) == 0 && !rawjson.IsNull(game) {
		activities = append(activities, game)
	}
	if len(activities) > maxActivities {
		return nil, errors.New("too many activities")
	}
	list := []byte{'['}
	for _, a := range activities {
		if rawjson.Text(rawjson.Get(a, "name")) == "" {
			continue // discordgo sends an empty game
		}
		if len(a) > maxActivity {
			return nil, errors.New("an activity is too large")
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, a...)
	}
	since := json.RawMessage("null")
	if v := rawjson.Get(d, "since"); !rawjson.IsNull(v) && !strings.ContainsAny(string(v), `"{[.eE-`) && len(v) < 16 {
		since = v
	}
	afk := json.RawMessage("false")
	if string(rawjson.Get(d, "afk")) == "true" {
		afk = json.RawMessage("true")
	}
	return with([]byte("{}"), member{"since", since}, member{"activities", append(list, ']')},
		member{"status", json.RawMessage(`"` + status + `"`)}, member{"afk", afk}), nil
}

// presence is the bot's appearance, of which there is one per shard however many bots
// ask: the last one counts.
type presence struct {
	send func(ctx context.Context, shard int, d json.RawMessage) error

	mu      sync.Mutex
	wanted  map[int]json.RawMessage // per shard, not sent yet
	changed chan struct{}
}

func newPresence(send func(context.Context, int, json.RawMessage) error) *presence {
	return &presence{send: send, wanted: map[int]json.RawMessage{}, changed: make(chan struct{}, 1)}
}

// set says how the bot is to appear from now on.
func (p *presence) set(shards []int, d json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range shards {
		p.wanted[s] = d
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// run sends what is wanted, each time all shards, and then rests. What could not be sent
// is tried again unless something newer came.
func (p *presence) run(ctx context.Context) {
	for {
		select {
		case <-p.changed:
		case <-ctx.Done():
			return
		}
		p.mu.Lock()
		wanted := p.wanted
		p.wanted = map[int]json.RawMessage{}
		p.mu.Unlock()
		for shard, d := range wanted {
			if err := p.send(ctx, shard, d); err != nil {
				p.again(shard, d)
			}
		}
		pause.For(ctx, presenceEvery)
	}
}

func (p *presence) again(shard int, d json.RawMessage) {
	p.mu.Lock()
	_, newer := p.wanted[shard]
	p.mu.Unlock()
	if !newer {
		p.set([]int{shard}, d)
	}
}
