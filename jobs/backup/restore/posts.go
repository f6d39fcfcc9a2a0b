package restore

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"splashtail/jobs/backup/model"
)

// Bounds of what a webhook sends.
const (
	maxContent  = 2000 // characters
	maxUsername = 80
	maxFiles    = 10
	maxEmbeds   = 10
	maxTogether = 24 << 20 // bytes of the files of one message
)

// flags of messages.
const (
	flagNoEmbeds = 1 << 2
	flagSilent   = 1 << 12
)

// post is one message as a webhook sends it: a message of the backup, or a piece of one.
type post struct {
	of      model.ID // the message that it is of
	first   bool     // it is its first piece: what links and pins point to
	name    string
	avatar  string
	content string
	embeds  json.RawMessage
	files   []model.Attachment
	flags   int
	reply   model.ID // the message that it answers
}

// postsOf says how a message of the backup is written again: by its author's name and picture, in as many pieces as its
// text and files need. What it forwards comes as a quotation, a poll as text. Discord's own messages (joins, boosts, pins …)
// give none.
func postsOf(m model.Message, upload int64) []post {
	if m.Type != 0 && m.Type != 19 && m.Type != 20 && m.Type != 23 {
		return nil
	}
	p := post{of: m.ID, name: username(m.Author), avatar: avatar(m.Author), flags: m.Flags&flagNoEmbeds | flagSilent}
	if m.Reply != nil && m.Type == 19 {
		p.reply = m.Reply.Message
	}
	most := maxContent
	if p.reply != "" {
		most -= replyRoom
	}
	text, files := textOf(m, upload)
	pieces := split(text, most)
	all := []json.RawMessage{m.Embeds}
	for _, s := range m.Snapshots[:min(len(m.Snapshots), model.MaxSnapshots)] {
		pieces = quote(pieces, s.Message, most)
		all = append(all, s.Message.Embeds)
	}
	return p.cut(pieces, firstEmbeds(all...), grouped(files))
}

// cut spreads what a message has over as many posts as it needs: embeds and the first files go with the last piece of text.
func (p post) cut(pieces []string, embeds json.RawMessage, groups [][]model.Attachment) []post {
	if len(pieces) == 0 && len(groups) == 0 && embeds == nil {
		return nil
	}
	var out []post
	for i := range max(len(pieces), 1) {
		piece := p
		if i < len(pieces) {
			piece.content = pieces[i]
		}
		out = append(out, piece)
	}
	last := &out[len(out)-1]
	last.embeds = embeds
	for i, g := range groups {
		if i == 0 {
			last.files = g
			continue
		}
		out = append(out, post{of: p.of, name: p.name, avatar: p.avatar, flags: p.flags, files: g})
	}
	for i := range out {
		out[i].first = i == 0
		if i > 0 {
			out[i].reply = ""
		}
	}
	return out
}

// replyRoom is kept free for the line that says what a message answers.
const replyRoom = 120

// Words that Discord refuses in a webhook's name, and the form of a picture's hash.
var (
	discordWord = regexp.MustCompile(`(?i)discord`)
	clydeWord   = regexp.MustCompile(`(?i)clyde`)
	avatarHash  = regexp.MustCompile(`^[0-9a-z_]+$`)
)

// username is a name that a webhook may use: 1 to 80 characters, without the words that Discord refuses.
func username(a model.Author) string {
	name := a.Name
	if a.GlobalName != nil && *a.GlobalName != "" {
		name = *a.GlobalName
	}
	name = discordWord.ReplaceAllString(name, "disc0rd")
	name = clydeWord.ReplaceAllString(name, "c1yde")
	name = strings.Join(strings.Fields(name), " ")
	if r := []rune(name); len(r) > maxUsername {
		name = strings.TrimSpace(string(r[:maxUsername]))
	}
	return orText(name, "somebody")
}

// avatar is the address of an author's picture on Discord's own hosts.
func avatar(a model.Author) string {
	if a.Avatar == nil || *a.Avatar == "" || !avatarHash.MatchString(*a.Avatar) {
		return ""
	}
	return fmt.Sprintf("https://cdn.discordapp.com/avatars/%s/%s.png", a.ID, *a.Avatar)
}

// split cuts a text into pieces of at most so many characters as Discord counts them, at line ends or spaces where it can.
// Nothing but the white space at a cut is lost.
func split(text string, most int) []string {
	var pieces []string
	for text = strings.TrimSpace(text); text != ""; {
		cut := runes(text, most)
		if cut == len(text) {
			return append(pieces, text)
		}
		for _, at := range []string{"\n", " "} {
			if i := strings.LastIndex(text[:cut], at); i > cut/2 {
				cut = i
				break
			}
		}
		pieces = append(pieces, strings.TrimSpace(text[:cut]))
		text = strings.TrimSpace(text[cut:])
	}
	return pieces
}

// runes is how many bytes the first n characters have.
func runes(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// grouped puts files into as few messages as Discord takes them in.
func grouped(files []model.Attachment) [][]model.Attachment {
	var out [][]model.Attachment
	size := int64(0)
	for _, f := range files {
		n := len(out)
		if n == 0 || len(out[n-1]) == maxFiles || size+f.Size > maxTogether {
			out, size = append(out, nil), 0
			n++
		}
		out[n-1] = append(out[n-1], f)
		size += f.Size
	}
	return out
}

// firstEmbeds are the embeds that one message takes; nil when there are none.
func firstEmbeds(all ...json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	for _, raw := range all {
		var some []json.RawMessage
		if json.Unmarshal(raw, &some) == nil {
			list = append(list, some...)
		}
	}
	if len(list) == 0 {
		return nil
	}
	out, err := json.Marshal(list[:min(len(list), maxEmbeds)])
	if err != nil {
		return nil
	}
	return out
}
