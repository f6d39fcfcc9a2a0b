package discord

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/sandbox"
)

// TestBotCalls makes every call once, past strict limits and Discord's own description.
func TestBotCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick())
	r.checked()
	ctx := bounded(t)
	for _, part := range []struct {
		name string
		run  func(context.Context)
	}{
		{"guild", r.guildCalls}, {"members", r.memberCalls}, {"bans", r.banCalls}, {"channels", r.channelCalls}, {"roles", r.roleCalls},
		{"messages", r.messageCalls}, {"webhooks", r.webhookCalls}, {"commands", r.commandCalls}, {"audit log", r.auditCalls},
	} {
		t.Run(part.name, func(t *testing.T) { r.t = t; part.run(ctx) })
		r.t = t
	}
	r.never429()
	if n := len(r.operations()); n > 0 && n < 50 {
		t.Errorf("only %d of Discord's operations were called", n)
	}
}

func (r *rig) guildCalls(ctx context.Context) {
	g := must(r.bot.Guild(ctx, r.guild.String()))(r.t)
	if g.OwnerID != r.owner.String() || g.ApproximateMemberCount != 5 {
		r.t.Errorf("guild %+v", g)
	}
	if g := must(r.bot.EditGuild(ctx, r.guild.String(), Changes{"verification_level": 0}, "calm again"))(r.t); g.VerificationLevel != 0 {
		r.t.Errorf("level %d", g.VerificationLevel)
	}
	until := time.Now().Add(time.Hour)
	a := must(r.bot.SetIncidentActions(ctx, r.guild.String(), IncidentActions{InvitesDisabledUntil: &until}, "raid"))(r.t)
	if a.InvitesDisabledUntil == nil || a.InvitesDisabledUntil.Sub(until).Abs() > time.Second || a.DMsDisabledUntil != nil {
		r.t.Errorf("incident actions %+v", a)
	}
	if a := must(r.bot.SetIncidentActions(ctx, r.guild.String(), IncidentActions{}, "over"))(r.t); a.InvitesDisabledUntil != nil {
		r.t.Errorf("incident actions %+v after lifting", a)
	}
	must(r.bot.PruneCount(ctx, r.guild.String(), 7, []string{r.botRole.String()}))(r.t)
	r.ok(r.bot.Prune(ctx, r.guild.String(), 30, nil, "nobody is that old"))
	code := must(r.As(r.owner).CreateInvite(r.text))(r.t)
	if all := must(r.bot.Invites(ctx, r.guild.String()))(r.t); len(all) != 1 || all[0].Code != code {
		r.t.Errorf("invites %+v", all)
	}
	r.ok(r.bot.DeleteInvite(ctx, code, "leaked"))
	if me := must(r.bot.Self(ctx))(r.t); me.ID != r.app.ID.String() {
		r.t.Errorf("self %+v", me)
	}
	if app := must(r.bot.Application(ctx))(r.t); app.ID != r.app.ID.String() {
		r.t.Errorf("application %+v", app)
	}
}

func (r *rig) memberCalls(ctx context.Context) {
	guild, ana := r.guild.String(), r.ana.String()
	role := must(r.bot.CreateRole(ctx, guild, Changes{"name": "crew", "permissions": "0"}, "for tests"))(r.t)
	if m := must(r.bot.Member(ctx, guild, ana))(r.t); m.User.ID != ana {
		r.t.Errorf("member %+v", m)
	}
	if all := must(r.bot.Members(ctx, guild, "", 1000))(r.t); len(all) != 5 {
		r.t.Errorf("%d members", len(all))
	}
	if found := must(r.bot.SearchMembers(ctx, guild, "An", 5))(r.t); len(found) != 1 || found[0].User.ID != ana {
		r.t.Errorf("found %+v", found)
	}
	r.ok(r.bot.AddRole(ctx, guild, ana, role.ID, "joined"))
	r.ok(r.bot.RemoveRole(ctx, guild, ana, role.ID, "left"))
	r.ok(r.bot.SetRoles(ctx, guild, ana, []string{role.ID}, "all at once"))
	r.ok(r.bot.SetRoles(ctx, guild, ana, nil, "stripped"))
	r.ok(r.bot.Timeout(ctx, guild, ana, time.Now().Add(time.Hour), "quiet"))
	if m := must(r.bot.Member(ctx, guild, ana))(r.t); !TimedOut(m, time.Now()) || len(m.Roles) != 0 {
		r.t.Errorf("member %+v", m)
	}
	r.ok(r.bot.Timeout(ctx, guild, ana, time.Time{}, "over"))
	if m := must(r.bot.EditMember(ctx, guild, ana, Changes{"nick": "Ann"}, "renamed"))(r.t); m.Nick != "Ann" || TimedOut(m, time.Now()) {
		r.t.Errorf("member %+v", m)
	}
	r.ok(r.bot.Kick(ctx, guild, r.bo.String(), "gone: für immer"))
	_, err := r.bot.Member(ctx, guild, r.bo.String())
	r.code(err, CodeUnknownMember)
	for _, id := range []string{"", "x/../y", "1/2", "..", "%2e"} {
		if _, err := r.bot.Member(ctx, guild, id); err == nil || !strings.Contains(err.Error(), "not sent") {
			r.t.Errorf("the id %q: %v", id, err)
		}
	}
}

