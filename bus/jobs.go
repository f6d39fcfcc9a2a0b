package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Jobs is what everybody may do with jobs. Changes are asked of the component jobs, which answers when they are stored;
// what is only read is read from the buckets and streams, whether or not a component jobs runs.
type Jobs struct {
	b         *Bus
	records   *Records[Job]
	schedules *Records[JobSchedule]
	files     *Blobs
}

// OpenJobs gives access to jobs.
func OpenJobs(ctx context.Context, b *Bus) (*Jobs, error) {
	j := &Jobs{b: b}
	var err error
	if j.records, err = OpenRecords(ctx, b, AllJobs()); err != nil {
		return nil, err
	}
	if j.schedules, err = OpenRecords(ctx, b, JobSchedules()); err != nil {
		return nil, err
	}
	j.files, err = OpenBackups(ctx, b)
	return j, err
}

// Submit asks for a job; see JobSubmit. Errors: CodeInvalid when the kind does not take the arguments; CodeConflict
// when another job of the guild is in the way, whose id is the detail job; CodeUnavailable when no component jobs
// answers, and then the job may have been taken or not: with a Key, asking again is safe.
func (j *Jobs) Submit(ctx context.Context, s JobSubmit) (Job, error) {
	return Do(ctx, j.b, JobSubmitCall(), s)
}

// Get reads a job of a guild. That of another guild is not found. Progress is what its log told last.
func (j *Jobs) Get(ctx context.Context, g GuildID, id string) (Job, error) {
	if _, err := ParseJobID(id); err != nil {
		return Job{}, err
	}
	e, err := j.records.Get(ctx, JobKey(g, id))
	if err != nil {
		return Job{}, notFound(err, id)
	}
	return j.withProgress(ctx, e.Value), nil
}

func notFound(err error, id string) error {
	if IsCode(err, CodeNotFound) {
		return Errorf(CodeNotFound, "no_job", "there is no job %s here; it may have expired", id)
	}
	return err
}

// Find reads a job whose guild the asker does not know, as an operator.
func (j *Jobs) Find(ctx context.Context, id string) (Job, error) {
	if _, err := ParseJobID(id); err != nil {
		return Job{}, err
	}
	all, err := j.records.All(ctx, "*."+id)
	if err != nil {
		return Job{}, err
	}
	if len(all) == 0 {
		return Job{}, Errorf(CodeNotFound, "no_job", "there is no job %s; it may have expired", id)
	}
	return j.withProgress(ctx, all[0].Value), nil
}

// withProgress adds what the log of a running job told last; a log that cannot be read adds nothing.
func (j *Jobs) withProgress(ctx context.Context, job Job) Job {
	if job.State != JobRunning {
		return job
	}
	if d, err := Last(ctx, j.b, jobProgress(job.Guild, job.ID)); err == nil && d.Value.Attempt == job.Attempt {
		job.Progress = d.Value.Step
	}
	return job
}

// List gives the jobs of a guild, or of all for 0, the newest first.
func (j *Jobs) List(ctx context.Context, q JobQuery) (JobList, error) {
	pattern := "*.*"
	if q.Guild != 0 {
		pattern = q.Guild.String() + ".*"
	}
	all, err := j.records.All(ctx, pattern)
	if err != nil {
		return JobList{}, err
	}
	limit := min(cmp.Or(max(q.Limit, 0), 50), MaxJobList)
	list := JobList{Jobs: []Job{}}
	slices.SortFunc(all, func(a, b Entry[Job]) int { return cmp.Compare(b.Value.ID, a.Value.ID) })
	for _, e := range all {
		if q.Kind != "" && e.Value.Kind != q.Kind || q.State != "" && e.Value.State != q.State {
			continue
		}
		if len(list.Jobs) == limit {
			list.More = true
			break
		}
		list.Jobs = append(list.Jobs, j.withProgress(ctx, e.Value))
	}
	return list, nil
}

// Cancel asks for the end of a job. The answer is the record: cancelled, or still running with Cancel set; its log
// tells when it has ended.
func (j *Jobs) Cancel(ctx context.Context, r JobRequest) (Job, error) {
	return Do(ctx, j.b, JobCancelCall(), r)
}

// Retry lets a job that failed or was cancelled go on from the step in which it ended.
func (j *Jobs) Retry(ctx context.Context, r JobRequest) (Job, error) {
	return Do(ctx, j.b, JobRetryCall(), r)
}

// Release lets a job begin that was submitted with Hold; see JobReleaseCall.
func (j *Jobs) Release(ctx context.Context, r JobRequest) (Job, error) {
	return Do(ctx, j.b, JobReleaseCall(), r)
}

// Remove removes a job that has ended, and everything that is kept of it: its files, notes and log. CodeConflict when it
// has not ended.
func (j *Jobs) Remove(ctx context.Context, r JobRequest) error {
	_, err := Do(ctx, j.b, JobRemoveCall(), r)
	return err
}

