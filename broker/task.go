package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"splashtail/bus"
)

// Mute tasks come from two sides: AutoMuteUs 8 and proxies of galactus publish them in
// Redis, muteproxy asks over the bus. A client works on one at a time, since it blocks
// while it talks to Discord.

// The sources and outcomes of tasks, for metrics.
const (
	sourceOld = "redis_g1" // tasks:subscribe: wants to hear first that somebody has it
	sourceNew = "redis_g2" // tasks:list:
	sourceBus = "bus"

	taskDone     = "done"
	taskFailed   = "failed"   // the client says so
	taskTimeout  = "timeout"  // the client does not answer
	taskLate     = "late"     // it waited in line longer than its asker
	taskGone     = "gone"     // the client left
	taskFull     = "full"     // too many wait
	taskRepeated = "repeated" // published again
	taskBad      = "bad"
)

// maxTasks is how many tasks may wait for one client: more than players fit in a game.
const maxTasks = 64

// task is one change that the client is asked to make.
type task struct {
	id     string
	text   string // as sent to the client
	source string
	since  time.Time
	reply  func(outcome string) // called once
}

// taker gives tasks to the Discord bot of one session, one after the other.
type taker struct {
	st    *seat
	s     *session
	queue chan task
	done  chan struct{}
	once  sync.Once
	unbus func() // ends serving the bus

	mu      sync.Mutex
	stopped bool
	current string    // id of the task that the client works on
	answer  chan bool // of that task
}

func newTaker(st *seat, s *session) *taker {
	return &taker{st: st, s: s, queue: make(chan task, maxTasks), done: make(chan struct{}), unbus: func() {}}
}

// start serves tasks until stop. Tasks over the bus find nobody before and after, which
// muteproxy takes as "not ready".
func (t *taker) start(ctx context.Context) {
	t.st.h.run(t.run)
	unbus, err := bus.Serve(ctx, t.st.h.b, bus.ModifyCall(t.st.code), t.busTask)
	if err != nil {
		t.st.h.log.Warn("mute tasks over the bus are not served", "code", t.st.code, "err", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		unbus()
		return
	}
	t.unbus = unbus
}

// stop ends the taker and answers what waits.
func (t *taker) stop() {
	t.once.Do(func() {
		close(t.done)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stopped = true
		t.unbus()
		for {
			select {
			case k := <-t.queue:
				k.reply(taskGone)
			default:
				return
			}
		}
	})
}

// add queues a task.
func (t *taker) add(k task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		k.reply(taskGone)
		return
	}
	select {
	case t.queue <- k:
	default:
		k.reply(taskFull)
	}
}

func (t *taker) run() {
	for {
		select {
		case <-t.done:
			return
		case k := <-t.queue:
			k.reply(t.do(k))
		}
	}
}

// do gives one task to the client and waits for its answer.
func (t *taker) do(k task) (outcome string) {
	if time.Since(k.since) > t.st.h.cfg.AckTimeout {
		return taskLate // the asker has gone another way, and a late mute undoes a newer one
	}
	answer := make(chan bool, 1)
	t.expect(k.id, answer)
	defer t.expect("", nil)
	if err := t.s.conn.Emit("modify", k.text); err != nil {
		return taskGone
	}
	timer := time.NewTimer(t.st.h.cfg.TaskTimeout)
	defer timer.Stop()
	select {
	case ok := <-answer:
		if ok {
			return taskDone
		}
		return taskFailed
	case <-timer.C:
		return taskTimeout
	case <-t.done:
		return taskGone
	}
}

func (t *taker) expect(id string, answer chan bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current, t.answer = id, answer
}

// answered takes the client's answer: for the task it works on, once.
func (t *taker) answered(id string, done bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answer == nil || id != t.current {
		return false
	}
	t.answer <- done
	t.answer = nil
	return true
}

// answer takes an answer of a session to a task; false when the task was not given to
// it or is answered already.
func (st *seat) answer(s *session, id string, done bool) bool {
	st.mu.Lock()
	t := st.taker
	st.mu.Unlock()
	return t != nil && t.s == s && t.answered(id, done)
}

