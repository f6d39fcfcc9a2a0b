// Package card shapes what the bot says: one card per message, within every limit that
// Discord has, so that no answer is refused for its size.
package card

import (
	"strings"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"
)

// Discord's limits, in characters.
const (
	maxTitle  = 256
	maxText   = 4096
	maxFields = 25
	maxName   = 256
	maxValue  = 1024
	maxFooter = 2048
	maxAll    = 6000
	maxLabel  = 80
	perRow    = 5
	maxRows   = 5
	maxID     = 100
)

// Colours of a card, by what it says.
const (
	Plain  = 0x5865F2
	Good   = 0x2E8B57
	Bad    = 0xC0392B
	Urgent = 0xE67E22
)

// Card is one message: a title, text, fields and buttons.
type Card struct {
	Title  string
	Text   string
	Fields []Field
	Footer string
	Colour int // 0 means Plain
	// Buttons stand in rows of five, at most 25.
	Buttons []Button
}

// Field is a heading with text.
type Field struct {
	Name, Value string
	Inline      bool
}

// Button is something to press.
type Button struct {
	Label    string // a verb, with the count of what it touches
	ID       string // from command.Use.Button; at most 100 characters
	Danger   bool   // it destroys
	Primary  bool
	Disabled bool
}

// Embed renders a card without its buttons. What is too long is cut with an ellipsis,
// and fields that find no room are left out; a field without text gets a dash.
func (c Card) Embed() *discordgo.MessageEmbed {
	left := maxAll
	take := func(s string, limit int) string {
		s = Cut(s, min(limit, left))
		left -= utf8.RuneCountInString(s)
		return s
	}
	e := &discordgo.MessageEmbed{Color: c.Colour, Title: take(c.Title, maxTitle)}
	if e.Color == 0 {
		e.Color = Plain
	}
	if c.Footer != "" {
		e.Footer = &discordgo.MessageEmbedFooter{Text: take(c.Footer, maxFooter)}
	}
	e.Description = take(c.Text, maxText)
	for _, f := range c.Fields {
		if len(e.Fields) == maxFields || left < 8 {
			break
		}
		name := take(orDash(f.Name), maxName)
		e.Fields = append(e.Fields, &discordgo.MessageEmbedField{Name: name, Value: take(orDash(f.Value), maxValue), Inline: f.Inline})
		if left <= 0 {
			// A value that found no room at all would be refused.
			last := e.Fields[len(e.Fields)-1]
			if last.Value == "" {
				e.Fields = e.Fields[:len(e.Fields)-1]
			}
		}
	}
	if e.Title == "" && e.Description == "" && len(e.Fields) == 0 {
		e.Description = "-"
	}
	return e
}

func orDash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}

// Rows renders the buttons; empty, not nil, for none, so that an edit takes them away.
func (c Card) Rows() []discordgo.MessageComponent {
	rows := []discordgo.MessageComponent{}
	var row []discordgo.MessageComponent
	for i, b := range c.Buttons[:min(len(c.Buttons), perRow*maxRows)] {
		style := discordgo.SecondaryButton
		switch {
		case b.Danger:
			style = discordgo.DangerButton
		case b.Primary:
			style = discordgo.PrimaryButton
		}
		if len(b.ID) <= maxID {
			row = append(row, discordgo.Button{Label: Cut(orDash(b.Label), maxLabel), Style: style, CustomID: b.ID, Disabled: b.Disabled})
		}
		if len(row) > 0 && (len(row) == perRow || i == len(c.Buttons)-1) {
			rows, row = append(rows, discordgo.ActionsRow{Components: row}), nil
		}
	}
	return rows
}

// Silent is what goes with every message: nobody is pinged by it.
func Silent() *discordgo.MessageAllowedMentions {
	return &discordgo.MessageAllowedMentions{Parse: []discordgo.AllowedMentionType{}}
}

// Answer renders a card as the first answer to an interaction.
func (c Card) Answer(ephemeral bool) *discordgo.InteractionResponseData {
	d := &discordgo.InteractionResponseData{Embeds: []*discordgo.MessageEmbed{c.Embed()}, Components: c.Rows(), AllowedMentions: Silent()}
	if ephemeral {
		d.Flags = discordgo.MessageFlagsEphemeral
	}
	return d
}

// Edit renders a card over another one.
func (c Card) Edit() *discordgo.WebhookEdit {
	embeds, rows := []*discordgo.MessageEmbed{c.Embed()}, c.Rows()
	return &discordgo.WebhookEdit{Embeds: &embeds, Components: &rows, AllowedMentions: Silent()}
}

// Message renders a card as a message of its own.
func (c Card) Message() *discordgo.MessageSend {
	return &discordgo.MessageSend{Embeds: []*discordgo.MessageEmbed{c.Embed()}, Components: c.Rows(), AllowedMentions: Silent()}
}

// Cut shortens a text to n characters, the last of them an ellipsis when it was longer.
func Cut(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}

// Plainly escapes what people wrote, so that it cannot format or mention.
func Plainly(s string) string {
	return strings.NewReplacer("\\", "\\\\", "*", "\\*", "_", "\\_", "~", "\\~", "`", "\\`", "|", "\\|", "<", "\\<", ">", "\\>",
		"[", "\\[", "@", "@\u200b", "#", "\\#").Replace(s)
}

// Page gives the items of a page, the page that it is and how many there are. There is
// always one page, none but the first is empty, and a number out of range is the nearest.
func Page[T any](items []T, per, number int) (page []T, at, of int) {
	per = max(per, 1)
	of = max((len(items)+per-1)/per, 1)
	at = min(max(number, 0), of-1)
	return items[at*per : min((at+1)*per, len(items))], at, of
}
