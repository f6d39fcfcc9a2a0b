package muteproxy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// call is one attempt at a wish over one lane.
type call struct {
	user   bus.UserID
	state  bus.VoiceState
	wishID string
	wished time.Time
	lane   int
	ticket discord.Ticket
}

// result is what came of a call.
type result struct {
	call
	answer discord.Answer
	err    error
}

// Errors of a capture client, besides those of the bus.
var (
	errCaptureRefused = errors.New("the capture client could not do it")
	errCaptureSlow    = errors.New("the capture client did not answer in time")
)

// call starts one attempt.
func (g *guild) call(ctx context.Context, now time.Time, p pick) {
	l, m := g.lane(p.lane), g.members[p.want.user]
	wish := m.entry.Value.Wish
	c := call{user: p.want.user, state: wish.VoiceState, wishID: wish.ID, wished: wish.At, lane: l.id}
	m.calling = true
	g.sure.begin(c.user, now)
	g.inFlight++
	if l.kind == laneCapture {
		l.busy = true
		g.w.working.Go(func() { g.viaCapture(ctx, l.call, c) })
		return
	}
	c.ticket = l.window.Take(now)
	g.w.working.Go(func() { g.viaToken(ctx, l.token, c) })
}

func (g *guild) viaToken(ctx context.Context, t *token, c call) {
	answer, err := g.w.m.api.EditVoice(ctx, t.value, uint64(g.id), uint64(c.user),
		discord.VoiceEdit{Deaf: c.state.Deaf, Mute: c.state.Mute}, "Among Us voice automation, wish "+c.wishID)
	g.results <- result{call: c, answer: answer, err: err}
}

// lateAnswers is how long a slow capture client is listened to after it was given up:
// what it does late may undo what was done meanwhile. A process that stops does not wait for that.
const lateAnswers = 15 * time.Second

func (g *guild) viaCapture(ctx context.Context, code bus.ConnectCode, c call) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateAnswers)
	defer cancel()
	slow := time.NewTimer(g.w.m.cfg.AckTimeout + g.w.m.cfg.TaskTimeout)
	defer slow.Stop()
	answered := make(chan error, 1)
	go func() { answered <- g.askCapture(ctx, code, c) }()
	select {
	case err := <-answered:
		g.results <- result{call: c, err: err}
	case <-slow.C:
		g.results <- result{call: c, err: errCaptureSlow}
		select {
		case err := <-answered:
			if err == nil {
				g.w.cameLate(member{g.id, c.user}, c.state)
			}
		case <-g.w.quit:
		}
	}
}

func (g *guild) askCapture(ctx context.Context, code bus.ConnectCode, c call) error {
	r, err := bus.Do(ctx, g.w.m.bus, bus.ModifyCall(code), bus.ModifyTask{Guild: g.id, User: c.user, Parameters: c.state, TaskID: newTaskID()})
	if err == nil && !r.Done {
		return errCaptureRefused
	}
	return err
}

// newTaskID is 16 random hexadecimal digits, as newer bots use; the ancestor's hash of
// the second gave one id to a mute and the unmute right after it.
func newTaskID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// cameLate is told of a change that was made after it had been given up. If another
// state is wished by now, the wish is stored anew, and so sent once more.
func (w *wishes) cameLate(who member, state bus.VoiceState) {
	w.amend(who, func(rec *bus.VoiceRecord) bool {
		if rec.Wish.VoiceState == state {
			return false
		}
		rec.Wish.ID, rec.Applied, rec.Failed = newTaskID(), nil, nil
		return true
	})
}