func (r *rig) banCalls(ctx context.Context) {
	guild := r.guild.String()
	r.ok(r.bot.Ban(ctx, guild, r.cat.String(), time.Hour, "spam"))
	if b := must(r.bot.BanOf(ctx, guild, r.cat.String()))(r.t); b.Reason != "spam" {
		r.t.Errorf("ban %+v", b)
	}
	if all := must(r.bot.Bans(ctx, guild, "", 1000))(r.t); len(all) != 1 {
		r.t.Errorf("%d bans", len(all))
	}
	r.ok(r.bot.Unban(ctx, guild, r.cat.String(), "forgiven"))
	r.code(r.bot.Unban(ctx, guild, r.cat.String(), "again"), CodeUnknownBan)
	raider := must(r.AddUser("raider"))(r.t)
	b := must(r.bot.BulkBan(ctx, guild, []string{raider.String(), r.owner.String()}, 0, "raid"))(r.t)
	if !slices.Equal(b.Banned, []string{raider.String()}) || len(b.Failed) != 1 {
		r.t.Errorf("bulk ban %+v", b)
	}
	if _, err := r.bot.BulkBan(ctx, guild, nil, 0, ""); err == nil {
		r.t.Error("a bulk ban of nobody")
	}
}

func (r *rig) channelCalls(ctx context.Context) {
	guild := r.guild.String()
	c := must(r.bot.CreateChannel(ctx, guild, Changes{"name": "logs", "type": discordgo.ChannelTypeGuildText}, "log channel"))(r.t)
	if c := must(r.bot.EditChannel(ctx, c.ID, Changes{"rate_limit_per_user": 30}, "slow"))(r.t); c.RateLimitPerUser != 30 {
		r.t.Errorf("channel %+v", c)
	}
	o := &discordgo.PermissionOverwrite{ID: guild, Type: discordgo.PermissionOverwriteTypeRole, Deny: discordgo.PermissionSendMessages}
	r.ok(r.bot.SetOverwrite(ctx, c.ID, o, "closed"))
	if c := must(r.bot.Channel(ctx, c.ID))(r.t); len(c.PermissionOverwrites) != 1 || c.PermissionOverwrites[0].Deny != o.Deny {
		r.t.Errorf("channel %+v", c)
	}
	r.ok(r.bot.DeleteOverwrite(ctx, c.ID, guild, "open"))
	r.ok(r.bot.MoveChannels(ctx, guild, []Place{{c.ID, 0}}, "first"))
	if all := must(r.bot.Channels(ctx, guild))(r.t); len(all) != 2 {
		r.t.Errorf("%d channels", len(all))
	}
	if dm := must(r.bot.DM(ctx, r.ana.String()))(r.t); dm.Type != discordgo.ChannelTypeDM {
		r.t.Errorf("direct messages %+v", dm)
	}
	r.ok(r.bot.DeleteChannel(ctx, c.ID, "done"))
	_, err := r.bot.Channel(ctx, c.ID)
	r.code(err, CodeUnknownChannel)
}

