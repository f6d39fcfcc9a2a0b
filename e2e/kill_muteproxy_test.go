package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/internal/sandbox"
)

// TestMuteproxyIsKilledInABatch: 20 times with -9, half of them with the bus beside it and half with everything in one
// process. At the end of each cycle every member is as the newest wish says.
func TestMuteproxyIsKilledInABatch(t *testing.T) {
	t.Parallel()
	t.Run("its bus lives on", func(t *testing.T) {
		t.Parallel()
		v := newVoices(t, 30)
		r := startRedis(t)
		s := onFreePorts(t).with(v.settings).with(settings{"REDIS_ADDR": r.Addr()})
		hub := start(t, "nats", s)
		v.killCycles(10, "muteproxy", s.with(settings{"NATS_URL": s.nats(), "OPS_ADDR": freeAddr(t)}))
		hub.stop()
	})
	t.Run("with everything in one process", func(t *testing.T) {
		t.Parallel()
		v := newVoices(t, 30)
		r := startRedis(t)
		v.killCycles(10, "up", onFreePorts(t).with(v.settings).with(settings{"REDIS_ADDR": r.Addr()}))
	})
}

// voices is a guild on a Discord on loopback whose members sit in voice, with what AutoMuteUs last wished for each.
type voices struct {
	t        *testing.T
	discord  *sandbox.Discord
	settings settings // that lead to it
	guild    sandbox.ID
	users    []sandbox.ID
	wish     []voice
	turn     int // each one wishes something else for everybody
	posts    sync.WaitGroup
}

type voice struct{ mute, deaf bool }

// newVoices makes a guild with a primary bot and two workers. Discord's windows are short, so that a batch of everybody
// needs two of them and is quick all the same.
func newVoices(t *testing.T, members int) *voices {
	t.Helper()
	d, app, s := startDiscord(t, sandbox.Config{Latency: 20 * time.Millisecond, Limits: sandbox.Limits{
		MemberPatch: sandbox.Limit{Requests: 5, Window: 200 * time.Millisecond},
	}})
	v := &voices{t: t, discord: d, wish: make([]voice, members)}
	owner := must(d.AddUser("owner"))(t)
	v.guild = must(d.AddGuild("guild", owner))(t)
	channel := must(d.AddChannel(v.guild, "voice", sandbox.VoiceChannel))(t)
	role := must(d.AddRole(v.guild, "mutes", sandbox.VoiceModerator))(t)
	var workers []string
	for i := range 2 {
		worker := must(d.AddApplication(sandbox.ApplicationSpec{Name: fmt.Sprint("worker", i)}))(t)
		workers = append(workers, worker.Token)
		noError(t, d.AddMember(v.guild, worker.ID, role))
	}
	noError(t, d.AddMember(v.guild, app.ID, role))
	v.settings = s.with(settings{"WORKER_BOT_TOKENS": strings.Join(workers, ",")})
	for i := range members {
		user := must(d.AddUser(fmt.Sprint("player", i)))(t)
		v.users = append(v.users, user)
		noError(t, d.AddMember(v.guild, user))
		noError(t, d.JoinVoice(v.guild, user, channel))
		v.wish[i] = v.state(i)
		noError(t, d.SetVoice(v.guild, user, v.wish[i].mute, v.wish[i].deaf))
	}
	return v
}

// state is what is wished for a member in this turn: one of the four states, another one than in the last two turns.
func (v *voices) state(member int) voice {
	n := (v.turn + member) % 4
	return voice{mute: n&1 != 0, deaf: n&2 != 0}
}

// voicesCode is the game whose players are muted.
const voicesCode = "M0TEC0DE"

// killCycles runs a command of splashtail that holds the mute proxy, kills it in the middle of batches, and wants everybody
// to be as wished after each restart.
func (v *voices) killCycles(cycles int, command string, s settings) {
	v.t.Helper()
	p := start(v.t, command, s)
	var took []time.Duration
	for range cycles {
		v.post(s.galactus())
		v.awaitChanged(1 + rand.N(20))
		if rand.N(2) == 0 { // a newer batch overtakes the first one, which is still being worked on
			v.post(s.galactus())
			v.awaitChanged(1 + rand.N(20))
		}
		p.kill()
		v.posts.Wait()
		p = start(v.t, command, s)
		up := time.Now()
		v.converge()
		took = append(took, time.Since(up))
	}
	slices.Sort(took)
	v.t.Logf("from readiness to everybody right: median %v, at most %v; Discord said 429 %d times",
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), v.discord.Counts().Status[http.StatusTooManyRequests])
	p.stop()
	v.converge()
	p.keepsQuietAbout(append(strings.Split(s["WORKER_BOT_TOKENS"], ","), s["DISCORD_BOT_TOKEN"], voicesCode)...)
}

// post wishes something new for everybody, as AutoMuteUs does, and leaves the request waiting. What becomes of it is seen
// at Discord: its first change there shows that the whole batch is stored.
func (v *voices) post(addr string) {
	v.t.Helper()
	type user struct {
		ID   uint64 `json:"userID"` // a bare number, which sandbox.ID would not be
		Mute bool   `json:"mute"`
		Deaf bool   `json:"deaf"`
	}
	v.turn++
	var users []user
	for i, id := range v.users {
		v.wish[i] = v.state(i)
		users = append(users, user{ID: uint64(id), Mute: v.wish[i].mute, Deaf: v.wish[i].deaf})
	}
	body, err := json.Marshal(map[string]any{"premium": 5, "users": users})
	noError(v.t, err)
	url := fmt.Sprintf("http://%s/modify/%d/%s", addr, v.guild, voicesCode)
	v.posts.Go(func() {
		resp, err := http.Post(url, "application/json", strings.NewReader(string(body)))
		if err != nil {
			return // it was killed
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			v.t.Errorf("a batch is answered by %d %s", resp.StatusCode, text)
		}
	})
}

// awaitChanged waits until so many members are as the newest batch says.
func (v *voices) awaitChanged(n int) {
	v.t.Helper()
	v.await(fmt.Sprintf("%d members are changed", n), func() bool { return len(v.users)-len(v.wrong()) >= n })
}

// converge waits until every member is as wished, all of them at the same time.
func (v *voices) converge() {
	v.t.Helper()
	v.await("everybody is as wished", func() bool { return len(v.wrong()) == 0 })
}

func (v *voices) await(what string, cond func() bool) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	if err := v.discord.Await(ctx, cond); err != nil {
		v.t.Fatalf("waited in vain until %s (%v); wrong are %v", what, err, v.wrong())
	}
}

// wrong names the members that are not as the newest batch says.
func (v *voices) wrong() (all []string) {
	for i, id := range v.users {
		state, ok := v.discord.VoiceState(v.guild, id)
		if is := (voice{state.Mute, state.Deaf}); !ok || is != v.wish[i] {
			all = append(all, fmt.Sprintf("member %d is %+v, wished %+v", i, is, v.wish[i]))
		}
	}
	return all
}
