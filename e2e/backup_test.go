package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"splashtail/bus/bustest"
	"splashtail/internal/formsecret"
	"splashtail/internal/sandbox"
)

// TestBackupAndRestoreByCommands goes the way of a server's owner: a backup, a wrecked server, the plan, the button, and the
// server is as before.
func TestBackupAndRestoreByCommands(t *testing.T) {
	t.Parallel()
	o := newVault(t)
	before := o.snapshot()
	o.uses("backup create", map[string]any{"messages": 500, "attachments": true, "members": true, "name": "Sunday"})
	o.sees("✅ done")
	backup := o.newest("Sunday")

	o.has(o.uses("backup compare", map[string]any{"backup": backup}), "Nothing has changed")
	wrecked := must(o.d.Wreck(o.guild, sandbox.Wreckage{Seed: 7, Delete: 0.4, Change: 0.4, Add: 0.2, Members: true}))(t)
	if len(wrecked) < 10 || reflect.DeepEqual(before, o.snapshot()) {
		t.Fatalf("the server is hardly wrecked: %q", wrecked)
	}
	o.room = o.anyRoom() // the first one may be gone
	s := o.uses("backup restore", map[string]any{"backup": backup, "mode": "exact"})
	o.has(s, "Restore a backup")
	o.presses(s, "Delete ")
	o.sees("Restore", "✅ done")
	for _, difference := range differences(before, o.snapshot()) {
		t.Error(difference)
	}
	o.has(o.uses("backup restore", map[string]any{"backup": backup, "mode": "exact"}), "nothing to do")
}

// TestEncryptedBackupFromAnUpload: a backup that is encrypted with a password from a form is taken out of the store, deleted
// there, and brought back from the file. The channel of the command stays although the backup has it not.
func TestEncryptedBackupFromAnUpload(t *testing.T) {
	t.Parallel()
	const password = "xyzzy plugh 42"
	o := newVault(t)
	before := o.snapshot()
	o.types(o.opens("backup create", map[string]any{"encrypt": true, "members": true, "name": "Secret"}), map[string]string{"password": password, "again": password})
	o.sees("✅ done")
	backup := o.newest("Secret")
	path := filepath.Join(t.TempDir(), "secret.backup")
	o.runs(nil, "backup", "get", backup, "-o", path)
	o.runs(settings{"BACKUP_PASSWORD": password}, "backup", "verify", path)
	o.presses(o.uses("backup delete", map[string]any{"backup": backup}), "Delete this backup")
	archive := must(os.ReadFile(path))(t)
	if strings.Contains(string(archive), "manifest") {
		t.Error("the archive can be read without its password")
	}
	o.has(o.uses("settings set", map[string]any{"restore_approval": "owner"}), "Saved")

	must(o.d.Wreck(o.guild, sandbox.Wreckage{Seed: 8, Delete: 0.4, Change: 0.4, Add: 0.2, Members: true}))(t)
	o.room = must(o.d.As(o.owner).CreateChannel(o.guild, "war-room", sandbox.TextChannel, 0))(t)
	file := map[string]any{"file": sandbox.File{Name: "secret.backup", Data: archive}, "mode": "exact", "encrypted": true}
	s := o.types(o.opens("backup restore", file), map[string]string{"password": "wrong"})
	o.has(s, "the password is wrong")
	s = o.types(o.opens("backup restore", file), map[string]string{"password": password})
	o.has(s, "Restore a backup")
	o.types(o.press(s, "Delete "), map[string]string{"password": password})
	o.sees("Restore", "✅ done")
	noError(t, o.d.As(o.owner).DeleteChannel(o.room))
	for _, difference := range differences(before, o.snapshot()) {
		t.Error(difference)
	}
	if strings.Contains(o.program.log.String(), password) {
		t.Error("the log has the password")
	}
	if streams, seen := bustest.Holding(t, openBus(t, o.s.nats()), password); len(streams) > 0 || seen < 100 {
		t.Errorf("of %d stored messages those in %v have the password", seen, streams)
	}
}

