package ancestor

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"splashtail/internal/picture"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
)

// Convert writes everything into an archive and ends it.
func (f *File) Convert(w *archive.Writer) error {
	m := model.Manifest{Name: "Converted", TakenAt: f.meta.Created, Source: protocol}
	snap, err := f.structure(w, &m)
	if err != nil {
		return err
	}
	if err := w.Structure(snap); err != nil {
		return err
	}
	m.Guild, m.Title = snap.About.GuildID, snap.Guild.Name
	for _, id := range f.below("messages/") {
		if err := f.messages(w, &m, model.ID(id)); err != nil {
			return fmt.Errorf("messages of channel %.30q: %w", id, err)
		}
	}
	m.Items = items(&snap, w.Counts())
	return w.Finish(m)
}

// items says what the ancestor's format can hold.
func items(s *model.Snapshot, counts map[string]int) []model.Item {
	never := "The ancestor did not save them."
	return []model.Item{
		{Name: "settings", Kept: true},
		{Name: "roles", Kept: true, Count: len(s.Roles), Reason: "Without icons and second colours."},
		{Name: "channels", Kept: true, Count: len(s.Channels)},
		{Name: "threads", Reason: never},
		{Name: "expressions", Reason: "The ancestor saved names of emoji and stickers, not their pictures.", Count: len(s.Emojis) + len(s.Stickers)},
		{Name: "automod", Reason: never}, {Name: "community", Reason: never}, {Name: "events", Reason: never},
		{Name: "webhooks", Reason: never}, {Name: "bans", Reason: never}, {Name: "members", Reason: never},
		{Name: "messages", Kept: counts["messages"] > 0, Count: counts["messages"]},
	}
}

// structure reads the guild and its pictures.
func (f *File) structure(w *archive.Writer, m *model.Manifest) (snap model.Snapshot, err error) {
	var g guild
	if err := f.decode("core/guild", &g); err != nil {
		return snap, err
	}
	if g.ID == "" {
		return snap, damaged("its guild has no id")
	}
	snap.About = model.About{GuildID: g.ID, TakenAt: f.meta.Created, OwnerID: g.OwnerID, Members: g.MemberCount, BoostLevel: g.PremiumTier}
	snap.Guild = g.settings()
	for i := range g.Roles {
		snap.Roles = append(snap.Roles, g.Roles[i].role())
	}
	for i := range g.Channels {
		snap.Channels = append(snap.Channels, g.Channels[i].channel())
	}
	for _, e := range g.Emojis {
		snap.Emojis = append(snap.Emojis, model.Emoji{ID: e.ID, Name: e.Name, Roles: e.Roles, Managed: e.Managed, Animated: e.Animated})
	}
	for _, s := range g.Stickers {
		snap.Stickers = append(snap.Stickers, model.Sticker{ID: s.ID, Name: s.Name, Description: opt[string](s.Description), Tags: s.Tags, Format: s.Format})
	}
	for _, p := range []struct {
		name string
		at   *model.FileKey
	}{{"guildIcon", &snap.Guild.Icon}, {"guildBanner", &snap.Guild.Banner}, {"guildSplash", &snap.Guild.Splash}} {
		if *p.at, err = f.picture(w, m, p.name); err != nil {
			return snap, err
		}
	}
	slices.SortStableFunc(snap.Roles, func(a, b model.Role) int { return a.Position - b.Position })
	return snap, nil
}

// picture keeps one of the guild's pictures.
func (f *File) picture(w *archive.Writer, m *model.Manifest, name string) (model.FileKey, error) {
	b, err := f.read("assets/"+name, maxBytes)
	if errors.Is(err, errNoSection) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if why := bomb(b); why != "" {
		m.Miss(name, "", why)
		return "", nil
	}
	key, _, err := w.File(bytes.NewReader(b), 0)
	return key, err
}

// bomb says why a picture is not kept: it says that it is so large that it is meant to fill somebody's memory. What is no
// picture, or does not say, is kept as it is.
func bomb(b []byte) string {
	w, h, err := picture.Size(b)
	if err == nil && picture.TooLarge(w, h) {
		return fmt.Sprintf("It says that it is %d by %d pixels; the limit is %d pixels.", w, h, picture.MostPixels)
	}
	return ""
}

