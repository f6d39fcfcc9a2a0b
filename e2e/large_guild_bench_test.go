package e2e

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// BenchmarkLargeGuildAndBack backs a guild at Discord's limits up and restores it, by a worker in a process of its own and under Discord's
// usual limits. ratio is the time by the optimum (see toll.optimum), MiB the worker's peak of resident memory, what
// it has when idle included.
//
// By default a third of the channels is lost, and the guild has 10,000 messages. SPLASHTAIL_BENCH_MESSAGES sets how many; with
// SPLASHTAIL_BENCH_WHOLE set, all of it goes into an empty guild. Two things are left out of the restore, since they alone would
// decide how long it takes, whatever anybody does: expressions, of which Discord takes 50 emojis an hour, and members, of whom
// it takes one a second.
func BenchmarkLargeGuildAndBack(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("the peak of memory is read from /proc")
	}
	messages := 10_000
	if n, err := strconv.Atoi(os.Getenv("SPLASHTAIL_BENCH_MESSAGES")); err == nil {
		messages = n
	}
	for b.Loop() {
		largeGuildAndBack(b, messages, os.Getenv("SPLASHTAIL_BENCH_WHOLE") != "")
	}
}

func largeGuildAndBack(b *testing.B, messages int, whole bool) {
	o := newEstate(b, sandbox.DefaultLimits())
	spec := sandbox.LargeGuild(1)
	spec.Messages = messages
	g := o.generate(spec)
	s := onFreePorts(b).with(settings{
		"DISCORD_API_URL": o.url + "/api/v10", "DISCORD_CDN_URL": o.url, "DISCORD_BOT_TOKEN": o.app.Token, "BACKUP_MAX_MESSAGES": "200000",
	})
	start(b, "nats", s)
	s = s.with(settings{"NATS_URL": s.nats(), "OPS_ADDR": freeAddr(b)})
	worker := start(b, "jobs", s)
	o.jobs = openJobs(b, s["NATS_URL"])
	b.ReportMetric(worker.peak(), "idle-MiB")

	begun := time.Now()
	backup := o.does(g.Guild, g.Owner, bus.JobBackupCreate, bus.BackupArgs{Messages: 200_000, PerChannel: 1000, Members: true})
	o.tells(b, worker, "backup", time.Since(begun))
	b.Logf("the backup: %s", backup.Outcome)

	source := bus.BackupSource{Job: backup.ID}
	if whole {
		source = bus.BackupSource{URL: o.upload(backup)}
		g = o.plainGuild(sandbox.Administrator)
	} else {
		must(o.d.Wreck(g.Guild, sandbox.Wreckage{Seed: 3, Delete: 0.3, Change: 0.1, Add: 0.1}))(b)
	}
	var parts []string
	for _, p := range bus.BackupParts() {
		if p != bus.PartExpressions && p != bus.PartMembers {
			parts = append(parts, p)
		}
	}
	plan := o.does(g.Guild, g.Owner, bus.JobRestorePlan, bus.PlanArgs{Source: source, Mode: bus.RestoreExact, Parts: parts})
	b.ReportMetric(worker.peak(), "plan-MiB")
	todo := outcome[bus.PlanDone](b, plan)
	o.toll.reset()
	begun = time.Now()
	job := o.does(g.Guild, g.Owner, bus.JobBackupRestore, bus.RestoreArgs{Plan: plan.ID, Hash: todo.Hash, ApprovedBy: []bus.UserID{bus.UserID(g.Owner)}})
	o.tells(b, worker, "restore", time.Since(begun))
	done := outcome[bus.RestoreDone](b, job)
	if len(done.Failed) > 0 {
		b.Errorf("failed: %s", strings.Join(done.Failed, "\n"))
	}
	b.Logf("the restore: planned %v, done %v, left %d", todo.Counts, done.Done, len(done.Left))
	worker.kill()
}

// tells reports how long a job took, by the optimum, and what it took of memory.
func (o *estate) tells(b *testing.B, worker *program, what string, took time.Duration) {
	least, why := o.toll.optimum()
	b.Logf("%s: %v, at least %v: %s; %d requests, %d messages, refused %d", what, took, least, why, o.toll.calls, o.toll.posts, o.toll.refused)
	b.ReportMetric(took.Seconds()/least.Seconds(), what+"-ratio")
	b.ReportMetric(took.Seconds(), what+"-s")
	b.ReportMetric(float64(o.toll.refused), what+"-429s")
	b.ReportMetric(worker.peak(), what+"-MiB")
}
