package jobcard

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
)

// shownLines is how many lines of a log a card shows.
const shownLines = 6

// maxLine is how much of a line a card shows, in characters.
const maxLine = 300

// view is what a job's log has told so far. It may be used by several goroutines.
type view struct {
	mu    sync.Mutex
	job   bus.Job
	lines []bus.JobLine
	news  chan struct{} // holds something when there is more than the last card showed
}

func newView(job bus.Job) *view { return &view{job: job, news: make(chan struct{}, 1)} }

// note takes a line of the log.
func (v *view) note(l bus.JobLine) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case l.Step != nil:
		v.job.Progress = l.Step
		v.job.Wait = l.Step.Wait
		if l.State != "" {
			v.job.State = l.State
		}
	case l.State != "":
		v.job.State, v.job.Wait = l.State, nil
	}
	if l.Text != "" {
		v.lines = append(v.lines, l)
		if len(v.lines) > shownLines {
			v.lines = slices.Clone(v.lines[len(v.lines)-shownLines:])
		}
	}
	select {
	case v.news <- struct{}{}:
	default:
	}
	return nil
}

// wait waits until there is something new; false when the log is over.
func (v *view) wait(ctx context.Context, over <-chan error) bool {
	select {
	case <-v.news:
		return true
	case <-over:
		return false
	case <-ctx.Done():
		return true // the next edit says so
	}
}

// icon marks a state.
func icon(s bus.JobState) string {
	switch s {
	case bus.JobPending, bus.JobWaiting:
		return "⏳"
	case bus.JobRunning:
		return "🔄"
	case bus.JobCompleted:
		return "✅"
	case bus.JobFailed:
		return "❌"
	case bus.JobCancelled:
		return "🛑"
	}
	return "❔"
}

// head is the first line of a card.
func head(w words.Language, j bus.Job) string {
	return icon(j.State) + " " + w.T("jobcard.state."+string(j.State))
}

// card is what the job looks like now.
func (v *view) card(w words.Language) card.Card {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := card.Card{Title: w.T("jobcard.kind." + string(v.job.Kind)), Footer: w.T("jobcard.footer", "id", v.job.ID)}
	var text strings.Builder
	text.WriteString(head(w, v.job))
	if p := v.job.Progress; p != nil && (p.Phase != "" || p.Total > 0) {
		fmt.Fprintf(&text, "\n%s%s", phase(w, p.Phase), bar(p.Done, p.Total))
	}
	if wait := v.job.Wait; wait != nil {
		text.WriteString("\n" + w.T("jobcard.waits", "until", fmt.Sprintf("<t:%d:R>", wait.Until.Unix()), "why", card.Plainly(wait.Why)))
	}
	text.WriteString("\n")
	for _, l := range v.lines {
		text.WriteString("\n" + line(l))
	}
	c.Text = text.String()
	return c
}

// beforeStep begins the names of the steps in which a restore keeps the server as it is.
const beforeStep = "before-"

// phase says what a job is at. A step that the catalogue does not know keeps its name, and a job that does a list of things
// has none.
func phase(w words.Language, step string) string {
	if step == "" {
		return ""
	}
	name, before := strings.CutPrefix(step, beforeStep)
	word := name
	if key := "phase." + name; w.T(key) != key {
		word = w.T(key)
	}
	if before {
		word = w.T("phase.before", "phase", word)
	}
	return "**" + card.Plainly(word) + "** "
}

// line is a line of the log.
func line(l bus.JobLine) string {
	mark := "·"
	switch l.Level {
	case "warning":
		mark = "⚠️"
	case "error":
		mark = "❌"
	}
	return fmt.Sprintf("%s <t:%d:T> %s", mark, l.At.Unix(), card.Cut(card.Plainly(l.Text), maxLine))
}

// bar draws how much is done.
func bar(done, total int) string {
	if total <= 0 {
		return ""
	}
	const width = 12
	full := min(max(done*width/total, 0), width)
	return fmt.Sprintf("%s%s %d / %d", strings.Repeat("▰", full), strings.Repeat("▱", width-full), done, total)
}

