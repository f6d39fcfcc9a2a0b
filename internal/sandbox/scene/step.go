package scene

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"splashtail/internal/sandbox"
)

// StepKind says what a step is about.
type StepKind string

// The kinds of steps.
const (
	StepLink    StepKind = "link"    // the capture client was found
	StepStory   StepKind = "story"   // what happens in the game
	StepCapture StepKind = "capture" // an event went out to the broker
	StepModify  StepKind = "modify"  // AutoMuteUs called the mute proxy
	StepTask    StepKind = "task"    // the capture client muted, or failed to
	StepVoice   StepKind = "voice"   // all voices are right
	StepSummary StepKind = "summary" // a round is over
)

// Step is something worth telling. It holds no connect code and no token.
type Step struct {
	At    time.Time
	Kind  StepKind
	Round int
	Phase Phase  // for story and voice
	Text  string // one sentence; empty for voice
	// Members is how many were changed (voice), asked for (modify) or played (summary).
	Members int
	// Latency is the time from the state event to the last change (voice), of the call (modify, task), or the worst of the
	// round without AutoMuteUs' own wait (summary).
	Latency time.Duration
	// Delay is AutoMuteUs' own wait inside Latency (voice).
	Delay time.Duration
}

// String is the line for a terminal.
func (s Step) String() string {
	line := fmt.Sprintf("round %d  %-8s", s.Round, s.Kind)
	switch s.Kind {
	case StepVoice:
		if s.Members == 0 {
			return line + fmt.Sprintf("%s: nobody had to change", s.Phase)
		}
		line += fmt.Sprintf("%s: %d changes, the last %v after the event", s.Phase, s.Members, s.Latency.Round(time.Millisecond))
		if s.Delay > 0 {
			line += fmt.Sprintf(" (AutoMuteUs waits %v of it)", s.Delay.Round(time.Millisecond))
		}
		return line
	case StepModify, StepTask:
		return line + fmt.Sprintf("%s (%v)", s.Text, s.Latency.Round(time.Millisecond))
	case StepStory:
		return line + fmt.Sprintf("%s [%s]", s.Text, s.Phase)
	}
	return line + s.Text
}

// narrator numbers steps by round and tells them one at a time.
type narrator struct {
	mu    sync.Mutex
	to    func(Step)
	round int
}

func (n *narrator) setRound(round int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.round = round
}

func (n *narrator) say(s Step) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.to == nil {
		return
	}
	s.At, s.Round = time.Now(), n.round
	n.to(s)
}

// summary adds up a round.
type summary struct {
	start   time.Time
	phases  int
	changes int
	worst   time.Duration   // without AutoMuteUs' wait
	heard   map[string]bool // who is dead as far as the voices have been told
}

func (s *summary) count(v Step) {
	if v.Members == 0 {
		return
	}
	s.phases++
	s.changes += v.Members
	s.worst = max(s.worst, v.Latency-v.Delay)
}

func (s *summary) tell(round int, after, before sandbox.Counts) string {
	return fmt.Sprintf("round %d took %v: %d voice changes in %d phases, the slowest phase %v, %d requests to Discord, %d refused with 429",
		round, time.Since(s.start).Round(time.Millisecond), s.changes, s.phases, s.worst.Round(time.Millisecond),
		after.Requests-before.Requests, after.Status[429]-before.Status[429])
}

// tellEvent puts an event that went out into words.
func tellEvent(event, arg string) string {
	switch event {
	case eventState:
		for _, p := range []Phase{Lobby, Tasks, Discussion, Menu, Ended} {
			if arg == fmt.Sprint(int(p)) {
				return "state " + p.String()
			}
		}
	case eventPlayer:
		var e PlayerEvent
		if json.Unmarshal([]byte(arg), &e) == nil {
			return "player " + e.Name + " " + e.Action.String()
		}
	case eventLobby:
		var e LobbyEvent
		if json.Unmarshal([]byte(arg), &e) == nil {
			return "lobby " + strings.ToUpper(e.LobbyCode)
		}
	}
	return event
}

func tellTask(ok bool) string {
	if ok {
		return "the capture client's own bot changed a member"
	}
	return "the capture client could not change a member"
}
