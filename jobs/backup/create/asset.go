package create

import (
	"bytes"
	"context"
	"strings"
	"sync"

	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// Bounds of files that are not of messages, in bytes. Discord's own are lower; nobody knows which it has tomorrow.
const (
	maxExpression = 1 << 20
	maxPicture    = 12 << 20
	atOnce        = 4 // expressions that are fetched at the same time
)

// asset is a file of the guild's: where it is, and where its key goes.
type asset struct {
	what string // for people
	id   model.ID
	path string // on the CDN
	most int64
	good func([]byte) string // says what is wrong with its bytes
	to   *model.FileKey
}

// hashed is the picture whose hash, as Discord sent it, stands where its key will. Without one there is none.
func hashed(what string, id model.ID, folder string, to *model.FileKey) []asset {
	hash := string(*to)
	*to = ""
	if hash == "" {
		return nil
	}
	ending := ".png"
	if strings.HasPrefix(hash, "a_") {
		ending = ".gif"
	}
	return []asset{{what: what, id: id, path: "/" + folder + "/" + hash + ending + "?size=4096", most: maxPicture, good: pictured, to: to}}
}

// fetchAll puts files into the part and their keys where they belong. What cannot be had is reported.
func (k *taking) fetchAll(ctx context.Context, w *archive.Writer, rep *report, all []asset) error {
	var small, large []asset
	for _, a := range all {
		if a.most > maxExpression {
			large = append(large, a)
		} else {
			small = append(small, a)
		}
	}
	why := make(map[*model.FileKey]string)
	var mu sync.Mutex // over w, why and progress
	done := 0
	fetch := func(list []asset, parallel int) error {
		return each(ctx, len(list), parallel, func(ctx context.Context, i int) error {
			a := list[i]
			data, bad, err := k.files.small(ctx, a.path, a.most, a.good)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done++
			k.r.Progress(done, len(all))
			if bad != "" {
				why[a.to] = bad
				return nil
			}
			*a.to, _, err = w.File(bytes.NewReader(data), a.most)
			return err
		})
	}
	if err := fetch(large, 1); err != nil { // each can be as large as all that is held otherwise
		return err
	}
	if err := fetch(small, atOnce); err != nil {
		return err
	}
	for _, a := range all {
		if bad := why[a.to]; bad != "" {
			rep.miss(a.what, a.id, bad)
		}
	}
	return nil
}
