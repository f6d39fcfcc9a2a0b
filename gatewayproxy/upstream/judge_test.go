package upstream

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	at := func(url string) *session { return &session{id: "s", url: url} }
	const long = time.Hour
	for _, c := range []struct {
		name  string
		m     memory
		e     end
		want  memory
		min   time.Duration
		max   time.Duration
		stops bool
	}{
		{"op 7 resumes at once", memory{session: at("u")}, end{cause: causeReconnect, live: true, lasted: long}, memory{session: at("u"), failures: 1}, 0, 0, false},
		{"a loss that comes back soon waits a little", memory{session: at("u"), failures: 3}, end{cause: causeClosed, live: true, lasted: time.Second}, memory{session: at("u"), failures: 4}, 0, 4 * time.Second, false},
		{"a long life forgets failures", memory{session: at("u"), failures: 9}, end{cause: causeZombie, live: true, lasted: long}, memory{session: at("u"), failures: 1}, 0, 0, false},
		{"the wait has an end", memory{failures: 50}, end{cause: causeDial}, memory{failures: 51}, 0, time.Minute, false},
		{"op 9 true keeps the session", memory{session: at("u")}, end{cause: causeInvalid, keep: true, live: true, lasted: long}, memory{session: at("u"), failures: 1}, time.Second, 5 * time.Second, false},
		{"op 9 false does not", memory{session: at("u"), resumeFails: 2}, end{cause: causeInvalid, resume: true}, memory{failures: 1}, time.Second, 5 * time.Second, false},
		{"4007 ends the session", memory{session: at("u")}, end{cause: causeClosed, code: 4007, live: true, lasted: long}, memory{failures: 1}, 0, 0, false},
		{"4009 ends the session", memory{session: at("u")}, end{cause: causeClosed, code: 4009, resume: true}, memory{failures: 1}, 0, 0, false},
		{"4000 does not", memory{session: at("u")}, end{cause: causeClosed, code: 4000, live: true, lasted: long}, memory{session: at("u"), failures: 1}, 0, 0, false},
		{"4003 and 4005 are not fatal", memory{session: at("u")}, end{cause: causeClosed, code: 4005, live: true, lasted: long}, memory{session: at("u"), failures: 1}, 0, 0, false},
		{"a bad token stops", memory{session: at("u")}, end{cause: causeClosed, code: 4004}, memory{session: at("u")}, 0, 0, true},
		{"an intent that is not allowed stops", memory{}, end{cause: causeClosed, code: 4014}, memory{}, 0, 0, true},
		{"two tries at the resume host", memory{session: at("u"), resumeFails: 1, failures: 1}, end{cause: causeDial, resume: true}, memory{session: at("u"), resumeFails: 2, failures: 2}, 0, time.Second, false},
		{"three, and it is forgotten", memory{session: at("u"), resumeFails: 2, failures: 2}, end{cause: causeDial, resume: true}, memory{session: at(""), failures: 3}, 0, 2 * time.Second, false},
		{"no network ends no session", memory{session: at(""), resumeFails: 2, failures: 7}, end{cause: causeDial, resume: true}, memory{session: at(""), resumeFails: 2, failures: 8}, 0, time.Minute, false},
		{"a host that answers and does not resume ends it", memory{session: at(""), resumeFails: 2, failures: 2}, end{cause: causeClosed, resume: true}, memory{failures: 3}, 0, 2 * time.Second, false},
		{"an operator's restart", memory{session: at("u"), failures: 5}, end{cause: causeOrder, keep: true, live: true, lasted: long}, memory{session: at("u"), failures: 1}, 0, 0, false},
		{"an operator's new session", memory{session: at("u")}, end{cause: causeOrder, live: true, lasted: long}, memory{failures: 1}, 0, 0, false},
		{"a spent budget is looked at again", memory{failures: 2}, end{cause: causeBudget, until: now.Add(time.Hour), err: errors.New("x")}, memory{failures: 2}, time.Minute, time.Minute, false},
		{"and at its reset", memory{}, end{cause: causeBudget, until: now.Add(5 * time.Second)}, memory{}, 5 * time.Second, 5 * time.Second, false},
		{"a silent gateway", memory{session: at("u")}, end{cause: causeSilent, live: true, lasted: long}, memory{session: at("u"), failures: 1}, 0, 0, false},
		{"the bus refuses", memory{session: at("u"), failures: 2}, end{cause: causeStore, live: true, lasted: time.Second}, memory{session: at("u"), failures: 3}, 0, 2 * time.Second, false},
	} {
		got, next := c.m.judge(c.e, now)
		same := got.failures == c.want.failures && got.resumeFails == c.want.resumeFails &&
			(got.session == nil) == (c.want.session == nil) && (got.session == nil || *got.session == *c.want.session)
		if !same || next.min != c.min || next.max != c.max || (next.stop != "") != c.stops {
			t.Errorf("%s: %+v (%+v) and %+v", c.name, got, got.session, next)
		}
	}
}

// TestEveryRefusalSaysWhatToDo holds for each close code after which Discord does not
// want us again, and for no other.
func TestEveryRefusalSaysWhatToDo(t *testing.T) {
	for code := 0; code < 5000; code++ {
		final := code == 4004 || code >= 4010 && code <= 4014
		if why := refusal(code); (why != "") != final || final && !strings.Contains(why, ";") {
			t.Errorf("%d: %q", code, why)
		}
	}
}

// TestASessionIsNeverTriedForEver: whatever hosts answer, after some tries a new session
// is begun, and a resume host that is gone is not asked for ever.
func TestASessionIsNeverTriedForEver(t *testing.T) {
	m, asked := memory{session: &session{id: "s", url: "u"}}, map[string]int{}
	for range 20 {
		if m.session == nil {
			break
		}
		asked[m.session.url]++
		m, _ = m.judge(end{cause: causeClosed, resume: true}, time.Now())
	}
	if m.session != nil || asked["u"] != resumeTries || asked[""] != resumeTries {
		t.Errorf("%+v %v", m, asked)
	}
}
