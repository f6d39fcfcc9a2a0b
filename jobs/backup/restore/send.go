package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// chunkOf is how many messages are noted together: so many are compared with the end of the channel after a crash.
const chunkOf = 20

// writing is one channel or thread while its messages are written again.
type writing struct {
	saved   model.ID
	channel string              // where its webhook is
	thread  string              // empty: none
	news    map[model.ID]string // message of the backup → its first piece here
	last    string              // the newest piece that is known
	looked  bool                // the end of the channel has been compared
	left    []string            // what was left out, at most maxLeft
	more    int                 // what was left out beyond that
	row     int                 // posts in a row that the bot was not let write
}

// sent is what is noted of a chunk: the ids that its posts got, empty for those that Discord refused.
type sent struct {
	IDs  []string `json:"ids"`
	Left []string `json:"left,omitempty"`
}

// Bounds of what the report says of one channel or thread.
const (
	maxLeft     = 100
	maxLeftLine = 300 // characters
)

// leave notes what was left out, as far as a report takes it.
func (w *writing) leave(lines ...string) {
	for _, l := range lines {
		if len(w.left) == maxLeft {
			w.more++
		} else {
			w.left = append(w.left, cutTo(l, maxLeftLine))
		}
	}
}

// cutTo cuts a text to so many characters.
func cutTo(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return s[:runes(s, most-1)] + "…"
}

// result is what came of it.
func (w *writing) result() result {
	if w.more > 0 {
		w.left = append(w.left, fmt.Sprintf("and %d more of the same place", w.more))
	}
	return result{Left: w.left}
}

// shutError says that a place takes no more messages: its webhook cannot be had, or Discord lets the bot write nothing.
type shutError struct{ why string }

func (e *shutError) Error() string { return e.why }

// maxRow is how many posts in a row may be forbidden before the rest of a place is given up: each is counted against the bot,
// and against all that runs at the same address.
const maxRow = 5

// refused counts what Discord did not let the bot write, and ends the place when it lets it write nothing.
func (w *writing) refused(err error, why string) error {
	var e *discord.APIError
	switch {
	case err == nil:
		w.row = 0
	case !errors.As(err, &e) || e.Status == http.StatusForbidden || e.Status == http.StatusNotFound:
		if w.row++; w.row >= maxRow {
			return &shutError{why}
		}
	}
	return nil
}

func (w *writing) place() string { return orText(w.thread, w.channel) }

// writes tells whether the plan writes messages.
func (x *run) writes() bool {
	return slices.ContainsFunc(x.plan.Steps, func(s plan.Step) bool { return s.Kind == plan.Messages && s.Acts() })
}

// placeOf finds the channel, and the thread in it, that stand for those of the backup.
func (x *run) placeOf(saved model.ID) (channel, thread string) {
	made, _ := x.made("+" + saved)
	id := string(made)
	for _, s := range x.plan.Steps {
		if s.Kind != plan.Thread || s.ID != saved {
			continue
		}
		v, err := s.Values(x.made)
		if err != nil {
			return "", ""
		}
		return textIn(v["parent_id"]), id
	}
	if id == "" && x.plan.Refs.Channels[saved] == saved {
		id = string(saved) // it is still there, emptied
	}
	return id, ""
}

// write writes the messages of one channel or thread, oldest first, then pins those that were pinned.
func (x *run) write(ctx context.Context, s plan.Step) (result, error) {
	w := &writing{saved: s.ID, news: map[model.ID]string{}}
	w.channel, w.thread = x.placeOf(s.ID)
	if w.place() == "" || w.channel == "" {
		return result{Failed: "its channel could not be made"}, nil
	}
	err := x.beginning(ctx, w)
	if err == nil {
		err = x.writeAll(ctx, w, s)
	}
	if err == nil {
		err = x.pin(ctx, w)
	}
	if err == nil {
		err = x.closeThread(ctx, w)
	}
	var shut *shutError
	if errors.As(err, &shut) {
		res := w.result()
		res.Failed = "only a part of it was written: " + shut.why
		return res, nil
	}
	return w.result(), err
}

// beginning notes, of a channel that was there before, what stands in it before ours.
func (x *run) beginning(ctx context.Context, w *writing) error {
	if w.channel != string(w.saved) {
		return nil
	}
	key := "from/" + w.channel
	if noted, err := x.Noted(key, &w.last); noted || err != nil {
		return err
	}
	var list []there
	err := x.call(ctx, func(ctx context.Context) error { return x.Bot.ReadMessages(ctx, w.channel, "", 1, &list) })
	if err != nil {
		return err
	}
	if len(list) > 0 {
		w.last = string(list[0].ID)
	}
	return x.Note(ctx, key, w.last)
}

