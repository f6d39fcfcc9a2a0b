package vault

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"splashtail/bot/command"
	"splashtail/bus"
)

// backupOf reads what a job made, if it made a backup. Before a restore changes a server it keeps the server as it was:
// that is a backup, too, however the restore ended.
func backupOf(j bus.Job) (bus.BackupDone, bool) {
	file := bus.ArchiveOf(j)
	if file == "" {
		return bus.BackupDone{}, false
	}
	if j.Kind == bus.JobBackupRestore {
		done := bus.BackupDone{File: file, At: j.Started, Encrypted: encrypted(j)}
		for _, f := range j.Files {
			if f.Name == file {
				done.Size = f.Size
			}
		}
		return done, true
	}
	var done bus.BackupDone
	err := json.Unmarshal(j.Outcome, &done)
	return done, err == nil
}

// all gives the backups of a guild, the newest first. It asks kind by kind, so that no number of other jobs hides them.
func (t Tools) all(ctx context.Context, u *command.Use) ([]bus.Job, error) {
	var out []bus.Job
	for _, kind := range []bus.JobKind{bus.JobBackupCreate, bus.JobBackupScheduled, bus.JobBackupRestore} {
		list, err := t.Cards.Jobs().List(ctx, bus.JobQuery{Guild: u.Guild, Kind: kind, Limit: bus.MaxJobList})
		if err != nil {
			return nil, err
		}
		for _, j := range list.Jobs {
			if _, ok := backupOf(j); ok {
				out = append(out, j)
			}
		}
	}
	slices.SortFunc(out, func(a, b bus.Job) int { return strings.Compare(b.ID, a.ID) }) // ids sort by time
	return out, nil
}

// wanted gives the backup that an option names. What people type can be anything; a backup of another server is not there.
func (t Tools) wanted(ctx context.Context, u *command.Use, id string) (bus.Job, bus.BackupDone, error) {
	j, err := t.Cards.Jobs().Get(ctx, u.Guild, id)
	if bus.IsCode(err, bus.CodeNotFound) || bus.IsCode(err, bus.CodeInvalid) {
		return j, bus.BackupDone{}, command.Refuse("backup.unknown")
	}
	if err != nil {
		return j, bus.BackupDone{}, err
	}
	done, ok := backupOf(j)
	if !ok {
		return j, done, command.Refuse("backup.unknown")
	}
	return j, done, nil
}

// source is where a backup is read from.
type source struct {
	bus.BackupSource
	secrets   bus.JobSecrets // of an upload
	encrypted bool
}

// source gives the backup that a command names: one of this server, or a file that was uploaded with the command. Of a
// file nobody but who uploads it knows here whether it is encrypted.
func (t Tools) source(ctx context.Context, u *command.Use) (source, error) {
	file, id := u.FileOf("file"), u.Text("backup")
	switch {
	case (file == nil) == (id == ""):
		return source{}, command.Refuse("backup.one_source")
	case file != nil:
		from, secrets := bus.UploadSource(file.URL)
		return source{from, secrets, u.Truth("encrypted")}, nil
	}
	j, done, err := t.wanted(ctx, u, id)
	return source{bus.BackupSource{Job: j.ID}, nil, done.Encrypted}, err
}
