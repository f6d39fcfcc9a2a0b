package restore

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/create"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// real puts the parts that make backups in place of the tests' own, for a guild that was generated.
func (x *rig) real(spec sandbox.GuildSpec) (take func(r *jobRun, args bus.BackupArgs, prefix string) bus.BackupDone) {
	x.t.Helper()
	spec.Bot = x.app.ID
	g, err := x.Generate(spec)
	x.ok(err)
	x.guild = g.Guild
	self := must(x.tools.Bot.Self(x.t.Context()))(x.t) // so that the sandbox knows its address
	_ = self
	cdn := must(discord.NewCDN(x.url))(x.t)
	x.t.Cleanup(cdn.Close)
	tools := create.Tools{Bot: x.tools.Bot, CDN: cdn, TempDir: x.t.TempDir(), Limits: create.Limits{Messages: 100_000}}
	take = func(r *jobRun, args bus.BackupArgs, prefix string) bus.BackupDone {
		x.t.Helper()
		done, err := create.Take(x.t.Context(), r, tools, args, prefix)
		x.ok(err)
		return done
	}
	decode := func(from io.Reader) (*archive.Archive, error) {
		return archive.Spool(from, archive.Options{TempDir: x.t.TempDir()})
	}
	x.tools.Decode = func(_ work.Run, from io.Reader) (Backup, error) { return decode(from) }
	x.tools.Keep = func(ctx context.Context, r work.Run, prefix string) (string, model.Snapshot, error) {
		done, err := create.Take(ctx, r, tools, bus.BackupArgs{Members: true}, prefix)
		if err != nil {
			return "", model.Snapshot{}, err
		}
		from, err := r.Open(ctx, r.Job().ID, done.File)
		if err != nil {
			return "", model.Snapshot{}, err
		}
		a, err := decode(from)
		if err != nil {
			return "", model.Snapshot{}, err
		}
		defer a.Close()
		s, err := a.Snapshot()
		return done.File, s, err
	}
	return take
}

// TestGeneratedGuildAfterARaid: a guild as people make it, backed up by the program itself, wrecked and restored is as it
// was, but for what no restore gives back, and a second plan is empty (acceptance 38, 42).
func TestGeneratedGuildAfterARaid(t *testing.T) {
	for seed := range uint64(5) {
		x := newRig(t, sandbox.Administrator)
		spec := sandbox.SmallGuild(seed)
		if seed == 4 {
			spec = sandbox.MediumGuild(seed)
		}
		take := x.real(spec)
		args := bus.BackupArgs{Members: true, Messages: 1000, PerChannel: 100, Attachments: true}
		done := take(x.newRun(bus.JobBackupCreate, "backupjob"), args, "")
		x.tools.FileOf = func(context.Context, work.Run, string) (string, error) { return done.File, nil }
		before, _ := x.Snapshot(x.guild)
		wreck := sandbox.Wreckage{Seed: seed, Delete: 0.4, Change: 0.3, Add: 0.3, Members: true}
		if seed == 3 {
			wreck = sandbox.TotalWreckage(seed)
		}
		must(x.Wreck(x.guild, wreck))(t)
		plan := bus.PlanArgs{Source: bus.BackupSource{Job: "backupjob"}, Mode: bus.RestoreExact}
		restored, r := x.again(plan, restoreJob)
		after, _ := x.Snapshot(x.guild)
		// Who was kicked cannot be brought back, and a ban has our operation behind its reason.
		diff := slices.DeleteFunc(before.Diff(after), func(line string) bool {
			left := func(member string) bool {
				id, err := sandbox.ParseID(member)
				_, here := after.Members[id]
				return err == nil && !here
			}
			rest, of := strings.CutPrefix(line, "- members.")
			user, _, _ := strings.Cut(rest, "[")
			rest, nick := strings.CutPrefix(line, "- nicks.")
			named, _, _ := strings.Cut(rest, ":")
			return of && left(user) || nick && left(named) || sameBan(line)
		})
		t.Logf("seed %d: %v, failed %v, left %d", seed, restored.Done, restored.Failed, len(restored.Left))
		if len(diff) > 0 {
			t.Errorf("seed %d:\n%s", seed, strings.Join(diff, "\n"))
		}
		if len(restored.Failed) > 0 {
			t.Errorf("seed %d: %s", seed, x.files[r.job.ID+"/"+ReportName])
		}
		p := x.newRun(bus.JobRestorePlan, "planjob")
		x.ok((&Planner{Tools: x.tools, Args: plan}).Run(t.Context(), p))
		if again := p.out.(bus.PlanDone); len(again.Lines) > 0 {
			t.Errorf("seed %d: a plan of the result: %s", seed, strings.Join(again.Lines, "\n"))
		}
	}
}

// sameBan tells whether a line of a comparison says of a ban only that a restore's operation came behind its reason.
func sameBan(line string) bool {
	line, ban := strings.CutPrefix(line, "~ bans.")
	_, reasons, _ := strings.Cut(line, `: "`)
	was, is, _ := strings.Cut(strings.TrimSuffix(reasons, `"`), `" became "`)
	if was == "" {
		return ban && strings.HasPrefix(is, restored)
	}
	return ban && strings.HasPrefix(is, was+" · op=")
}

// again plans and restores with what is in the store of backups.
func (x *rig) again(args bus.PlanArgs, job string) (bus.RestoreDone, *jobRun) {
	x.t.Helper()
	p := x.newRun(bus.JobRestorePlan, "planjob")
	x.ok((&Planner{Tools: x.tools, Args: args}).Run(x.t.Context(), p))
	r := x.newRun(bus.JobBackupRestore, job)
	x.ok(x.attempt(r, p.out.(bus.PlanDone).Hash, -1))
	return r.out.(bus.RestoreDone), r
}