func (r *rig) roleCalls(ctx context.Context) {
	guild := r.guild.String()
	role := must(r.bot.CreateRole(ctx, guild, Changes{"name": "quarantine", "permissions": "0"}, "made"))(r.t)
	if role := must(r.bot.EditRole(ctx, guild, role.ID, Changes{"permissions": "1024"}, "seen"))(r.t); role.Permissions != 1024 {
		r.t.Errorf("role %+v", role)
	}
	r.ok(errOf(r.bot.MoveRoles(ctx, guild, []Place{{role.ID, 1}}, "down")))
	r.ok(r.bot.DeleteRole(ctx, guild, role.ID, "gone"))
	if all := must(r.bot.Roles(ctx, guild))(r.t); len(all) != 3 {
		r.t.Errorf("%d roles", len(all))
	}
}

func errOf[T any](_ T, err error) error { return err }

func (r *rig) messageCalls(ctx context.Context) {
	text := r.text.String()
	file := &discordgo.File{Name: `a "quoted" name.txt`, ContentType: "text/plain", Reader: strings.NewReader("hello")}
	m := must(r.bot.SendMessage(ctx, text, &discordgo.MessageSend{Content: "alert", Files: []*discordgo.File{file}, Components: []discordgo.MessageComponent{
		discordgo.ActionsRow{Components: []discordgo.MessageComponent{discordgo.Button{Label: "Undo", CustomID: "undo:1", Style: discordgo.DangerButton}}},
	}}, "nonce-1"))(r.t)
	if len(m.Attachments) != 1 || m.Attachments[0].Size != 5 || len(m.Components) != 1 {
		r.t.Errorf("message %+v", m)
	}
	again := must(r.bot.SendMessage(ctx, text, &discordgo.MessageSend{Content: "alert"}, "nonce-1"))(r.t)
	if again.ID != m.ID {
		r.t.Error("the nonce made two messages")
	}
	edit := discordgo.NewMessageEdit(text, m.ID).SetContent("seen")
	if e := must(r.bot.EditMessage(ctx, edit))(r.t); e.Content != "seen" {
		r.t.Errorf("message %+v", e)
	}
	ids := []string{m.ID}
	for range 3 {
		ids = append(ids, must(r.bot.SendMessage(ctx, text, &discordgo.MessageSend{Content: "x"}, ""))(r.t).ID)
	}
	if m := must(r.bot.Message(ctx, text, ids[1]))(r.t); m.Content != "x" {
		r.t.Errorf("message %+v", m)
	}
	if page := must(r.bot.Messages(ctx, text, ids[2], 100))(r.t); len(page) != 2 {
		r.t.Errorf("%d messages", len(page))
	}
	r.ok(r.bot.DeleteMessages(ctx, text, ids[2:], "spam"))
	r.ok(r.bot.DeleteMessage(ctx, text, ids[1], "spam"))
	if err := r.bot.DeleteMessages(ctx, text, ids[:1], ""); err == nil {
		r.t.Error("a bulk delete of one")
	}
}

func (r *rig) webhookCalls(ctx context.Context) {
	w := must(r.bot.CreateWebhook(ctx, r.text.String(), "restore", "for a backup"))(r.t)
	m := must(r.bot.ExecuteWebhook(ctx, w.ID, w.Token, &discordgo.WebhookParams{Content: "old words", Username: "Ana"}))(r.t)
	if m.Content != "old words" {
		r.t.Errorf("message %+v", m)
	}
	if all := must(r.bot.GuildWebhooks(ctx, r.guild.String()))(r.t); len(all) != 1 || all[0].Token == "" {
		r.t.Errorf("webhooks %+v", all)
	}
	if all := must(r.bot.ChannelWebhooks(ctx, r.text.String()))(r.t); len(all) != 1 {
		r.t.Errorf("%d webhooks", len(all))
	}
	r.ok(r.bot.DeleteWebhook(ctx, w.ID, "done"))
	_, err := r.bot.ExecuteWebhook(ctx, w.ID, w.Token, &discordgo.WebhookParams{Content: "too late"})
	r.code(err, CodeUnknownWebhook)
	_, err = r.bot.ExecuteWebhook(ctx, w.ID, w.Token, &discordgo.WebhookParams{Content: "too late"})
	wantReason(r.t, err, ReasonWebhookGone)
}

