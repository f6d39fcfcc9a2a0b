package vault_test

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// TestRestore: a plan is shown, and what is begun is the plan of that hash; the channel of the command is named to be kept.
func TestRestore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own"}, "x")
	r.plans(somePlan(""))
	keep := r.ID(r.Discord.AddChannel(r.Guild, "keep", sandbox.TextChannel))
	s := r.has(r.uses(r.admin, "backup restore", map[string]any{"backup": id, "mode": "exact", "only": "only_roles", "keep_channel": keep, "keep_role": r.ModRole}), "It deletes 3, makes 40 and changes 1")
	if !strings.Contains(says(s), "• delete channel junk") || !strings.Contains(says(s), "… +43") || !strings.Contains(says(s), "five minutes") {
		t.Error(says(s))
	}
	asked := r.submitted(bus.JobRestorePlan)
	var args bus.PlanArgs
	r.OK(json.Unmarshal(asked[0].Args, &args))
	if args.Source.Job != id || args.Source.URL != "" || args.Mode != bus.RestoreExact || !slices.Equal(args.Parts, []string{"roles"}) || args.Here != r.Text.String() ||
		!slices.Equal(args.Protect, []string{keep.String(), r.ModRole.String()}) || len(asked[0].Secrets) != 0 {
		t.Fatalf("%+v", args)
	}
	r.has(r.presses(r.admin, s, "Delete 3, restore 41"), "It is begun")
	begun := r.submitted(bus.JobBackupRestore)
	var back bus.RestoreArgs
	r.OK(json.Unmarshal(begun[0].Args, &back))
	if len(begun) != 1 || back.Hash != somePlan("").Hash || !slices.Equal(back.ApprovedBy, []bus.UserID{bus.UserID(r.admin)}) || len(begun[0].Secrets) != 0 {
		t.Fatalf("%+v", begun)
	}
}

// TestPlansThatLeadNowhere: nothing can be pressed.
func TestPlansThatLeadNowhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := map[string]any{"backup": r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own"}, "x")}
	r.plans(bus.PlanDone{Hash: strings.Repeat("ab", 32)})
	for command, want := range map[string]string{"restore": "nothing to do", "compare": "Nothing has changed"} {
		if s := r.has(r.uses(r.admin, "backup "+command, id), want); len(s.Original.Components) != 0 {
			t.Error(says(s))
		}
	}
	r.ends(func(j *bus.Job) {
		j.State, j.Error = bus.JobFailed, &bus.JobError{Message: "the archive is damaged"}
	})
	if s := r.has(r.uses(r.admin, "backup restore", id), "There is no plan; nothing was changed. the archive is damaged"); len(s.Original.Components) != 0 {
		t.Error(says(s))
	}
	r.ends(func(j *bus.Job) { j.State = bus.JobCancelled })
	r.has(r.uses(r.admin, "backup restore", id), "nothing was changed. cancelled")
}

// TestUpload: a file is a source, with its password when who uploads it says that it has one. What lets others read the file is a secret,
// and in no record either while a form is filled in (acceptance 23, J7).
func TestUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.plans(somePlan(""))
	file := sandbox.File{Name: "old.backup", Type: "application/octet-stream", Data: []byte("the archive")}
	for _, command := range []string{"compare", "restore"} {
		r.has(r.uses(r.admin, "backup "+command, map[string]any{"file": file}), "Skeld, as of")
		form := r.uses(r.admin, "backup "+command, map[string]any{"file": file, "encrypted": true})
		r.until(form, "a form", func(s sandbox.InteractionState) bool { return s.Modal != nil })
		if streams, _ := bustest.Holding(t, r.Bus, "old.backup?ex="); !slices.Equal(streams, []string{"DISPATCH"}) {
			t.Errorf("while a form is filled in %v have the signed address, want the events of Discord only", streams)
		}
		r.has(r.types(r.admin, form, map[string]string{"password": "old"}), "Skeld, as of")
		asked := r.submitted(bus.JobRestorePlan)
		if len(asked) != 2 || len(asked[0].Secrets) != 1 || len(asked[1].Secrets) != 2 || asked[1].Secrets["password"] != "old" {
			t.Fatalf("%+v", asked)
		}
		for _, a := range asked {
			var args bus.PlanArgs
			r.OK(json.Unmarshal(a.Args, &args))
			if args.Source.Job != "" || !strings.HasSuffix(args.Source.URL, "/old.backup") || !strings.HasPrefix(a.Secrets[bus.SignatureSecret], "ex=") {
				t.Errorf("%+v", a)
			}
		}
	}
}

