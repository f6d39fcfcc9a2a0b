package restore

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"splashtail/jobs/backup/model"
)

// What nobody can send for others is told in words here: stickers, polls, forwards, and files that are not at hand.

// textOf is what a message itself says, with lines for all that cannot be sent again, and the files that can.
func textOf(m model.Message, upload int64) (text string, files []model.Attachment) {
	files, notes := sendable(&m, upload)
	return lines(m.Content, stickers(m.Stickers), poll(m.Poll), notes), files
}

// lines puts a text and lines below it together, once: a message of a stranger's backup may have many thousands of them.
func lines(text string, more ...[]string) string {
	all := slices.Concat(more...)
	if text != "" {
		all = append([]string{text}, all...)
	}
	return strings.Join(all, "\n")
}

// maxAnswers bounds the answers of a poll; Discord takes 10.
const maxAnswers = 20

// sendable are the files of a message and of what it forwards that can be sent again, and a line for each that cannot.
func sendable(m *model.Message, upload int64) (files []model.Attachment, notes []string) {
	for a := range m.Files() {
		switch {
		case a.File == "" && a.Skipped != "":
			notes = append(notes, fmt.Sprintf("-# [file %s is not in the backup: %s]", a.Name, a.Skipped))
		case a.File == "":
			notes = append(notes, fmt.Sprintf("-# [file %s is not in the backup]", a.Name))
		case a.Size > upload:
			notes = append(notes, fmt.Sprintf("-# [file %s is larger than Discord takes here]", a.Name))
		default:
			files = append(files, *a)
			if a.Waveform != "" {
				notes = append(notes, fmt.Sprintf("-# [voice message, %.0f s]", a.Seconds))
			}
		}
	}
	return files, notes
}

// stickers names the stickers of a message, with the address of those that Discord keeps as pictures.
func stickers(list []model.MessageSticker) (all []string) {
	for _, s := range list {
		name := "sticker: " + strings.NewReplacer("[", "(", "]", ")").Replace(s.Name)
		ending := map[int]string{1: ".png", 2: ".png", 4: ".gif"}[s.Format] // 3 is an animation that has no picture
		if ending == "" || s.ID == "" || strings.Trim(string(s.ID), "0123456789") != "" {
			all = append(all, "-# ["+name+"]")
			continue
		}
		all = append(all, fmt.Sprintf("-# [%s](https://media.discordapp.net/stickers/%s%s?size=160)", name, s.ID, ending))
	}
	return all
}

// poll tells a question, its answers, and how many chose them.
func poll(p *model.Poll) []string {
	if p == nil {
		return nil
	}
	votes, total := map[int]int{}, 0
	if p.Results != nil {
		for _, c := range p.Results.Counts {
			votes[c.ID] += c.Count
			total += c.Count
		}
	}
	said := []string{"📊 " + media(p.Question)}
	for _, a := range p.Answers[:min(len(p.Answers), maxAnswers)] {
		if p.Results == nil {
			said = append(said, "- "+media(a.Media))
		} else {
			said = append(said, fmt.Sprintf("- %s: **%d**", media(a.Media), votes[a.ID]))
		}
	}
	switch {
	case p.Results == nil:
		return append(said, "-# [poll, without its votes]")
	case p.Results.Final:
		return append(said, fmt.Sprintf("-# [poll, closed with %d votes]", total))
	}
	return append(said, fmt.Sprintf("-# [poll, %d votes when it was saved]", total))
}

// media is a text with its emoji.
func media(m model.PollMedia) string {
	if m.Emoji == nil || m.Emoji.Name == "" {
		return m.Text
	}
	emoji := m.Emoji.Name
	if m.Emoji.ID != "" {
		emoji = "<:" + m.Emoji.Name + ":" + string(m.Emoji.ID) + ">"
	}
	return strings.TrimSpace(emoji + " " + m.Text)
}

// quote adds a message that was forwarded to pieces of at most so many characters. Each piece of it is a quotation of its own,
// to the end of its post; the first one goes into the last post before it where it fits.
func quote(pieces []string, f model.Forwarded, most int) []string {
	head := "-# [forwarded]"
	if !f.At.IsZero() {
		head = fmt.Sprintf("-# [forwarded, of <t:%d:f>]", f.At.Unix())
	}
	const mark = ">>> "
	quoted := split(lines(f.Content, stickers(f.Stickers)), most-len(head)-1-len(mark))
	for i := range quoted {
		quoted[i] = mark + quoted[i]
	}
	if len(quoted) == 0 {
		quoted = []string{head}
	} else {
		quoted[0] = head + "\n" + quoted[0]
	}
	if n := len(pieces); n > 0 && !strings.Contains(pieces[n-1], mark) {
		if joined := pieces[n-1] + "\n" + quoted[0]; utf8.RuneCountInString(joined) <= most {
			pieces[n-1], quoted = joined, quoted[1:]
		}
	}
	return append(pieces, quoted...)
}

// retold counts what comes back in another form than it had.
type retold struct{ polls, forwards, voices int }

func (r *retold) count(m *model.Message) {
	if m.Poll != nil {
		r.polls++
	}
	if len(m.Snapshots) > 0 {
		r.forwards++
	}
	for a := range m.Files() {
		if a.Waveform != "" && a.File != "" {
			r.voices++
		}
	}
}

// lines says it for the report.
func (r retold) lines(of string) (list []string) {
	for _, c := range []struct {
		n                int
		one, more, means string
	}{
		{r.polls, "poll", "polls", "text with the votes: nobody can vote for others"},
		{r.forwards, "forward", "forwards", "a quotation: nobody can forward what is gone"},
		{r.voices, "voice message", "voice messages", "a file: only people can send those"},
	} {
		if c.n > 0 {
			list = append(list, fmt.Sprintf("%s: %d %s came back as %s", of, c.n, map[bool]string{true: c.one, false: c.more}[c.n == 1], c.means))
		}
	}
	return list
}