// runs lets an operator run a command of the program.
func (o *vault) runs(more settings, args ...string) {
	o.t.Helper()
	cmd := exec.Command(splashtail, args...)
	cmd.Dir = o.t.TempDir()
	for name, value := range o.s.with(settings{"NATS_URL": o.s.nats()}).with(more) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// opens lets the owner use a command that shows a form.
func (o *vault) opens(command string, options map[string]any) *sandbox.Interaction {
	o.t.Helper()
	return must(o.d.Interact(sandbox.InteractionSpec{App: o.app.ID, Guild: o.guild, Channel: o.room, User: o.owner, Command: command, Options: options}))(o.t)
}

// types lets the owner fill in a form, once it is there, and gives the answer.
func (o *vault) types(form *sandbox.Interaction, fields map[string]string) sandbox.InteractionState {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	must(form.Await(ctx, func(s sandbox.InteractionState) bool { return s.Modal != nil }))(o.t)
	typed := map[string]string{}
	for name, value := range fields {
		typed[formsecret.Input(name)] = value
	}
	return o.reply(must(o.d.Interact(sandbox.InteractionSpec{App: o.app.ID, Guild: o.guild, Channel: o.room, User: o.owner, Modal: form, Fields: typed}))(o.t))
}

// vault is a generated guild in which the bot makes backups.
type vault struct {
	t     *testing.T
	d     *sandbox.Discord
	app   sandbox.Application
	guild sandbox.ID
	owner sandbox.ID
	room  sandbox.ID // where commands are used
	s     settings

	program *program
}

func newVault(t *testing.T) *vault {
	t.Helper()
	d, _, discord := startDiscord(t, sandbox.Config{Gateway: sandbox.GatewaySettings{IdentifyEvery: -1}})
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "splashtail", MembersIntent: true, MessageContentIntent: true}))(t)
	spec := sandbox.SmallGuild(1)
	spec.Bot = app.ID
	made := must(d.Generate(spec))(t)
	o := &vault{t: t, d: d, app: app, guild: made.Guild, owner: made.Owner}
	o.s = onFreePorts(t).with(discord).with(settings{"DISCORD_BOT_TOKEN": app.Token, "DISCORD_CDN_URL": d.CDNURL()})
	o.program = start(t, "up", o.s)
	o.sync()
	o.room = o.anyRoom()
	return o
}

// sync registers the commands as an operator does.
func (o *vault) sync() {
	o.t.Helper()
	cmd := exec.Command(splashtail, "commands", "sync", "--guild", o.guild.String())
	cmd.Dir = o.t.TempDir()
	for name, value := range o.s.with(settings{"NATS_URL": o.s.nats()}) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Fatalf("commands sync: %v\n%s", err, out)
	}
}

// anyRoom gives a text channel in which people can use commands.
func (o *vault) anyRoom() sandbox.ID {
	o.t.Helper()
	var channels []struct {
		ID   sandbox.ID `json:"id"`
		Type int        `json:"type"`
	}
	noError(o.t, json.Unmarshal(must(o.d.As(o.owner).Do("GET", "/guilds/"+o.guild.String()+"/channels", nil))(o.t), &channels))
	for _, c := range channels {
		if c.Type == 0 {
			return c.ID
		}
	}
	o.t.Fatal("there is no text channel")
	return 0
}

func (o *vault) snapshot() sandbox.Snapshot {
	o.t.Helper()
	s, ok := o.d.Snapshot(o.guild)
	if !ok {
		o.t.Fatal("there is no guild")
	}
	return plainBans(s)
}

// plainBans takes the operation out that stands behind the reason of a ban that came back, and in place of none.
func plainBans(s sandbox.Snapshot) sandbox.Snapshot {
	for user, why := range s.Bans {
		why, _, _ = strings.Cut(why, " · op=")
		s.Bans[user] = strings.TrimPrefix(why, "Restore of a backup")
	}
	return s
}