// redisTask takes a task that was published in Redis. Must not block.
func (st *seat) redisTask(text string, old bool) {
	source := sourceNew
	if old {
		source = sourceOld
	}
	count := func(outcome string) { st.h.m.tasks.WithLabelValues(source, outcome).Inc() }
	var k bus.ModifyTask
	if json.Unmarshal([]byte(text), &k) != nil || !isTaskID(k.TaskID) {
		count(taskBad)
		return
	}
	st.mu.Lock()
	t := st.taker
	repeated := t != nil && st.seen.before(taskKey(k))
	st.mu.Unlock()
	if t == nil {
		return // no client is ready; the asker sees it by the silence
	}
	if repeated {
		count(taskRepeated)
		return
	}
	if old {
		st.h.notes.send(broadcastChannel(k.TaskID), "true")
	}
	t.add(task{id: k.TaskID, text: text, source: source, since: time.Now(), reply: func(outcome string) {
		count(outcome)
		word := "false"
		if outcome == taskDone {
			word = "true"
		}
		st.h.notes.send(completeChannel(k.TaskID), word)
	}})
}

// taskKey tells tasks apart. The id alone does not: AutoMuteUs makes it of guild, user
// and second, so that a mute and the unmute right after it share one.
func taskKey(k bus.ModifyTask) string {
	return fmt.Sprintf("%s %d %d %t %t", k.TaskID, k.Guild, k.User, k.Parameters.Deaf, k.Parameters.Mute)
}

// busTask takes a task from muteproxy.
func (t *taker) busTask(ctx context.Context, k bus.ModifyTask) (bus.ModifyResult, error) {
	count := func(outcome string) { t.st.h.m.tasks.WithLabelValues(sourceBus, outcome).Inc() }
	text, err := json.Marshal(k)
	if err != nil || !isTaskID(k.TaskID) {
		count(taskBad)
		return bus.ModifyResult{}, bus.Errorf(bus.CodeInvalid, "bad_task", "the task has no usable id; nothing was sent to the client")
	}
	outcome := make(chan string, 1)
	t.add(task{id: k.TaskID, text: string(text), source: sourceBus, since: time.Now(), reply: func(o string) {
		count(o)
		outcome <- o
	}})
	select {
	case o := <-outcome:
		return busAnswer(o)
	case <-ctx.Done():
		return bus.ModifyResult{}, bus.Errorf(bus.CodeUnavailable, "stopping", "the broker stops; the task may have been done: %w", ctx.Err())
	}
}

func busAnswer(outcome string) (bus.ModifyResult, error) {
	switch outcome {
	case taskDone, taskFailed:
		return bus.ModifyResult{V: 1, Done: outcome == taskDone}, nil
	case taskFull:
		return bus.ModifyResult{}, bus.Errorf(bus.CodeLimited, taskFull, "too many tasks wait for the capture client; this one was not sent")
	case taskLate:
		return bus.ModifyResult{}, bus.Errorf(bus.CodeLimited, taskLate, "the capture client was busy too long; the task was not sent")
	case taskGone:
		return bus.ModifyResult{}, bus.Errorf(bus.CodeUnavailable, taskGone, "the capture client left; the task may have been done")
	}
	return bus.ModifyResult{}, bus.Errorf(bus.CodeUnavailable, taskTimeout, "the capture client did not answer in time; the task may have been done")
}

// recent remembers what came lately. Its user locks.
type recent struct {
	now  func() time.Time
	at   map[string]time.Time
	line []string // oldest first
}

const (
	recentFor = 60 * time.Second
	maxRecent = 1024
)

func newRecent(now func() time.Time) recent {
	return recent{now: now, at: map[string]time.Time{}}
}

// before says whether the key came within the last minute, and remembers it.
func (r *recent) before(key string) bool {
	now := r.now()
	for len(r.line) > 0 && (len(r.line) >= maxRecent || now.Sub(r.at[r.line[0]]) > recentFor) {
		delete(r.at, r.line[0])
		r.line = r.line[1:]
	}
	if _, known := r.at[key]; known {
		return true
	}
	r.at[key] = now
	r.line = append(r.line, key)
	return false
}