// Pause keeps jobs of the kind r.Target from being begun; those that run go on.
func (j *Jobs) Pause(ctx context.Context, r JobRequest) (JobPause, error) {
	return Do(ctx, j.b, JobPauseCall(), r)
}

// Resume ends a pause.
func (j *Jobs) Resume(ctx context.Context, r JobRequest) (JobPause, error) {
	return Do(ctx, j.b, JobResumeCall(), r)
}

// SetSchedule sets a schedule of a guild, over one of the same name; an empty Cron removes it.
func (j *Jobs) SetSchedule(ctx context.Context, s JobSchedule) (JobSchedule, error) {
	return Do(ctx, j.b, JobScheduleCall(), s)
}

// Schedules gives the schedules of a guild.
func (j *Jobs) Schedules(ctx context.Context, g GuildID) ([]JobSchedule, error) {
	all, err := j.schedules.All(ctx, g.String()+".*")
	if err != nil {
		return nil, err
	}
	out := make([]JobSchedule, len(all))
	for i, e := range all {
		out[i] = e.Value
	}
	return out, nil
}

// OpenFile streams a file of a job; CodeNotFound when that job of that guild has none of that name.
func (j *Jobs) OpenFile(ctx context.Context, g GuildID, id, name string) (io.ReadCloser, JobFile, error) {
	job, err := j.Get(ctx, g, id)
	if err != nil {
		return nil, JobFile{}, err
	}
	i := slices.IndexFunc(job.Files, func(f JobFile) bool { return f.Name == name })
	if i < 0 {
		return nil, JobFile{}, Errorf(CodeNotFound, "no_file", "the job %s has no file %s", id, name)
	}
	r, _, err := j.files.Open(ctx, job.Files[i].Key)
	if err != nil {
		return nil, JobFile{}, fmt.Errorf("the file %s of the job %s: %w", name, id, err)
	}
	return r, job.Files[i], nil
}

// Log gives h the lines of a job's log that are stored now, from place from on (0: all).
func (j *Jobs) Log(ctx context.Context, g GuildID, id string, from uint64, h func(JobLine) error) error {
	return ReadAll(ctx, j.b, JobLog(g, id), from, func(d Delivery[JobLine]) error {
		d.Value.Seq = d.Seq
		return h(d.Value)
	})
}

// errJobOver ends a Watch.
var errJobOver = errors.New("the job has ended")

// watchCheck is how often a Watch looks whether its job has ended without a last line, as after a loss of power.
const watchCheck = 5 * time.Second

// Watch gives h the lines of a job's log from place from on (0: all that are kept) as they come, and returns nil when
// the job has ended and all was told, or what h returned. The last line has the state in which the job ended.
// JobLine.Seq of the last one that h saw, and one more, is where to go on later.
func (j *Jobs) Watch(ctx context.Context, g GuildID, id string, from uint64, h func(JobLine) error) error {
	job, err := j.Get(ctx, g, id)
	if err != nil {
		return err
	}
	over := false
	tell := func(d Delivery[JobLine]) error {
		over = d.Value.State.Ended() && !d.Value.At.Before(job.Changed)
		d.Value.Seq = d.Seq
		return h(d.Value)
	}
	if job.State.Ended() {
		err = ReadAll(ctx, j.b, JobLog(g, id), from, tell)
	} else {
		err = j.follow(ctx, g, id, from, func(d Delivery[JobLine]) error {
			if err := tell(d); err != nil || !over {
				return err
			}
			return errJobOver
		})
	}
	if err != nil || over {
		return err
	}
	// Its last line is still on its way, or was lost with the server's power.
	if job, err = j.Get(ctx, g, id); err != nil || !job.State.Ended() {
		return err
	}
	last := JobLine{V: 1, Attempt: job.Attempt, State: job.State, At: job.Finished}
	if job.Error != nil {
		last.Text = job.Error.Message
	}
	return h(last)
}

// follow gives h the lines of a job until it has ended.
func (j *Jobs) follow(ctx context.Context, g GuildID, id string, from uint64, h func(Delivery[JobLine]) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go j.watchEnd(ctx, g, id, cancel)
	err := Follow(ctx, j.b, Follower{Batch: 1}, JobLog(g, id), from, func(_ context.Context, ds []Delivery[JobLine]) error {
		for _, d := range ds {
			if err := h(d); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errJobOver) || err == nil && errors.Is(context.Cause(ctx), errJobOver) {
		return nil
	}
	if err == nil {
		return ctx.Err()
	}
	return err
}

// watchEnd ends a watch when the record has told twice that the job has ended.
func (j *Jobs) watchEnd(ctx context.Context, g GuildID, id string, cancel func(error)) {
	for ended := 0; ended < 2; {
		sleep(ctx, watchCheck)
		if ctx.Err() != nil {
			return
		}
		e, err := j.records.Get(ctx, JobKey(g, id))
		switch {
		case IsCode(err, CodeNotFound), err == nil && e.Value.State.Ended():
			ended++
		case err == nil:
			ended = 0
		}
	}
	cancel(errJobOver)
}