// uses lets the owner use a command and gives the answer, once it is more than progress.
func (o *vault) uses(command string, options map[string]any) sandbox.InteractionState {
	o.t.Helper()
	return o.reply(must(o.d.Interact(sandbox.InteractionSpec{App: o.app.ID, Guild: o.guild, Channel: o.room, User: o.owner, Command: command, Options: options}))(o.t))
}

func (o *vault) reply(i *sandbox.Interaction) sandbox.InteractionState {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	return must(i.Await(ctx, func(s sandbox.InteractionState) bool {
		text := said(s)
		return text != "" && !strings.Contains(text, `"title":"Plan of a restore"`)
	}))(o.t)
}

// presses lets the owner press a button of an answer and gives the answer to that.
func (o *vault) presses(s sandbox.InteractionState, label string) sandbox.InteractionState {
	o.t.Helper()
	return o.reply(o.press(s, label))
}

// press lets the owner press a button of an answer.
func (o *vault) press(s sandbox.InteractionState, label string) *sandbox.Interaction {
	o.t.Helper()
	for _, c := range s.Original.Components {
		if strings.Contains(c.Label, label) {
			return must(o.d.Interact(sandbox.InteractionSpec{App: o.app.ID, Guild: o.guild, Channel: o.room, User: o.owner,
				CustomID: c.CustomID, Message: s.Original.ID}))(o.t)
		}
	}
	o.t.Fatalf("there is no button %q in %s", label, said(s))
	return nil
}

// sees waits until a message anywhere in the guild says all of this.
func (o *vault) sees(texts ...string) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), 2*patience)
	defer cancel()
	last := ""
	err := o.d.Await(ctx, func() bool {
		for _, m := range o.d.Messages(o.room) {
			last = string(must(json.Marshal(m))(o.t))
			all := true
			for _, text := range texts {
				all = all && strings.Contains(last, text)
			}
			if all {
				return true
			}
		}
		return false
	})
	if err != nil {
		o.t.Fatalf("nobody says %q, the last message is %s", texts, last)
	}
}

// newest gives the id of the newest backup of a name.
func (o *vault) newest(name string) string {
	o.t.Helper()
	list := said(o.uses("backup list", nil))
	if !strings.Contains(list, name) {
		o.t.Fatalf("the list has no %q: %s", name, list)
	}
	return regexp.MustCompile("`([0-9A-Z]{26})`").FindStringSubmatch(list)[1]
}

func (o *vault) has(s sandbox.InteractionState, want string) {
	o.t.Helper()
	if got := said(s); !strings.Contains(got, want) {
		o.t.Fatalf("the answer is %s, want %q in it", got, want)
	}
}

// said is all that an answer says, as JSON.
func said(s sandbox.InteractionState) string {
	if s.Original == nil || s.Thinking {
		return ""
	}
	data, _ := json.Marshal(s.Original)
	return string(data)
}

// differences lists what two snapshots do not have in common, field by field.
func differences(want, got sandbox.Snapshot) []string {
	var out []string
	a, b := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range a.NumField() {
		x, _ := json.MarshalIndent(a.Field(i).Interface(), "", " ")
		y, _ := json.MarshalIndent(b.Field(i).Interface(), "", " ")
		if string(x) == string(y) {
			continue
		}
		xs, ys := strings.Split(string(x), "\n"), strings.Split(string(y), "\n")
		for j := range min(len(xs), len(ys)) {
			if xs[j] != ys[j] {
				out = append(out, fmt.Sprintf("%s: line %d is %s, was %s (before: %s)", a.Type().Field(i).Name, j, ys[j], xs[j], strings.Join(xs[max(0, j-4):j], " ")))
				break
			}
		}
	}
	return out
}
