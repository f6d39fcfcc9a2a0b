package restore

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"splashtail/jobs/backup/plan"
)

// PlanText is what the plan is called among the files of its job as people read it: with every line, which no message has room for.
const PlanText = "plan.txt"

// sections are the parts of a plan's text, deletions first.
var sections = [...]struct {
	op   plan.Op
	name string
}{{plan.Delete, "Deletes"}, {plan.Create, "Makes"}, {plan.Update, "Changes"}, {plan.Cannot, "Cannot be done, and is left as it is"}}

// asText is a plan for people. guild is the name of the saved server.
func asText(p plan.Plan, guild string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Plan %s\nRestores %s as of %s, in the mode %s.\n", p.Hash(), cmp.Or(plan.Short(guild), "the server"), p.Of.TakenAt.UTC().Format(time.RFC3339), p.Options.Mode)
	for _, part := range sections {
		var lines []string
		for _, s := range p.Steps {
			if s.Op == part.op {
				lines = append(lines, s.Line)
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "\n%s: %d\n", part.name, len(lines))
		}
		for _, l := range lines {
			fmt.Fprintf(&b, "  %s\n", strings.Map(printable, l))
		}
	}
	return b.String()
}

// printable keeps a line one line: names are what strangers chose.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}
