package sandbox

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
)

// answersChecked holds answers alone against Discord's description: this library sends keys that it does not list, and
// reasons that are not encoded, and Discord takes both.
func answersChecked(t *testing.T, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	spec := description(t)
	if spec == nil {
		return base
	}
	return spec.RoundTripper(base, func(err error) {
		if !strings.HasPrefix(err.Error(), "request ") {
			t.Error(err)
		}
	})
}

// TestDiscordgoModerates lets a library that knows nothing of the sandbox do what a protecting bot does.
func TestDiscordgoModerates(t *testing.T) {
	w := newModerated(t)
	base, client := w.serve()
	s := w.discordgo(answersChecked(t, client.Transport), base, w.bot.Token)
	w.discordgoRoles(s)
	w.discordgoChannels(s)
	w.discordgoMembers(s)
	w.discordgoMessages(s)
}

func (w *world) discordgoRoles(s *discordgo.Session) {
	t, g := w.t, w.guild.String()
	red, allow, yes := 0xff0000, int64(discordgo.PermissionKickMembers), true
	r := must(s.GuildRoleCreate(g, &discordgo.RoleParams{Name: "mods", Color: &red, Permissions: &allow, Hoist: &yes}, discordgo.WithAuditLogReason("more mods ✓")))(t)
	if r.Name != "mods" || r.Color != red || !r.Hoist || r.Permissions != allow || r.Position != 1 {
		t.Errorf("role %+v", r)
	}
	r = must(s.GuildRoleEdit(g, r.ID, &discordgo.RoleParams{Name: "moderators"}))(t)
	if r.Name != "moderators" || r.Permissions != allow {
		t.Errorf("edited %+v", r)
	}
	w.ok(s.GuildMemberRoleAdd(g, w.ana.String(), r.ID))
	if m := must(s.GuildMember(g, w.ana.String()))(t); !slices.Contains(m.Roles, r.ID) {
		t.Errorf("member %+v", m)
	}
	r.Position = 2
	all := must(s.GuildRoleReorder(g, []*discordgo.Role{{ID: r.ID, Position: 2}}))(t)
	if at := slices.IndexFunc(all, func(o *discordgo.Role) bool { return o.ID == r.ID }); at < 0 || all[at].Position != 2 {
		t.Errorf("sorted %+v", all)
	}
	log := must(s.GuildAuditLog(g, "", "", int(discordgo.AuditLogActionRoleCreate), 5))(t)
	if len(log.AuditLogEntries) != 1 || log.AuditLogEntries[0].Reason != "more mods ✓" || log.AuditLogEntries[0].UserID != w.bot.ID.String() ||
		*log.AuditLogEntries[0].Changes[0].Key != discordgo.AuditLogChangeKeyName || len(log.Users) == 0 {
		t.Errorf("audit log %+v", log)
	}
	w.ok(s.GuildRoleDelete(g, r.ID))
	if m := must(s.GuildMember(g, w.ana.String()))(t); len(m.Roles) > 0 {
		t.Errorf("after the deletion %+v", m)
	}
}