func (r *rig) commandCalls(ctx context.Context) {
	app, guild := r.app.ID.String(), r.guild.String()
	ping := &discordgo.ApplicationCommand{Name: "ping", Description: "Answer at once"}
	if all := must(r.bot.SetCommands(ctx, app, guild, []*discordgo.ApplicationCommand{ping}))(r.t); len(all) != 1 {
		r.t.Errorf("%d commands", len(all))
	}
	c := must(r.bot.CreateCommand(ctx, app, "", &discordgo.ApplicationCommand{Name: "help", Description: "What there is"}))(r.t)
	if c := must(r.bot.EditCommand(ctx, app, "", c.ID, &discordgo.ApplicationCommand{Name: "help", Description: "All there is"}))(r.t); c.Description != "All there is" {
		r.t.Errorf("command %+v", c)
	}
	if all := must(r.bot.Commands(ctx, app, ""))(r.t); len(all) != 1 {
		r.t.Errorf("%d commands", len(all))
	}
	r.ok(r.bot.DeleteCommand(ctx, app, "", c.ID))
	r.interactionCalls(ctx, app)
}

func (r *rig) interactionCalls(ctx context.Context, app string) {
	use := func() *sandbox.Interaction {
		return must(r.Interact(sandbox.InteractionSpec{App: r.app.ID, Guild: r.guild, Channel: r.text, User: r.ana, Command: "ping"}))(r.t)
	}
	i := use()
	r.ok(r.bot.Respond(ctx, i.ID().String(), i.Token(), &discordgo.InteractionResponse{Type: discordgo.InteractionResponseDeferredChannelMessageWithSource}))
	r.code(r.bot.Respond(ctx, i.ID().String(), i.Token(), &discordgo.InteractionResponse{
		Type: discordgo.InteractionResponseChannelMessageWithSource, Data: &discordgo.InteractionResponseData{Content: "twice"},
	}), CodeAcknowledged)
	text := "pong"
	must(r.bot.EditOriginal(ctx, app, i.Token(), &discordgo.WebhookEdit{Content: &text, Files: []*discordgo.File{{Name: "a.txt", Reader: strings.NewReader("data")}}}))(r.t)
	if m := must(r.bot.Original(ctx, app, i.Token()))(r.t); m.Content != "pong" || len(m.Attachments) != 1 {
		r.t.Errorf("original %+v", m)
	}
	f := must(r.bot.FollowUp(ctx, app, i.Token(), &discordgo.WebhookParams{Content: "and"}))(r.t)
	more := "and more"
	must(r.bot.EditFollowUp(ctx, app, i.Token(), f.ID, &discordgo.WebhookEdit{Content: &more}))(r.t)
	if s := i.State(); len(s.Followups) != 1 || s.Followups[0].Text() != "and more" || s.Original.Text() != "pong" {
		r.t.Errorf("the user sees %+v", s)
	}
	r.ok(r.bot.DeleteFollowUp(ctx, app, i.Token(), f.ID))
	r.ok(r.bot.DeleteOriginal(ctx, app, i.Token()))
	direct := use()
	r.ok(r.bot.Respond(ctx, direct.ID().String(), direct.Token(), &discordgo.InteractionResponse{
		Type: discordgo.InteractionResponseChannelMessageWithSource,
		Data: &discordgo.InteractionResponseData{Content: "file", Files: []*discordgo.File{{Name: "b.txt", Reader: strings.NewReader("more")}}},
	}))
	if s := direct.State(); s.Original == nil || len(s.Original.Files) != 1 || string(s.Original.Files[0].Data) != "more" {
		r.t.Errorf("the user sees %+v", s)
	}
}

// auditCalls finds the reasons of the calls before.
func (r *rig) auditCalls(ctx context.Context) {
	log := must(r.bot.AuditLog(ctx, r.guild.String(), AuditQuery{User: r.app.ID.String(), Action: discordgo.AuditLogActionMemberKick, Limit: 10}))(r.t)
	if len(log.AuditLogEntries) != 1 || log.AuditLogEntries[0].Reason != "gone: für immer" || log.AuditLogEntries[0].TargetID != r.bo.String() {
		r.t.Errorf("audit log %+v", log.AuditLogEntries)
	}
	missing := 0
	for _, e := range r.AuditLog(r.guild) {
		if e.Actor == r.app.ID && e.Reason == "" {
			missing++
		}
	}
	if missing > 0 {
		r.t.Errorf("%d entries of the bot have no reason", missing)
	}
}
