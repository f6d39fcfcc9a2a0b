package bus

import (
	"encoding/json"
	"strings"
)

// Subject is an exact address that takes a T.
type Subject[T any] struct{ name string }

// Filter is a pattern of addresses, or several, that deliver a T.
type Filter[T any] struct {
	stream   string
	patterns []string // at least one; no two overlap
}

func filterOf[T any](stream string, patterns ...string) Filter[T] {
	return Filter[T]{stream, patterns}
}

// Call is an address that answers a Q with an R; no stream takes it.
type Call[Q, R any] struct{ name string }

// String gives the subject as NATS sees it.
func (s Subject[T]) String() string { return s.name }

// String gives the pattern as NATS sees it; several with commas between them.
func (f Filter[T]) String() string { return strings.Join(f.patterns, ",") }

// String gives the subject as NATS sees it.
func (c Call[Q, R]) String() string { return c.name }

// The first tokens of all subjects.
const (
	rootDispatch = "dispatch"
	rootCapture  = "capture"
	rootEvent    = "event"
	rootCommand  = "command"
	rootParked   = "parked"
	rootModify   = "modify"
	rootControl  = "ctl"
	rootAction   = "action"
	rootJournal  = "journal"
	rootGateway  = "gateway"
	rootJob      = "job"
)

// CaptureSubject is where an event of a capture client goes: capture.<code>.<kind>.
func CaptureSubject(c ConnectCode, k CaptureKind) Subject[CaptureEvent] {
	return Subject[CaptureEvent]{join(rootCapture, c.String(), string(k))}
}

// ParseCaptureSubject is the inverse of CaptureSubject.
func ParseCaptureSubject(s string) (ConnectCode, CaptureKind, error) {
	t, err := split(s, 3, rootCapture)
	if err != nil {
		return ConnectCode{}, "", err
	}
	code, err := ParseConnectCode(t[1])
	if err != nil {
		return ConnectCode{}, "", err
	}
	for _, k := range CaptureKinds {
		if t[2] == string(k) {
			return code, k, nil
		}
	}
	return ConnectCode{}, "", Errorf(CodeInvalid, "bad_subject", "%q is no kind of capture event", t[2])
}

// AllCapture takes every capture event of every code, those that share a message too.
func AllCapture() Filter[CaptureEvent] {
	return filterOf[CaptureEvent](streamCapture, join(rootCapture, "*", "*"))
}

// captureShared is where events go that share a message, capture.shared.events: no code
// has six letters, and no kind is called so.
func captureShared() Subject[CaptureEvent] {
	return Subject[CaptureEvent]{join(rootCapture, "shared", "events")}
}

// CaptureOf takes one kind of every code, except those that share a message.
func CaptureOf(k CaptureKind) Filter[CaptureEvent] {
	return filterOf[CaptureEvent](streamCapture, join(rootCapture, "*", string(k)))
}

// ModifyCall asks the capture client of a code to change one member's voice state.
// Only a broker that has a ready client for the code serves it, so that "nobody
// serves" is known at once.
func ModifyCall(c ConnectCode) Call[ModifyTask, ModifyResult] {
	return Call[ModifyTask, ModifyResult]{join(rootModify, c.String())}
}

// ParseModifyCall is the inverse of ModifyCall.
func ParseModifyCall(s string) (ConnectCode, error) {
	t, err := split(s, 2, rootModify)
	if err != nil {
		return ConnectCode{}, err
	}
	return ParseConnectCode(t[1])
}

// MuteAppliedSubject reports applied voice states: event.mute.applied.<guild>.
func MuteAppliedSubject(g GuildID) Subject[MuteApplied] {
	return Subject[MuteApplied]{join(rootEvent, "mute", "applied", g.String())}
}

// MuteFailedSubject reports wishes that failed: event.mute.failed.<guild>.
func MuteFailedSubject(g GuildID) Subject[MuteFailed] {
	return Subject[MuteFailed]{join(rootEvent, "mute", "failed", g.String())}
}

// MuteAppliedIn takes the applied voice states of one guild.
func MuteAppliedIn(g GuildID) Filter[MuteApplied] {
	return filterOf[MuteApplied](streamEvents, MuteAppliedSubject(g).name)
}

// ParseMuteSubject is the inverse of MuteAppliedSubject and MuteFailedSubject.
func ParseMuteSubject(s string) (g GuildID, applied bool, err error) {
	t, err := split(s, 4, rootEvent, "mute")
	if err != nil {
		return 0, false, err
	}
	if t[2] != "applied" && t[2] != "failed" {
		return 0, false, Errorf(CodeInvalid, "bad_subject", "%q is no event about mutes", s)
	}
	g, err = ParseGuildID(t[3])
	return g, t[2] == "applied", err
}

