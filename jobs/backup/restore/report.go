package restore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"splashtail/bus"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// ReportName is what the report is called among the files of a restore's job.
const ReportName = "report.txt"

// report collects what came of a restore.
type report struct {
	safety string // the file with the guild as it was before: restoring it undoes the restore

	messages int // of steps that were not finished

	done  map[plan.Op]int
	kinds map[plan.Kind]int
	lines []string
	fails []string
	left  []string
}

func newReport() *report { return &report{done: map[plan.Op]int{}, kinds: map[plan.Kind]int{}} }

func (p *report) did(s plan.Step) {
	p.done[s.Op]++
	p.kinds[s.Kind]++
	p.lines = append(p.lines, "done: "+s.Line)
	if len(s.Less) > 0 {
		p.left = append(p.left, lessOf(s)) // the line above has it, too
	}
}

// lessOf is a step with what is missing of it, which most lines tell themselves.
func lessOf(s plan.Step) string {
	if strings.Contains(s.Line, s.Less[0]) {
		return s.Line
	}
	return s.Line + ": " + strings.Join(s.Less, "; ")
}

// take notes what came of a step.
func (p *report) take(s plan.Step, res result) {
	for _, l := range res.Left {
		p.leave(l)
	}
	if res.Failed != "" {
		p.fail(s.Line + ": " + res.Failed)
		return
	}
	p.did(s)
}

// fail notes what was planned and could not be done.
func (p *report) fail(line string) {
	p.fails = append(p.fails, line)
	p.lines = append(p.lines, "failed: "+line)
}

// begun notes a step that was not finished, of which so many messages are there.
func (p *report) begun(s plan.Step, messages int) {
	p.messages += messages
	p.leave(fmt.Sprintf("%s: %d were written until it ended, and stay", s.Line, messages))
}

// leave notes what was left out.
func (p *report) leave(line string) {
	p.left = append(p.left, line)
	p.lines = append(p.lines, "left out: "+line)
}

func (p *report) outcome() bus.RestoreDone {
	d := bus.RestoreDone{Safety: p.safety, Report: ReportName, Done: map[string]int{}}
	for op, n := range p.done {
		d.Done[string(op)] = n
	}
	d.Failed, d.Left = first(p.fails), first(p.left)
	return d
}

func first(list []string) []string { return list[:min(len(list), maxLines)] }

// text is the report for people.
func (p *report) text(total int, end error) string {
	var b strings.Builder
	n := 0
	for _, k := range p.done {
		n += k
	}
	switch {
	case end == nil:
		fmt.Fprintf(&b, "The restore is finished: %d of %d steps done, %d failed, %d things left out.\n", n, total, len(p.fails), len(p.left))
	default:
		fmt.Fprintf(&b, "The restore ended early: %v. %d of %d steps were done and stay.\n", end, n, total)
	}
	fmt.Fprintf(&b, "To undo it, restore the backup %q of this job, in the mode exact.\n\n", p.safety)
	for _, k := range append(plan.Kinds(), plan.RoleOrder, plan.ChannelOrder) {
		if p.kinds[k] > 0 {
			fmt.Fprintf(&b, "%s: %d\n", k, p.kinds[k])
		}
	}
	b.WriteString("\n" + strings.Join(p.lines, "\n") + "\n")
	return b.String()
}

// finish tells how a restore ended, also one that was cancelled; after another worker has taken it over it says nothing.
func (x *run) finish(ctx context.Context, end error) error {
	if errors.Is(end, work.ErrLost) || end != nil && errors.Is(context.Cause(ctx), work.ErrLost) {
		return end
	}
	var later *work.SnoozeError
	if errors.As(end, &later) {
		return end
	}
	if err := x.Outcome(x.report.outcome()); err != nil {
		return errors.Join(end, err)
	}
	if end != nil && ctx.Err() != nil {
		x.Say(work.Warning, "Cancelled: %d things were made, %d changed and %d deleted before, and %d messages of unfinished places were written; they stay. The backup %q of this job undoes that.",
			x.report.done[plan.Create], x.report.done[plan.Update], x.report.done[plan.Delete], x.report.messages, x.report.safety)
		return end
	}
	if _, err := x.Put(ctx, ReportName, strings.NewReader(x.report.text(len(x.plan.Steps), end))); err != nil {
		return errors.Join(end, err)
	}
	return end
}