func (w *world) discordgoChannels(s *discordgo.Session) {
	t, g := w.t, w.guild.String()
	category := must(s.GuildChannelCreate(g, "Ops", discordgo.ChannelTypeGuildCategory))(t)
	ch := must(s.GuildChannelCreateComplex(g, discordgo.GuildChannelCreateData{Name: "war-room", Type: discordgo.ChannelTypeGuildText, ParentID: category.ID, Topic: "t",
		PermissionOverwrites: []*discordgo.PermissionOverwrite{{ID: g, Type: discordgo.PermissionOverwriteTypeRole, Deny: discordgo.PermissionViewChannel}}}))(t)
	if ch.ParentID != category.ID || len(ch.PermissionOverwrites) != 1 || ch.PermissionOverwrites[0].Deny != discordgo.PermissionViewChannel || ch.GuildID != g {
		t.Errorf("channel %+v", ch)
	}
	w.ok(s.ChannelPermissionSet(ch.ID, w.ana.String(), discordgo.PermissionOverwriteTypeMember, discordgo.PermissionViewChannel, 0))
	w.ok(s.ChannelPermissionDelete(ch.ID, g))
	slow := 30
	ch = must(s.ChannelEdit(ch.ID, &discordgo.ChannelEdit{Name: "peace-room", RateLimitPerUser: &slow}))(t)
	if ch.Name != "peace-room" || ch.RateLimitPerUser != slow || len(ch.PermissionOverwrites) != 1 {
		t.Errorf("edited %+v", ch)
	}
	h := must(s.WebhookCreate(ch.ID, "log", ""))(t)
	m := must(s.WebhookExecute(h.ID, h.Token, true, &discordgo.WebhookParams{Content: "hello", Username: "Olga"}))(t)
	if m.Author.Username != "Olga" || m.WebhookID != h.ID || m.Content != "hello" {
		t.Errorf("webhook message %+v", m)
	}
	if list := must(s.GuildWebhooks(g))(t); len(list) != 1 || list[0].Token != h.Token {
		t.Errorf("webhooks %+v", list)
	}
	w.ok(s.WebhookDelete(h.ID))
	inv := must(s.ChannelInviteCreate(ch.ID, discordgo.Invite{MaxAge: 60}))(t)
	if must(s.InviteDelete(inv.Code))(t).Code != inv.Code {
		t.Error("another invite was deleted")
	}
	must(s.ChannelDelete(ch.ID))(t)
	if _, err := s.Channel(ch.ID); !refusedWith(err, http.StatusNotFound, discordgo.ErrCodeUnknownChannel) {
		t.Errorf("deleted channel: %v", err)
	}
}

func refusedWith(err error, status, code int) bool {
	var rest *discordgo.RESTError
	return errors.As(err, &rest) && rest.Response.StatusCode == status && rest.Message != nil && rest.Message.Code == code
}

func (w *world) discordgoMembers(s *discordgo.Session) {
	t, g := w.t, w.guild.String()
	until := time.Now().Add(time.Hour)
	w.ok(s.GuildMemberTimeout(g, w.bo.String(), &until))
	if m := must(s.GuildMember(g, w.bo.String()))(t); m.CommunicationDisabledUntil == nil || m.CommunicationDisabledUntil.Sub(until).Abs() > time.Second {
		t.Errorf("time-out %+v", m)
	}
	// discordgo's own ...WithReason puts the reason into the query, which API v10 does not read any more.
	w.ok(s.GuildBanCreate(g, w.bo.String(), 1, discordgo.WithAuditLogReason("raid")))
	if b := must(s.GuildBan(g, w.bo.String()))(t); b.Reason != "raid" || b.User.ID != w.bo.String() {
		t.Errorf("ban %+v", b)
	}
	if err := s.GuildBanCreate(g, w.owner.String(), 0); !refusedWith(err, http.StatusForbidden, discordgo.ErrCodeMissingPermissions) {
		t.Errorf("ban of the owner: %v", err)
	}
	if list := must(s.GuildBans(g, 10, "", ""))(t); len(list) != 1 {
		t.Errorf("bans %+v", list)
	}
	must(s.RequestWithBucketID("DELETE", discordgo.EndpointGuildBan(g, w.bo.String()), struct{}{}, "unban"))(t)
	w.ok(s.GuildMemberDelete(g, w.cat.String()))
	if n := must(s.GuildPruneCount(g, 7))(t); n != 0 {
		t.Errorf("%d would be pruned", n)
	}
	high := discordgo.VerificationLevelHigh
	if edited := must(s.GuildEdit(g, &discordgo.GuildParams{Name: "Mira", VerificationLevel: &high}))(t); edited.Name != "Mira" || edited.VerificationLevel != high {
		t.Errorf("guild %+v", edited)
	}
}