// ActionSubject is where an action goes: action.<guild>.<kind>.
func ActionSubject(g GuildID, k ActionKind) Subject[Action] {
	return Subject[Action]{join(rootAction, g.String(), string(k))}
}

// ParseActionSubject is the inverse of ActionSubject.
func ParseActionSubject(s string) (GuildID, ActionKind, error) {
	t, err := split(s, 3, rootAction)
	if err != nil {
		return 0, "", err
	}
	g, err := ParseGuildID(t[1])
	if err != nil {
		return 0, "", err
	}
	for _, k := range ActionKinds {
		if t[2] == string(k) {
			return g, k, nil
		}
	}
	return 0, "", Errorf(CodeInvalid, "bad_subject", "%q is no kind of action", t[2])
}

// AllActions takes every action of every guild.
func AllActions() Filter[Action] { return filterOf[Action](streamActions, join(rootAction, "*", "*")) }

// ActionsIn takes the actions of one guild.
func ActionsIn(g GuildID) Filter[Action] {
	return filterOf[Action](streamActions, join(rootAction, g.String(), "*"))
}

// LimitHitSubject reports who met a limit: event.limit.hit.<guild>.
func LimitHitSubject(g GuildID) Subject[LimitHit] {
	return Subject[LimitHit]{join(rootEvent, "limit", "hit", g.String())}
}

// LimitHitsIn takes the hits of one guild.
func LimitHitsIn(g GuildID) Filter[LimitHit] {
	return filterOf[LimitHit](streamEvents, LimitHitSubject(g).name)
}

// AllLimitHits takes the hits of every guild.
func AllLimitHits() Filter[LimitHit] {
	return filterOf[LimitHit](streamEvents, join(rootEvent, "limit", "hit", "*"))
}

// CommandSubject is where a command for a component is recorded:
// command.<component>.<verb>. Both must be plain words.
func CommandSubject(component, verb string) (Subject[Command], error) {
	for _, w := range []string{component, verb} {
		if !isToken(w) {
			return Subject[Command]{}, Errorf(CodeInvalid, "bad_subject", "%q is not a plain word of letters, digits, - and _", w)
		}
	}
	return Subject[Command]{join(rootCommand, component, verb)}, nil
}

// ParseCommandSubject is the inverse of CommandSubject.
func ParseCommandSubject(s string) (component, verb string, err error) {
	t, err := split(s, 3, rootCommand)
	if err != nil {
		return "", "", err
	}
	return t[1], t[2], nil
}

// ParkedSubject is where a message of a stream goes that a durable's handler could
// not take: parked.<stream>.<durable>.
func ParkedSubject(stream, durable string) Subject[Parked] {
	return Subject[Parked]{join(rootParked, stream, durable)}
}

// AllParked takes everything that was parked.
func AllParked() Filter[Parked] {
	return filterOf[Parked](streamParked, rootParked+".>")
}

// StatusCall asks one instance of a component how it is: ctl.<component>.status.
func StatusCall(component string) Call[struct{}, Status] {
	return Call[struct{}, Status]{join(rootControl, component, "status")}
}

// AllCommands takes the action log of every component.
func AllCommands() Filter[Command] {
	return filterOf[Command](streamCommands, rootCommand+".>")
}

// VerbCall asks the instances of a component to carry out a control verb; the first
// answer is taken. Both must be plain words, as CommandSubject checks.
func VerbCall(component, verb string) Call[VerbRequest, json.RawMessage] {
	return Call[VerbRequest, json.RawMessage]{join(rootControl, component, verb)}
}

func join(tokens ...string) string { return strings.Join(tokens, ".") }

// split cuts a subject into n tokens and checks that it begins with the given ones.
func split(s string, n int, begins ...string) ([]string, error) {
	bad := func() ([]string, error) {
		return nil, Errorf(CodeInvalid, "bad_subject", "%q is not a subject of this kind", s)
	}
	tokens := strings.Split(s, ".")
	if len(tokens) != n {
		return bad()
	}
	for i, want := range begins {
		if tokens[i] != want {
			return bad()
		}
	}
	for _, t := range tokens {
		if !isToken(t) {
			return bad()
		}
	}
	return tokens, nil
}

// isToken says whether s can stand as one token of a subject or key: no wildcard,
// dot or space can pass.
func isToken(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		ok := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_'
		if !ok {
			return false
		}
	}
	return true
}
