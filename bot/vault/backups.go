package vault

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/jobcard"
	"splashtail/bus"
)

// backupLabel is what people know a backup by.
func backupLabel(u *command.Use, j bus.Job, done bus.BackupDone) string {
	name := done.Name
	if name == "" {
		name = u.T("backup.unnamed." + string(j.Kind))
	}
	objects := 0
	for what, n := range done.Counts {
		if what != "messages" && what != "files" && what != "overwrites" {
			objects += n
		}
	}
	label := name + " · " + done.At.UTC().Format("2006-01-02 15:04")
	if objects > 0 {
		label += " · " + u.T("backup.objects", "count", objects)
	}
	return label + " · " + jobcard.Bytes(done.Size)
}

// backupArgs are the options of /backup create.
func backupArgs(u *command.Use) (bus.BackupArgs, error) {
	args := bus.BackupArgs{Name: u.Text("name"), Messages: u.Number("messages", 0), Attachments: u.Truth("attachments"), Members: u.Truth("members")}
	if args.Attachments && args.Messages == 0 {
		return args, command.Refuse("backup.attachments_need_messages")
	}
	return args, nil
}

// create begins a backup and lets the answer follow it.
func (t Tools) create(ctx context.Context, u *command.Use) error {
	args, err := backupArgs(u)
	if err != nil {
		return err
	}
	job, err := t.submit(ctx, u, bus.JobBackupCreate, args, nil)
	if err != nil {
		return jobcard.Explain(err)
	}
	return t.Cards.Follow(ctx, u, job)
}

// listButton turns the pages of a list.
const listButton = "backup-list"

const (
	perPage    = 10
	buttonsFor = 10 * time.Minute
)

func (t Tools) list(ctx context.Context, u *command.Use) error { return t.listAt(ctx, u, 0) }

func (t Tools) listPage(ctx context.Context, u *command.Use, state string) error {
	var page int
	_, _ = fmt.Sscanf(state, "%d", &page) // a page that is none is the first
	return t.listAt(ctx, u, page)
}

func (t Tools) listAt(ctx context.Context, u *command.Use, page int) error {
	all, err := t.all(ctx, u)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return u.Reply(ctx, card.Card{Text: u.T("backup.none")})
	}
	some, at, of := card.Page(all, perPage, page)
	var text strings.Builder
	for _, j := range some {
		done, _ := backupOf(j)
		lock := ""
		if done.Encrypted {
			lock = " 🔒"
		}
		fmt.Fprintf(&text, "**%s**%s\n<t:%d:R> · `%s`\n", card.Plainly(backupLabel(u, j, done)), lock, done.At.Unix(), j.ID)
	}
	c := card.Card{Title: u.T("backup.list", "count", len(all), "page", at+1, "pages", of), Text: text.String(), Footer: u.T("backup.list_next")}
	if of > 1 {
		c.Buttons = []card.Button{
			{Label: u.T("button.previous"), ID: u.Button(listButton, fmt.Sprint(at-1), buttonsFor), Disabled: at == 0},
			{Label: u.T("button.next"), ID: u.Button(listButton, fmt.Sprint(at+1), buttonsFor), Disabled: at == of-1},
		}
	}
	return u.Reply(ctx, c)
}

func (t Tools) show(ctx context.Context, u *command.Use) error {
	j, done, err := t.wanted(ctx, u, u.Text("backup"))
	if err != nil {
		return err
	}
	return u.Reply(ctx, t.about(u, j, done))
}

// about is a card that says what a backup holds.
func (t Tools) about(u *command.Use, j bus.Job, done bus.BackupDone) card.Card {
	c := card.Card{Title: u.T("backup.title", "name", backupLabel(u, j, done)), Footer: u.T("jobcard.footer", "id", j.ID),
		Text: fmt.Sprintf("<t:%d:F> · %s", done.At.Unix(), jobcard.Bytes(done.Size))}
	if done.Encrypted {
		c.Text += "\n🔒 " + u.T("backup.encrypted")
	}
	if len(done.Counts) > 0 {
		c.Fields = []card.Field{{Name: u.T("jobcard.holds"), Value: jobcard.Counts(u.Words, done.Counts)}}
	}
	if len(done.Missing) > 0 {
		c.Fields = append(c.Fields, card.Field{Name: u.T("jobcard.missing", "count", len(done.Missing)), Value: card.Plainly(strings.Join(done.Missing, "\n"))})
	}
	if !j.Expires.IsZero() {
		c.Text += "\n" + u.T("backup.kept_until", "until", fmt.Sprintf("<t:%d:D>", j.Expires.Unix()))
	}
	return c
}

// maxHanded is the largest archive that is handed over in Discord: what every server takes as one file.
const maxHanded = 10 << 20

// get hands an archive over, to who asks alone.
func (t Tools) get(ctx context.Context, u *command.Use) error {
	j, done, err := t.wanted(ctx, u, u.Text("backup"))
	if err != nil {
		return err
	}
	if done.Size > maxHanded {
		return command.Refuse("backup.too_large", "size", jobcard.Bytes(done.Size), "id", j.ID)
	}
	r, file, err := t.Cards.Jobs().OpenFile(ctx, u.Guild, j.ID, done.File)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // read only
	u.Enclose(&discordgo.File{Name: path.Base(file.Name), ContentType: "application/octet-stream", Reader: r})
	return u.Reply(ctx, t.about(u, j, done))
}

// remove asks before a backup is deleted.
func (t Tools) remove(ctx context.Context, u *command.Use) error {
	j, done, err := t.wanted(ctx, u, u.Text("backup"))
	if err != nil {
		return err
	}
	c := t.about(u, j, done)
	c.Colour = card.Urgent
	return u.Confirm(ctx, c, u.T("button.delete_backup"), map[string]string{"backup": j.ID})
}

func (t Tools) removed(ctx context.Context, u *command.Use, args map[string]string) error {
	if _, _, err := t.wanted(ctx, u, args["backup"]); err != nil {
		return err
	}
	if err := jobcard.Explain(t.Cards.Jobs().Remove(ctx, bus.JobRequest{Actor: u.Member.User.Username, Reason: "/" + u.Command.Name, Target: args["backup"], Guild: u.Guild})); err != nil {
		return err
	}
	return u.Say(ctx, "backup.deleted")
}
