package archive

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"splashtail/jobs/backup/model"
)

// Report is what Verify found in a whole archive.
type Report struct {
	Manifest model.Manifest
	Snapshot model.Snapshot
	Counts   map[string]int // as counted; Verify has compared them with the manifest
	Sections int
	Size     int64 // bytes of all sections before compression
	Messages map[model.ID]int
}

// Verify reads all of an archive, decodes every value, checks every digest, compares the counts with the manifest and
// looks for files that something names and the archive does not have.
func Verify(r io.Reader, o Options) (Report, error) {
	a, err := NewReader(r, o)
	if err != nil {
		return Report{}, err
	}
	return a.verify()
}

// verify verifies what a reader that has just begun will read.
func (a *Reader) verify() (Report, error) {
	v := verifier{Report: Report{Counts: map[string]int{}, Messages: map[model.ID]int{}}, l: a.l,
		last: map[model.ID]model.ID{}, have: map[model.FileKey]bool{}, named: map[model.FileKey]bool{}}
	for {
		s, err := a.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = v.take(s)
		}
		if err != nil {
			return v.Report, a.fault(err)
		}
	}
	v.Sections, v.Size = a.sections, a.raw
	return v.Report, v.compare()
}

type verifier struct {
	Report
	l           Limits
	structure   int64
	last        map[model.ID]model.ID
	have, named map[model.FileKey]bool
	files       int
}

func (v *verifier) take(s *Section) (err error) {
	switch {
	case s.IsManifest():
		v.Manifest, err = s.Manifest()
	case s.IsStructure():
		err = s.addTo(&v.Snapshot, &v.structure)
	case s.Channel() != "":
		err = v.messages(s)
	case s.File() != "":
		if v.have[s.File()] {
			return damaged("file %.80q is in it twice", s.File())
		}
		v.have[s.File()] = true
		v.files++
		_, err = io.Copy(io.Discard, s)
	}
	return err
}

func (v *verifier) messages(s *Section) error {
	id := s.Channel()
	return s.each(func(line []byte) error {
		m, err := decodeMessage(line)
		if err != nil {
			return err
		}
		if last, ok := v.last[id]; ok && !m.ID.Before(last) {
			return fmt.Errorf("message %s comes after %s", m.ID, last)
		}
		v.last[id] = m.ID
		v.Messages[id]++
		v.Counts["messages"]++
		for f := range m.Files() {
			if err := v.name(f.File); err != nil {
				return err
			}
		}
		return nil
	})
}

// name remembers a file that something refers to. The number is bounded as the number of sections is, and the size as
// that of keys.
func (v *verifier) name(key model.FileKey) error {
	switch {
	case key == "":
	case !validKey(key):
		return fmt.Errorf("it names the file %.12q, which is no key of one", key)
	case len(v.named) <= v.l.Sections:
		v.named[key] = true
	}
	return nil
}

// compare holds what was counted against the manifest, and the files that are named against those that are there.
func (v *verifier) compare() error {
	maps.Copy(v.Counts, v.Snapshot.Counts())
	if v.files > 0 {
		v.Counts["files"] = v.files
	}
	if err := compareCounts(v.Manifest.Counts, v.Counts); err != nil {
		return err
	}
	for _, key := range FilesOf(&v.Snapshot) {
		if err := v.name(key); err != nil {
			return damaged("%v", err)
		}
	}
	var gone []string
	for key := range v.named {
		if !v.have[key] {
			gone = append(gone, string(key[:12]))
		}
	}
	if slices.Sort(gone); len(gone) > 0 {
		return damaged("%d files that it names are not in it (%s)", len(gone), strings.Join(gone[:min(3, len(gone))], ", "))
	}
	return nil
}

// compareCounts holds what a manifest says against what was counted.
func compareCounts(said, counted map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		if said[name] != counted[name] {
			return damaged("its manifest says %d %s, and there are %d", said[name], name, counted[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if _, ok := counted[name]; !ok && said[name] != 0 {
			return damaged("its manifest says %d %.40q, and there are none", said[name], name)
		}
	}
	return nil
}

// FilesOf lists the files that a snapshot names.
func FilesOf(s *model.Snapshot) []model.FileKey {
	all := []model.FileKey{s.Guild.Icon, s.Guild.Splash, s.Guild.Banner, s.Guild.DiscoverySplash}
	for _, r := range s.Roles {
		all = append(all, r.Icon)
	}
	for _, e := range s.Emojis {
		all = append(all, e.File)
	}
	for _, e := range s.Stickers {
		all = append(all, e.File)
	}
	for _, e := range s.Sounds {
		all = append(all, e.File)
	}
	for _, e := range s.Events {
		all = append(all, e.Image)
	}
	for _, e := range s.Webhooks {
		all = append(all, e.Avatar)
	}
	return slices.DeleteFunc(all, func(k model.FileKey) bool { return k == "" })
}
