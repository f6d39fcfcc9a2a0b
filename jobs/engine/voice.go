package engine

import (
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// progressEvery thins what is shown of progress to two messages a second.
const progressEvery = 500 * time.Millisecond

// maxLine bounds a line of a log, in bytes.
const maxLine = 4 << 10

// voice tells of a run: lines at once, progress thinned out.
type voice struct {
	e       *Engine
	log     bus.Subject[bus.JobLine]
	steps   bus.Subject[bus.JobLine]
	attempt int

	mu   sync.Mutex
	now  bus.JobProgress
	last time.Time // when progress was told
	due  bool      // there is progress that was not told
}

func newVoice(e *Engine, job bus.Job) *voice {
	return &voice{e: e, log: bus.JobLogSubject(job.Guild, job.ID), steps: bus.JobProgressSubject(job.Guild, job.ID), attempt: job.Attempt}
}

func (v *voice) say(level work.Level, text string) {
	v.mu.Lock()
	v.endWait()
	v.mu.Unlock()
	v.e.tell(v.log, bus.JobLine{V: 1, Attempt: v.attempt, Level: string(level), Text: cut(text, maxLine), At: time.Now().UTC()})
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // not in the middle of a letter
		n--
	}
	return s[:n]
}

func (v *voice) phase(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = bus.JobProgress{Phase: name}
	v.due = true
	v.tell(false)
}

func (v *voice) progress(done, total int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now.Done, v.now.Total, v.now.Wait = done, total, nil
	v.due = true
	v.tell(done == total)
}

// waiting tells at once: it is what people ask about when nothing moves.
func (v *voice) waiting(until time.Time, why string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	same := v.now.Wait != nil && v.now.Wait.Why == why
	v.now.Wait = &bus.JobWait{Until: until.UTC(), Why: cut(why, maxLine)}
	v.due = true
	v.tell(!same)
}

func (v *voice) endWait() {
	if v.now.Wait != nil {
		v.now.Wait, v.due = nil, true
		v.tell(false)
	}
}

// flush tells what was held back.
func (v *voice) flush() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tell(true)
}

// tell publishes progress that was not told, unless the last one is too recent and it is not urgent.
func (v *voice) tell(urgent bool) {
	now := time.Now()
	if !v.due || !urgent && now.Sub(v.last) < progressEvery {
		return
	}
	v.last, v.due = now, false
	p := v.now
	p.At = now.UTC()
	v.e.tell(v.steps, bus.JobLine{V: 1, Attempt: v.attempt, At: p.At, Step: &p})
}