// TestThePlanAndTheReportAreHandedOver: whoever approves can read every line of a plan, and afterwards of the report. What was pruned in
// channels that who asks may not see is not handed over.
func TestThePlanAndTheReportAreHandedOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := map[string]any{"backup": r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own"}, "x")}
	stored := func(key, text string) bus.JobFile {
		_, err := r.files.Put(t.Context(), key, strings.NewReader(text))
		r.OK(err)
		return bus.JobFile{Name: path.Base(key), Size: int64(len(text)), Key: key}
	}
	files := []bus.JobFile{stored("1/a/plan.json", "{}"), stored("1/a/plan.txt", "every line"), {Name: "gone.txt", Size: 5, Key: "1/a/gone.txt"}}
	r.plans(somePlan(""))
	whole := r.end
	r.ends(func(j *bus.Job) { whole(j); j.Files = files })
	handed := func(i *sandbox.Interaction, want ...string) {
		t.Helper()
		s := r.until(i, "an answer", func(s sandbox.InteractionState) bool {
			return s.Original != nil && s.Original.Text() != "" && len(s.Original.Files) >= len(want)
		})
		var got []string
		for _, f := range s.Original.Files {
			got = append(got, f.Name+": "+string(f.Data))
		}
		if !slices.Equal(got, want) {
			t.Errorf("handed over: %q, want %q", got, want)
		}
	}
	handed(r.uses(r.admin, "backup restore", id), "plan.txt: every line")
	handed(r.uses(r.admin, "backup compare", id), "plan.txt: every line")
	for kind, want := range map[bus.JobKind][]string{bus.JobBackupRestore: {"report.txt: what was done"}, bus.JobMessagePrune: nil} {
		j := bus.Job{V: 1, ID: bus.NewJobID(time.Now()), Kind: kind, Guild: r.GuildID(), State: bus.JobCompleted, Files: []bus.JobFile{stored("1/b/report.txt", "what was done")}}
		_, err := r.records.Put(t.Context(), bus.JobKey(j.Guild, j.ID), j)
		r.OK(err)
		handed(r.uses(r.admin, "job show", map[string]any{"job": j.ID}), want...)
	}
}

// TestSecondApproval: who asked is not enough, nor is somebody without rights, and neither changes what others see; somebody
// else who may restore is, once.
func TestSecondApproval(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own"}, "x")
	r.plans(somePlan(bus.NeedsSecond))
	s := r.has(r.uses(r.admin, "backup restore", map[string]any{"backup": id, "mode": "exact"}), "It deletes 3")
	s = r.has(r.presses(r.admin, s, "Delete 3, restore 41"), "Somebody else who may restore has to approve it")
	for who, want := range map[sandbox.ID]string{r.admin: "somebody else has to approve it; nothing was changed", r.Mod: "You may not run", r.Member: "You may not run"} {
		if no := r.has(r.presses(who, s, "Approve this plan"), want); !no.Original.Ephemeral {
			t.Errorf("everybody sees %s", says(no))
		}
	}
	if got := r.submitted(bus.JobBackupRestore); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	// What counts is what they may do when they press: who has lost the role cannot approve any more.
	r.OK(r.Discord.As(r.Owner).RemoveRole(r.Guild, r.other, r.role))
	r.has(r.presses(r.other, s, "Approve this plan"), "You may not run")
	if got := r.submitted(bus.JobBackupRestore); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	r.OK(r.Discord.As(r.Owner).AddRole(r.Guild, r.other, r.role))
	r.has(r.presses(r.other, s, "Approve this plan"), "It is begun")
	begun := r.submitted(bus.JobBackupRestore)
	var back bus.RestoreArgs
	r.OK(json.Unmarshal(begun[0].Args, &back))
	if len(begun) != 1 || !slices.Equal(back.ApprovedBy, []bus.UserID{bus.UserID(r.admin), bus.UserID(r.other)}) || begun[0].By != bus.UserID(r.other) {
		t.Errorf("%+v", begun)
	}
}

