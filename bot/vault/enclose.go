package vault

import (
	"bytes"
	"context"
	"io"
	"path"
	"strings"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/command"
	"splashtail/bus"
)

// textSuffix is how the names of a job's files for people end: a plan with every line, a report.
const textSuffix = ".txt"

// Bounds of what a message encloses: what every server takes, and few enough to be looked at.
const (
	maxEnclosed  = 4
	enclosedSize = 8 << 20
)

// enclose sends what a plan or a restore has written for people with the next reply. One that cannot be read is left out: what the
// message says holds without it. Files of other kinds, such as the messages that were pruned, may be of channels that who asks cannot see.
func (t Tools) enclose(ctx context.Context, u *command.Use, j bus.Job) {
	if j.Kind != bus.JobRestorePlan && j.Kind != bus.JobBackupRestore {
		return
	}
	n, left := 0, int64(enclosedSize)
	for _, f := range j.Files {
		if !strings.HasSuffix(f.Name, textSuffix) || f.Size > left || n == maxEnclosed {
			continue
		}
		data, err := t.read(ctx, j, f)
		if err != nil {
			u.Log.Warn("a file of a job is not enclosed", "job", j.ID, "file", f.Name, "err", err)
			continue
		}
		n, left = n+1, left-f.Size
		u.Enclose(&discordgo.File{Name: path.Base(f.Name), ContentType: "text/plain; charset=utf-8", Reader: bytes.NewReader(data)})
	}
}

// read reads a file of a job whole. Its digest is compared at the end, so that half of one is not shown.
func (t Tools) read(ctx context.Context, j bus.Job, f bus.JobFile) ([]byte, error) {
	r, _, err := t.Cards.Jobs().OpenFile(ctx, j.Guild, j.ID, f.Name)
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // read only
	return io.ReadAll(io.LimitReader(r, enclosedSize))
}