func (w *world) discordgoMessages(s *discordgo.Session) {
	t, ch := w.t, w.text.String()
	m := must(s.ChannelMessageSendComplex(ch, &discordgo.MessageSend{
		Content: "choose", Embeds: []*discordgo.MessageEmbed{{Title: "t", Fields: []*discordgo.MessageEmbedField{{Name: "n", Value: "v"}}}},
		Components: []discordgo.MessageComponent{discordgo.ActionsRow{Components: []discordgo.MessageComponent{
			discordgo.Button{Label: "Yes", CustomID: "yes", Style: discordgo.DangerButton},
		}}},
	}))(t)
	row, ok := m.Components[0].(*discordgo.ActionsRow)
	if !ok || len(row.Components) != 1 || m.Embeds[0].Fields[0].Value != "v" {
		t.Errorf("message %+v", m)
	}
	m = must(s.ChannelMessageEdit(ch, m.ID, "chosen"))(t)
	if m.Content != "chosen" || m.EditedTimestamp == nil {
		t.Errorf("edited %+v", m)
	}
	second := must(s.ChannelMessageSend(ch, "second"))(t)
	if list := must(s.ChannelMessages(ch, 10, "", "", ""))(t); len(list) != 2 || list[0].ID != second.ID {
		t.Errorf("messages %+v", list)
	}
	w.ok(s.ChannelMessagesBulkDelete(ch, []string{m.ID, second.ID}))
	if list := must(s.ChannelMessages(ch, 10, "", "", ""))(t); len(list) != 0 {
		t.Errorf("messages %+v", list)
	}
	dm := must(s.UserChannelCreate(w.ana.String()))(t)
	must(s.ChannelMessageSend(dm.ID, "psst"))(t)
	if list := w.DirectMessages(w.bot.ID, w.ana); len(list) != 1 || list[0].Content != "psst" {
		t.Errorf("direct messages %+v", list)
	}
}

// TestDiscordgoAnswers registers commands with discordgo and answers interactions with it, files included.
func TestDiscordgoAnswers(t *testing.T) {
	w := newModerated(t)
	base, client := w.serve()
	s := w.discordgo(client.Transport, base, w.bot.Token) // the description knows no files, so it is not asked here
	app, g := w.bot.ID.String(), w.guild.String()
	min := 1.0
	list := must(s.ApplicationCommandBulkOverwrite(app, g, []*discordgo.ApplicationCommand{{
		Name: "backup", Description: "keeps the guild", Options: []*discordgo.ApplicationCommandOption{
			{Type: discordgo.ApplicationCommandOptionInteger, Name: "days", Description: "how long", Required: true, MinValue: &min},
		},
	}}))(t)
	if len(list) != 1 || list[0].Options[0].Name != "days" || list[0].GuildID != g {
		t.Errorf("commands %+v", list)
	}
	i := must(w.Interact(InteractionSpec{App: w.bot.ID, Guild: w.guild, Channel: w.text, User: w.ana, Command: "backup", Options: map[string]any{"days": 7}}))(t)
	event := &discordgo.Interaction{ID: i.ID().String(), AppID: app, Token: i.Token()}
	w.ok(s.InteractionRespond(event, &discordgo.InteractionResponse{
		Type: discordgo.InteractionResponseDeferredChannelMessageWithSource, Data: &discordgo.InteractionResponseData{Flags: discordgo.MessageFlagsEphemeral},
	}))
	text := "ready"
	must(s.InteractionResponseEdit(event, &discordgo.WebhookEdit{Content: &text, Files: []*discordgo.File{
		{Name: "backup.bin", ContentType: "application/octet-stream", Reader: bytes.NewReader([]byte{1, 2, 3})},
	}}))(t)
	must(s.FollowupMessageCreate(event, true, &discordgo.WebhookParams{Content: "and one more thing"}))(t)
	state := must(i.Reply(t.Context()))(t)
	if o := state.Original; o.Content != "ready" || !o.Ephemeral || len(o.Files) != 1 || !bytes.Equal(o.Files[0].Data, []byte{1, 2, 3}) || len(state.Followups) != 1 {
		t.Errorf("Ana sees %+v", state)
	}
	w.ok(s.InteractionResponseDelete(event))
	err := s.InteractionRespond(event, &discordgo.InteractionResponse{Type: discordgo.InteractionResponsePong})
	if !refusedWith(err, http.StatusBadRequest, discordgo.ErrCodeInteractionHasAlreadyBeenAcknowledged) {
		t.Errorf("a second answer: %v", err)
	}
	_, err = s.ApplicationCommandCreate(app, g, &discordgo.ApplicationCommand{Name: "Bad Name", Description: "d"})
	var rest *discordgo.RESTError
	if !errors.As(err, &rest) || !strings.Contains(string(rest.ResponseBody), "APPLICATION_COMMAND_INVALID_NAME") {
		t.Errorf("a bad name: %v", err)
	}
}
