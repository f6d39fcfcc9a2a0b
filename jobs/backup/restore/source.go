package restore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// checkSource refuses a source that is not exactly one of a backup of the same guild and an upload on Discord's own hosts. That
// a job is of the guild, the engine checks when its file is opened.
func (t Tools) checkSource(s bus.BackupSource) error {
	switch {
	case (s.Job == "") == (s.URL == ""):
		return errors.New("a restore takes one backup: that of a job, or an attachment on Discord; nothing was read")
	case s.URL == "":
		return nil
	case t.CDN == nil:
		return errors.New("this deployment takes no uploads; nothing was read")
	case strings.Contains(s.URL, "?"):
		return errors.New("the address of an upload is given without what follows the question mark: that is the secret " + bus.SignatureSecret + "; nothing was read")
	}
	_, err := t.CDN.Check(s.URL)
	return err
}

// archiveName is what a backup is called among the files of a plan's job, where it stays for the restore: an address of
// Discord is good for a day, and a restore must have what its plan was made of.
const archiveName = "backup"

// fetch keeps the backup of a source among this job's files and gives the hex SHA-256 of it.
func (t Tools) fetch(ctx context.Context, r work.Run, s bus.BackupSource) (digest string, err error) {
	hash := sha256.New()
	var from io.ReadCloser
	if s.Job != "" {
		var file string
		if file, err = t.FileOf(ctx, r, s.Job); err == nil {
			from, err = r.Open(ctx, s.Job, file)
		}
	} else {
		address := s.URL
		if signature, signed := r.Secret(bus.SignatureSecret); signed {
			address += "?" + signature.Reveal()
		}
		from, err = t.CDN.Open(ctx, address, maxUpload)
	}
	if err != nil {
		return "", fmt.Errorf("the backup cannot be opened; nothing was changed: %w", err)
	}
	defer from.Close()
	if _, err = r.Put(ctx, archiveName, io.TeeReader(from, hash)); err != nil {
		return "", fmt.Errorf("the backup cannot be read; nothing was changed: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// open opens the backup that a plan's job keeps.
func (t Tools) open(ctx context.Context, r work.Run, job string) (Backup, error) {
	stream, err := r.Open(ctx, job, archiveName)
	if err != nil {
		return nil, fmt.Errorf("the backup of the plan cannot be opened; make the plan anew: %w", err)
	}
	defer stream.Close()
	return t.Decode(r, stream)
}