// decode reads a section of MessagePack into v.
func (f *File) decode(name string, v any) error {
	b, err := f.read(name, maxObjects)
	if err != nil {
		if errors.Is(err, errNoSection) {
			return damaged("its section %.60q is missing", name)
		}
		return err
	}
	text, err := toJSON(b)
	if err != nil {
		return err
	}
	if err := archive.CheckWeight(text, maxObjects); err != nil {
		return fmt.Errorf("section %.60q: %w", name, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return damaged("section %.60q holds something else (%v)", name, err)
	}
	return nil
}

// messages writes the messages of a channel, newest first. The ancestor wrote pages twice, so each id is taken once.
func (f *File) messages(w *archive.Writer, m *model.Manifest, id model.ID) error {
	var all []kept
	if err := f.decode("messages/"+string(id), &all); err != nil {
		return err
	}
	if !isID(id) {
		return damaged("messages belong to the channel %.40q", id)
	}
	slices.SortStableFunc(all, func(a, b kept) int {
		if a.Message.ID == b.Message.ID {
			return 0
		} else if a.Message.ID.Before(b.Message.ID) {
			return 1
		}
		return -1
	})
	all = slices.CompactFunc(all, func(a, b kept) bool { return a.Message.ID == b.Message.ID })
	for i := range all {
		if !isID(all[i].Message.ID) {
			return damaged("a message has the id %.40q", all[i].Message.ID)
		}
		msg := all[i].Message.message()
		for _, a := range all[i].Files {
			kept, err := f.attachment(w, a)
			if err != nil {
				return err
			}
			if kept.Skipped != "" {
				m.Miss(kept.Name, kept.ID, kept.Skipped)
			}
			msg.Attachments = append(msg.Attachments, kept)
		}
		if err := w.Message(id, msg); err != nil {
			return fmt.Errorf("message %.30q: %w", msg.ID, err)
		}
	}
	return nil
}

// isID tells whether a text is a snowflake.
func isID(id model.ID) bool {
	return id != "" && len(id) <= 20 && strings.Trim(string(id), "0123456789") == ""
}

// maxText bounds names and reasons, which are repeated in the manifest.
const maxText = 300 // characters

func short(s string) string {
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText-1]) + "…"
	}
	return s
}

// attachment says where the bytes of an attachment are kept now, or why they are not. The error is the archive's.
func (f *File) attachment(w *archive.Writer, a attachment) (model.Attachment, error) {
	to := model.Attachment{ID: a.ID, Name: short(a.Name), ContentType: short(a.ContentType), Size: a.Size}
	if a.Storage == "" || a.Storage == "remote" {
		to.Skipped = "The ancestor did not save it."
		if len(a.Errors) > 0 {
			to.Skipped = short("The ancestor did not save it: " + strings.Join(a.Errors[:min(3, len(a.Errors))], " "))
		}
		return to, nil
	}
	// Messages that share an attachment unpack it once: otherwise a small file could name it so often that reading it
	// never ended.
	u, ok := f.kept[a.ID]
	if !ok {
		var err error
		if u, err = f.unpack(w, a); err != nil {
			return to, err
		}
		if _, here := f.sections["attachments/"+string(a.ID)]; here {
			f.kept[a.ID] = u
		}
	}
	if to.Skipped = u.skipped; u.skipped != "" {
		return to, nil
	}
	if a.Storage == "jpeg_encoded" {
		to.Name, to.ContentType = jpegName(to.Name), "image/jpeg"
	}
	to.File, to.Size = u.key, u.size
	return to, nil
}

// unpacked is an attachment as the archive keeps it.
type unpacked struct {
	key     model.FileKey
	size    int64
	skipped string // why it is not kept
}

// unpack keeps the bytes of an attachment, as they were before the ancestor packed them. The error is the archive's.
func (f *File) unpack(w *archive.Writer, a attachment) (unpacked, error) {
	if f.total >= maxTotal {
		return unpacked{skipped: fmt.Sprintf("The attachments before it have %d bytes together; the limit is %d.", f.total, int64(maxTotal))}, nil
	}
	b, err := f.read("attachments/"+string(a.ID), maxBytes)
	if err != nil {
		return unpacked{skipped: "Its bytes cannot be read: " + err.Error() + "."}, nil
	}
	var src io.Reader = bytes.NewReader(b)
	switch a.Storage {
	case "uncompressed", "jpeg_encoded":
		if why := bomb(b); why != "" {
			return unpacked{skipped: why}, nil
		}
	case "gzip":
		if src, err = gzip.NewReader(src); err != nil {
			return unpacked{skipped: "Its bytes are not gzip, as it says."}, nil
		}
	default:
		return unpacked{skipped: fmt.Sprintf("It is stored in an unknown way, %.30q.", a.Storage)}, nil
	}
	key, n, err := w.File(src, maxBytes)
	f.total += n
	switch {
	case errors.As(err, new(*archive.SourceError)) || errors.Is(err, archive.ErrLimit):
		return unpacked{skipped: "Its bytes cannot be unpacked: " + err.Error() + "."}, nil
	case err != nil:
		return unpacked{}, err
	}
	return unpacked{key: key, size: n}, nil
}
