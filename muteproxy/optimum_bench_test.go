package muteproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// benchLatency is what the sandbox takes for one request, there and back.
const benchLatency = 60 * time.Millisecond

// BenchmarkTimeToTheOptimum posts a batch of N changes for a guild that K tokens serve and
// measures from the post to Discord's confirmation of the last change, as a ratio to the
// best that any schedule can do: the time of the N-th free place in the tokens' windows,
// and one round trip.
//
// Each batch has a guild of its own, so every window is fresh. One batch before the
// measured ones opens the connections to Discord, as they are in a process that has
// muted before. Where a batch is one round trip, several are measured and the median
// counts: a few milliseconds of somebody else's load would decide otherwise.
func BenchmarkTimeToTheOptimum(b *testing.B) {
	for _, changes := range []int{10, 15, 50} {
		for _, tokens := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("changes=%d/tokens=%d", changes, tokens), func(b *testing.B) {
				best := optimum(changes, tokens, sandbox.DefaultLimits().MemberPatch, benchLatency)
				batches := 1
				if best < time.Second {
					batches = 15
				}
				r := newRig(b, tokens, changes)
				r.discord.SetLatency(benchLatency, 0)
				url, stop := r.start()
				defer stop()
				r.inNewGuild(min(changes, 5*tokens)).timeBatch(url)
				var took []time.Duration
				pause := time.NewTicker(200 * time.Millisecond) // a token may not send more than 50 a second in all
				defer pause.Stop()
				for b.Loop() {
					for range batches {
						<-pause.C
						took = append(took, r.inNewGuild(changes).timeBatch(url))
					}
				}
				slices.Sort(took)
				median := took[len(took)/2]
				b.ReportMetric(median.Seconds(), "s/batch")
				b.ReportMetric(best.Seconds(), "s/optimum")
				b.ReportMetric(median.Seconds()/best.Seconds(), "ratio")
				b.ReportMetric(took[len(took)-1].Seconds()/best.Seconds(), "worst-ratio")
				b.ReportMetric(float64(r.patches()[http.StatusTooManyRequests]), "429s")
				b.ReportMetric(0, "ns/op") // making the guilds is in it
			})
		}
	}
}

// optimum is the least time for that many changes over tokens that are all fresh.
func optimum(changes, tokens int, l sandbox.Limit, roundTrip time.Duration) time.Duration {
	perWindow := tokens * l.Requests
	windows := (changes + perWindow - 1) / perWindow
	return time.Duration(windows-1)*l.Window + roundTrip
}

// inNewGuild is the rig with another guild of the same bots, and so many members in voice.
func (r *rig) inNewGuild(members int) *rig {
	r.t.Helper()
	g := *r
	d, id := r.discord, must[sandbox.ID](r.t)
	g.guild = id(d.AddGuild("g", id(d.AddUser("owner"))))
	g.channel = id(d.AddChannel(g.guild, "voice", sandbox.VoiceChannel))
	role := id(d.AddRole(g.guild, "mutes", sandbox.VoiceModerator))
	for _, a := range r.apps {
		g.ok(d.AddMember(g.guild, a.ID, role))
	}
	g.users = nil
	for i := range members {
		u := id(d.AddUser(fmt.Sprint("player", i)))
		g.users = append(g.users, u)
		g.ok(d.AddMember(g.guild, u))
		g.ok(d.JoinVoice(g.guild, u, g.channel))
	}
	return &g
}

var errAllApplied = errors.New("every change is applied")

// timeBatch posts a batch that silences every member and gives the time until Discord had
// confirmed the last change.
func (r *rig) timeBatch(url string) (took time.Duration) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
	defer cancel()
	changes, guild := len(r.users), bus.GuildID(r.guild)
	body := r.body(5, all(changes, silent)...)
	start := time.Now()
	answered := make(chan int, 1)
	go func() { // AutoMuteUs reads the answer, which comes after 9 s at the latest
		status, _ := send(r.t, http.MethodPost, fmt.Sprintf("%s/modify/%d/%s", url, guild, code), body)
		answered <- status
	}()
	confirmed := map[bus.UserID]bool{}
	err := bus.Follow(ctx, r.bus, bus.Follower{}, bus.MuteAppliedIn(guild), 1, func(_ context.Context, applied []bus.Delivery[bus.MuteApplied]) error {
		for _, d := range applied {
			confirmed[d.Value.User] = true
			took = max(took, d.Value.At.Sub(start))
		}
		if len(confirmed) == changes {
			return errAllApplied
		}
		return nil
	})
	if !errors.Is(err, errAllApplied) {
		r.t.Fatalf("%d of %d changes were applied: %v", len(confirmed), changes, err)
	}
	if status := <-answered; status != http.StatusOK {
		r.t.Errorf("the batch was answered with %d", status)
	}
	r.expect(all(changes, silent)...)
	return took
}