// endCard is what a job that has ended looks like.
func endCard(w words.Language, j bus.Job) card.Card {
	c := card.Card{Title: w.T("jobcard.kind." + string(j.Kind)), Text: head(w, j), Footer: w.T("jobcard.footer", "id", j.ID), Colour: card.Good}
	switch j.State {
	case bus.JobFailed:
		c.Colour = card.Bad
		if j.Error != nil {
			c.Fields = append(c.Fields, card.Field{Name: w.T("jobcard.why"), Value: card.Plainly(j.Error.Message)})
		}
		c.Text += "\n" + w.T("jobcard.again", "id", j.ID)
	case bus.JobCancelled:
		c.Colour = card.Urgent
	}
	c.Fields = append(c.Fields, outcome(w, j)...)
	return c
}

// outcome says what came of a job, by its kind.
func outcome(w words.Language, j bus.Job) []card.Field {
	switch j.Kind {
	case bus.JobBackupCreate, bus.JobBackupScheduled:
		return backupFields(w, j.Outcome)
	case bus.JobBackupRestore:
		return restoreFields(w, j.Outcome)
	case bus.JobIncidentUndo:
		return undoFields(w, j.Outcome)
	}
	return nil
}

func backupFields(w words.Language, data json.RawMessage) []card.Field {
	var done bus.BackupDone
	if len(data) == 0 || json.Unmarshal(data, &done) != nil {
		return nil
	}
	fields := []card.Field{
		{Name: w.T("jobcard.holds"), Value: Counts(w, done.Counts), Inline: true},
		{Name: w.T("jobcard.size"), Value: Bytes(done.Size), Inline: true},
	}
	if len(done.Missing) > 0 {
		fields = append(fields, card.Field{Name: w.T("jobcard.missing", "count", len(done.Missing)), Value: Bullets(done.Missing, len(done.Missing))})
	}
	return append(fields, card.Field{Name: w.T("jobcard.next"), Value: w.T("jobcard.backup_next")})
}

func restoreFields(w words.Language, data json.RawMessage) []card.Field {
	var done bus.RestoreDone
	if len(data) == 0 || json.Unmarshal(data, &done) != nil {
		return nil
	}
	fields := []card.Field{{Name: w.T("jobcard.done"), Value: Counts(w, done.Done), Inline: true}}
	if len(done.Failed) > 0 {
		fields = append(fields, card.Field{Name: w.T("jobcard.failed", "count", len(done.Failed)), Value: Bullets(done.Failed, len(done.Failed))})
	}
	if len(done.Left) > 0 {
		fields = append(fields, card.Field{Name: w.T("jobcard.left", "count", len(done.Left)), Value: Bullets(done.Left, len(done.Left))})
	}
	return append(fields, card.Field{Name: w.T("jobcard.next"), Value: w.T("jobcard.restore_next")})
}

// Counts writes counts as people read them, the largest first. A thing that the catalogue does not know keeps its name.
func Counts(w words.Language, counts map[string]int) string {
	names := slices.Collect(maps.Keys(counts))
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	var out []string
	for _, name := range names {
		out = append(out, fmt.Sprintf("%d %s", counts[name], counted(w, name, counts[name])))
	}
	return strings.Join(out, "\n")
}

// counted is the word behind a number.
func counted(w words.Language, name string, n int) string {
	keys := []string{"count." + name}
	if n == 1 {
		keys = []string{"count.one." + name, "count." + name}
	}
	for _, key := range keys {
		if word := w.T(key); word != key {
			return word
		}
	}
	return name
}

// Bytes writes a size with its unit.
func Bytes(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return fmt.Sprintf("%d B", n)
	case n < unit*unit:
		return fmt.Sprintf("%.1f KiB", float64(n)/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(n)/unit/unit)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/unit/unit/unit)
}

// Bullets writes lines of a list as far as a field takes them, and how many of all that there are have no room.
func Bullets(lines []string, all int) string {
	const room, longest = 960, 200
	var b strings.Builder
	used, shown := 0, 0
	for _, l := range lines {
		l = "• " + card.Cut(card.Plainly(l), longest) + "\n"
		if used += utf8.RuneCountInString(l); used > room {
			break
		}
		b.WriteString(l)
		shown++
	}
	if all > shown {
		fmt.Fprintf(&b, "… +%d", all-shown)
	}
	return b.String()
}