// TestOwnerApproval: another administrator is not enough, the owner is; who asked and owns the server needs nobody else.
func TestOwnerApproval(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := map[string]any{"backup": r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own"}, "x"), "mode": "exact"}
	r.plans(somePlan(bus.NeedsOwner))
	s := r.has(r.uses(r.admin, "backup restore", id), "It deletes 3")
	s = r.has(r.presses(r.admin, s, "Delete 3, restore 41"), "The owner of this server has to approve it")
	for _, who := range []sandbox.ID{r.admin, r.other} {
		r.has(r.presses(who, s, "Approve this plan"), "Only the owner of this server can approve this; nothing was changed")
	}
	if got := r.submitted(bus.JobBackupRestore); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	r.has(r.presses(r.Owner, s, "Approve this plan"), "It is begun")
	s = r.has(r.uses(r.Owner, "backup restore", id), "It deletes 3")
	r.has(r.presses(r.Owner, s, "Delete 3, restore 41"), "It is begun")
	if got := r.submitted(bus.JobBackupRestore); len(got) != 2 {
		t.Fatalf("%+v", got)
	}
}

// TestTwoApproveAtOnce: the second press finds the restore begun and leaves the card to it.
func TestTwoApproveAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := map[string]any{"backup": r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own"}, "x"), "mode": "exact"}
	r.plans(somePlan(bus.NeedsSecond))
	s := r.has(r.uses(r.admin, "backup restore", id), "It deletes 3")
	s = r.has(r.presses(r.admin, s, "Delete 3, restore 41"), "has to approve it")
	approve, _ := s.Original.Button("Approve this plan")
	all, err := r.records.All(t.Context(), "*.*")
	r.OK(err)
	plan := all[slices.IndexFunc(all, func(e bus.Entry[bus.Job]) bool { return e.Value.Kind == bus.JobRestorePlan })].Value
	begun := bus.Job{V: 1, ID: bus.NewJobID(time.Now()), Kind: bus.JobBackupRestore, Guild: r.GuildID(), State: bus.JobRunning, Args: text(bus.RestoreArgs{Plan: plan.ID})}
	_, err = r.records.Put(t.Context(), bus.JobKey(begun.Guild, begun.ID), begun)
	r.OK(err)
	busy := bus.Errorf(bus.CodeConflict, "guild_busy", "a job is under way")
	busy.Details = map[string]string{"job": begun.ID}
	r.refuses(busy)
	i := r.sends(r.other, sandbox.InteractionSpec{CustomID: approve.CustomID, Message: s.Original.ID})
	r.done(i)
	if got := r.submitted(bus.JobBackupRestore); len(got) != 1 || i.State().Edits > 0 {
		t.Errorf("%+v, the card is %s", got, says(i.State()))
	}
}

// TestRestoreApprovalSetting: everybody who may change settings can ask for more approval, only the owner for less.
func TestRestoreApprovalSetting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	set := func(who sandbox.ID, needs, want, then string) {
		t.Helper()
		r.has(r.uses(who, "settings set", map[string]any{"restore_approval": needs}), want)
		v, err := r.settings.Of(t.Context(), r.GuildID())
		if err != nil || v.RestoreNeeds != then {
			t.Fatalf("%+v %v, want %q", v, err, then)
		}
	}
	r.has(r.uses(r.Owner, "settings show", nil), "Nobody else")
	set(r.Mod, "owner", "may not run", "")
	set(r.admin, "nobody", "Saved", "")
	set(r.admin, "second", "Saved", bus.NeedsSecond)
	set(r.other, "nobody", "Only the owner of this server", bus.NeedsSecond)
	set(r.other, "owner", "Saved", bus.NeedsOwner)
	set(r.admin, "second", "Only the owner of this server", bus.NeedsOwner)
	set(r.admin, "owner", "Saved", bus.NeedsOwner)
	r.has(r.uses(r.admin, "settings show", nil), "The owner")
	set(r.Owner, "second", "Saved", bus.NeedsSecond)
	set(r.Owner, "nobody", "Saved", "")
}