// finish takes the result of a call.
func (g *guild) finish(r result) {
	g.inFlight--
	now := time.Now()
	l, m := g.lane(r.lane), g.members[r.user]
	m.calling = false
	var why refusal
	if l.kind == laneCapture {
		why = g.captureDone(l, r, now)
	} else {
		why = g.tokenDone(l, r, now)
	}
	if r.err == nil {
		m.applied = &bus.VoiceApplied{VoiceState: r.state, Lane: l.kind.String(), At: now.UTC()}
		g.sure.done(r.user, m.applied)
		if m.entry.Value.Wish.VoiceState == r.state {
			g.settleApplied(r.user, m)
		}
		g.report(r, l, now)
		return
	}
	g.w.m.metrics.refused(l.kind, why.reason)
	if m.entry.Value.Wish.ID != r.wishID {
		return // a newer wish is there already; it is tried afresh
	}
	m.last = why
	switch {
	case why.member && l.kind != laneCapture:
		g.fail(now, r.user, m)
	case why.member:
		if m.tried == nil {
			m.tried = map[int]bool{}
		}
		m.tried[l.id] = true
	}
}

// tokenDone lets a token's lane learn from an answer and says what a refusal means.
func (g *guild) tokenDone(l *lane, r result, now time.Time) refusal {
	if r.err == nil {
		l.window.Done(r.ticket, now, r.answer.Limit)
		l.token.learnLimit(r.answer.Limit.Limit)
		l.reason = ""
		return refusal{}
	}
	why := judge(r.err)
	var api *discord.APIError
	switch {
	case errors.As(r.err, &api) && why.limited:
		g.w.m.metrics.limited(api.Scope)
		if api.Global || api.Scope == "" {
			l.token.hold(now.Add(api.RetryAfter))
		}
		l.window.Refused(r.ticket, now, api.RetryAfter)
	case r.answer.Status != 0:
		l.window.Done(r.ticket, now, r.answer.Limit)
	default:
		l.window.Lost(r.ticket)
	}
	switch {
	case why.tokenOut:
		if l.token.spoil(why.reason) {
			g.w.m.log.Error("Discord does not know this token; it is not used any more; replace it and start again, or hand it over anew", "token", l.token.name(), "lane", l.kind.String())
		}
	case why.laneOut > 0:
		g.rest(l, now, why)
	}
	return why
}

// rest takes a lane out for this guild, with one line in the log each time.
func (g *guild) rest(l *lane, now time.Time, why refusal) {
	fresh := !now.Before(l.out)
	l.out, l.reason = later(l.out, now.Add(why.laneOut)), why.reason
	if fresh && l.kind == laneCapture {
		g.w.m.log.Warn("a capture client does not answer; others do its work for a while", "guild", g.id, "code", l.call, "rest", why.laneOut.String())
	} else if fresh {
		g.w.m.log.Warn("a token rests for this guild: "+why.detail, "guild", g.id, "token", l.token.name(), "lane", l.kind.String(), "reason", why.reason, "discord_code", why.code, "rest", why.laneOut.String())
	}
}

// captureDone lets a capture client's lane learn and says what a refusal means.
func (g *guild) captureDone(l *lane, r result, now time.Time) refusal {
	l.busy, l.next = false, now.Add(capturePause)
	switch {
	case r.err == nil:
		l.reason = ""
		return refusal{}
	case errors.Is(r.err, errCaptureRefused):
		return refusal{reason: "capture_refused", member: true}
	case bus.AsError(r.err).Reason == bus.ReasonNoResponder:
		l.out, l.reason = now.Add(noClientRest), "no_client"
		return refusal{reason: "no_client"}
	default:
		why := refusal{reason: "capture_slow", laneOut: clientOut}
		g.rest(l, now, why)
		return why
	}
}

// noClientRest is how long a game without a ready capture client is not asked for one
// again; asking costs a few microseconds.
const noClientRest = time.Second

// report publishes and counts an applied state.
func (g *guild) report(r result, l *lane, now time.Time) {
	took := now.Sub(r.wished)
	g.w.m.metrics.appliedBy(l.kind, took)
	err := bus.PublishLater(g.w.m.bus, bus.MuteAppliedSubject(g.id), bus.MuteApplied{V: 1, Guild: g.id, User: r.user, State: r.state, Lane: l.kind.String(), Took: took.Milliseconds(), At: now.UTC()})
	if err != nil {
		g.w.m.log.Debug("an applied state was not reported", "err", err)
	}
}