// writeAll writes the messages in chunks.
func (x *run) writeAll(ctx context.Context, w *writing, s plan.Step) error {
	var chunk []post
	var told retold
	n := 0
	for m, err := range x.backup.Messages(s.ID) {
		if err != nil {
			return err
		}
		posts := postsOf(m, x.upload())
		if len(posts) > 0 {
			told.count(&m)
		}
		for _, p := range posts {
			if chunk = append(chunk, p); len(chunk) < chunkOf {
				continue
			}
			if err := x.sendChunk(ctx, w, n, chunk); err != nil {
				return err
			}
			chunk, n = chunk[:0], n+1
		}
	}
	w.leave(told.lines(s.Name)...)
	if len(chunk) == 0 {
		return nil
	}
	return x.sendChunk(ctx, w, n, chunk)
}

// sendChunk sends some messages, or those of them that are not there yet, and notes their ids.
func (x *run) sendChunk(ctx context.Context, w *writing, n int, chunk []post) error {
	key := fmt.Sprintf("msg/%s/%d", w.saved, n)
	var done sent
	noted, err := x.Noted(key, &done)
	if err != nil {
		return err
	}
	if noted {
		w.know(chunk, done.IDs)
		w.leave(done.Left...)
		x.wrote(w)
		return nil
	}
	if err := x.awaitNames(ctx, chunk); err != nil {
		return err
	}
	done.IDs = make([]string, len(chunk))
	next := 0
	if !w.looked {
		w.looked = true
		if next, err = x.compare(ctx, w, chunk, done.IDs); err != nil {
			return err
		}
		x.wrote(w)
	}
	for tries := 0; next < len(chunk); {
		p := chunk[next]
		p.embeds = x.renameIn(w, p.embeds)
		posted, left, err := x.post(ctx, w.channel, w.thread, p, nil, x.render(w, p))
		why, refused := refusal(err)
		if err == nil || refused {
			if left += orNothing(": ", why); left != "" {
				done.Left = append(done.Left, cutTo(fmt.Sprintf("message %s%s", p.of, left), maxLeftLine))
			}
			if shut := w.refused(err, why); shut != nil {
				return shut
			}
			done.IDs[next] = posted.ID
			w.know(chunk[next:next+1], done.IDs[next:next+1])
			x.wrote(w)
			next, tries = next+1, 0
			continue
		}
		if tries++; tries > 3 || !unsure(ctx, err) {
			return err
		}
		if err := wait(ctx, x.settle()); err != nil {
			return err
		}
		if next, err = x.compare(ctx, w, chunk, done.IDs); err != nil {
			return err
		}
		x.wrote(w)
	}
	w.leave(done.Left...)
	return x.Note(ctx, key, done)
}

// orNothing puts something before a text that is not empty.
func orNothing(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// know keeps what links, pins and the next look at the channel need.
func (w *writing) know(chunk []post, ids []string) {
	for i, id := range ids {
		if i < len(chunk) && id != "" {
			w.last = id
			if chunk[i].first {
				w.news[chunk[i].of] = id
			}
		}
	}
}

// render is the text of a message here: what it answers, and names of channels, roles and emojis as they are now.
func (x *run) render(w *writing, p post) string {
	text := strings.TrimSpace(p.content)
	if renamed := names.ReplaceAllStringFunc(text, func(m string) string { return x.rename(w, m) }); utf8.RuneCountInString(renamed) <= maxContent {
		text = renamed
	}
	if to := w.news[p.reply]; p.reply != "" && to != "" {
		link := fmt.Sprintf("-# ↪ https://discord.com/channels/%s/%s/%s", x.guild, w.place(), to)
		if utf8.RuneCountInString(link)+1+utf8.RuneCountInString(text) <= maxContent {
			text = strings.TrimSpace(link + "\n" + text)
		}
	}
	return text
}

// attachments are the files of a message as they stream from the backup; missing says which are not there.
func (x *run) attachments(p post) (files []discord.File, missing string) {
	for _, a := range p.files {
		r, size, err := x.backup.File(a.File)
		if err != nil {
			missing += "; without " + a.Name + ": " + err.Error()
			continue
		}
		_ = r.Close() // it was opened for its size
		files = append(files, discord.File{Name: a.Name, Type: a.ContentType, Size: size, Open: func() (io.ReadCloser, error) {
			r, _, err := x.backup.File(a.File)
			return r, err
		}})
	}
	return files, missing
}

// pin pins what was pinned, the oldest pin first. Pinning twice changes nothing.
func (x *run) pin(ctx context.Context, w *writing) error {
	saved, err := x.structure()
	if err != nil {
		return err
	}
	for _, pins := range saved.Pins {
		if pins.Channel != w.saved {
			continue
		}
		for _, m := range slices.Backward(pins.Messages) {
			id := w.news[m]
			if id == "" {
				continue
			}
			err := x.call(ctx, func(ctx context.Context) error {
				return x.Bot.Pin(ctx, w.place(), id, restored+x.Job().Operation("pins/"+string(w.saved)))
			})
			if why, refused := refusal(err); refused {
				w.leave("pins: " + why)
				break
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// structure is the backup's structure, read once.
func (x *run) structure() (*model.Snapshot, error) {
	x.look.Do(func() { x.saved, x.savedFail = x.backup.Snapshot() })
	return &x.saved, x.savedFail
}
