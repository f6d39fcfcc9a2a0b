package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"splashtail/bus"
)

// TestABotOverSeveralShardsAndKills: all is in one process, bus and gateway, and is killed again and again while events flow
// by two shards. What the stream loses comes again in another order; a bot that counts one shard has each event once and,
// guild by guild, in order.
func TestABotOverSeveralShardsAndKills(t *testing.T) {
	t.Parallel()
	w := newManyGuilds(t, 8)
	w.s = w.s.with(settings{"NUM_SHARDS": "2"})
	p := start(t, "gatewayproxy", w.s)
	b := &wholeBot{t: t, addr: w.s["GATEWAYPROXY_ADDR"], token: w.app.Token, got: map[bus.GuildID][]string{}, more: make(chan struct{})}
	runUntilEnd(t, b.run)
	b.await("is ready", func() bool { return b.readies > 0 })
	end := w.write(100)
	had := func() (n int) {
		for _, all := range b.got {
			n += len(all)
		}
		return n
	}
	const cycles = 8
	lost := 0
	for cycle := range cycles {
		next := 0
		b.await("counts", func() bool { next = had() + 1 + rand.N(400); return true })
		b.await(fmt.Sprintf("has %d messages", next), func() bool { return had() >= next })
		p.kill()
		p = start(t, "gatewayproxy", w.s)
		b.await("has resumed", func() bool { return b.resumes > cycle || b.readies > 1 })
		if found, _ := p.log.find(func(l logLine) bool { return strings.HasPrefix(l.Msg, "the newest events were lost") }); found {
			lost++
		}
	}
	end()
	hub := must(bus.Open(t.Context(), bus.Config{URL: w.s.nats()}, slog.New(slog.DiscardHandler)))(t)
	w.exactly(hub, 2)
	noError(t, hub.Close(t.Context()))
	for i, g := range w.guilds {
		b.await(fmt.Sprintf("has all %d messages of guild %d", w.written[i], i), func() bool { return len(b.got[bus.GuildID(g)]) >= w.written[i] })
		b.mu.Lock()
		for k, text := range b.got[bus.GuildID(g)] {
			if text != fmt.Sprintf("burst %d", k+1) {
				t.Errorf("of guild %d the bot has %q in place %d", i, text, k+1)
				break
			}
		}
		b.mu.Unlock()
	}
	if b.readies != 1 || b.resumes < cycles {
		t.Errorf("%d READYs and %d RESUMEDs", b.readies, b.resumes)
	}
	t.Logf("%d messages over %d kills, %d of which took some that the bot had", had(), cycles, lost)
	p.stop()
}

// wholeBot counts one shard, whatever we have, and comes back whenever its connection ends.
type wholeBot struct {
	t           *testing.T
	addr, token string

	mu               sync.Mutex
	session          string
	seq              uint64
	readies, resumes int
	got              map[bus.GuildID][]string
	more             chan struct{} // closed and replaced when something came
}

// run connects again and again until ctx ends.
func (b *wholeBot) run(ctx context.Context) error {
	for ctx.Err() == nil {
		b.connect(ctx)
		select {
		case <-time.After(50 * time.Millisecond): // as libraries pause
		case <-ctx.Done():
		}
	}
	return nil
}

// connect serves one connection until it ends.
func (b *wholeBot) connect(ctx context.Context) {
	ws, _, err := websocket.Dial(ctx, "ws://"+b.addr+"/?v=10&encoding=json", nil)
	if err != nil {
		return // nobody is there just now
	}
	defer ws.CloseNow()
	ws.SetReadLimit(-1)
	hello := fmt.Sprintf(`{"op":2,"d":{"token":"%s","intents":33280,"properties":{}}}`, b.token) // messages and their content
	b.mu.Lock()
	if b.session != "" {
		hello = fmt.Sprintf(`{"op":6,"d":{"token":"%s","session_id":"%s","seq":%d}}`, b.token, b.session, b.seq)
	}
	b.mu.Unlock()
	if ws.Write(ctx, websocket.MessageText, []byte(hello)) != nil {
		return
	}
	for {
		_, p, err := ws.Read(ctx)
		if err != nil {
			return
		}
		b.take(p)
	}
}

// take notes what a frame tells.
func (b *wholeBot) take(p []byte) {
	var f struct {
		Op int
		S  uint64
		T  string
		D  json.RawMessage
	}
	var d struct {
		SessionID string      `json:"session_id"`
		Guild     bus.GuildID `json:"guild_id,string"`
		Content   string
	}
	if err := json.Unmarshal(p, &f); err != nil {
		b.t.Errorf("%s: %v", p, err)
		return
	}
	if f.T == "READY" || f.T == "MESSAGE_CREATE" {
		if err := json.Unmarshal(f.D, &d); err != nil {
			b.t.Errorf("%s: %v", p, err)
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq = max(b.seq, f.S)
	switch {
	case f.Op == 9:
		b.session = ""
	case f.T == "READY":
		b.session, b.seq = d.SessionID, f.S
		b.readies++
	case f.T == "RESUMED":
		b.resumes++
	case f.T == "MESSAGE_CREATE":
		b.got[d.Guild] = append(b.got[d.Guild], d.Content)
	}
	close(b.more)
	b.more = make(chan struct{})
}

// await waits until the bot has what fits.
func (b *wholeBot) await(what string, fits func() bool) {
	b.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		b.mu.Lock()
		found, more := fits(), b.more
		b.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-late.C:
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("waited in vain until the bot %s; %d READYs, %d RESUMEDs, number %d; %s", what, b.readies, b.resumes, b.seq, b.faults())
		}
	}
}

// faults tells where the messages that the bot has are not one behind the other.
func (b *wholeBot) faults() (text string) {
	for g, all := range b.got {
		for k, at := 0, 0; k < len(all); k++ {
			n, err := strconv.Atoi(strings.TrimPrefix(all[k], "burst "))
			if at++; err != nil || n != at {
				text, at = text+fmt.Sprintf("guild %s has %q behind %d; ", g, all[k], at-1), n
			}
		}
	}
	return text
}
