package bus

import (
	"strconv"
	"strings"
)

// The queues of jobs, the most urgent first.
const (
	JobsHigh   = "hi"
	JobsMiddle = "mid"
	JobsLow    = "lo"
)

// JobQueues lists the queues, the most urgent first.
var JobQueues = [...]string{JobsHigh, JobsMiddle, JobsLow}

// jobOne stands in the place of a job's id where a lane takes one job per guild; a lane that takes more has further places,
// one-2 and so on.
const jobOne = "one"

// JobRunSubject is where a job's work item waits and lies while the job runs: job.run.<queue>.<lane>.<guild>.<key>.
// The stream takes one message per subject, so the subject is the lock of a guild's lane, or of one of its places.
func JobRunSubject(j Job) Subject[JobItem] {
	key := j.ID
	switch {
	case j.Sole && j.Place > 0:
		key = jobOne + "-" + strconv.Itoa(j.Place+1)
	case j.Sole:
		key = jobOne
	}
	return Subject[JobItem]{join(rootJob, "run", j.Queue, j.Lane, j.Guild.String(), key)}
}

// ParseJobRunSubject is the inverse of JobRunSubject; id is empty for a place of a lane that is
// Sole.
func ParseJobRunSubject(s string) (queue, lane string, g GuildID, id string, err error) {
	t, err := split(s, 6, rootJob, "run")
	if err != nil {
		return "", "", 0, "", err
	}
	if g, err = ParseGuildID(t[4]); err != nil {
		return "", "", 0, "", err
	}
	if !isPlace(t[5]) {
		if id, err = ParseJobID(t[5]); err != nil {
			return "", "", 0, "", err
		}
	}
	return t[2], t[3], g, id, nil
}

// isPlace tells the places of a lane from ids of jobs.
func isPlace(key string) bool {
	text, more := strings.CutPrefix(key, jobOne+"-")
	n, err := strconv.Atoi(text)
	return key == jobOne || more && err == nil && n > 1 && strconv.Itoa(n) == text
}

// AllJobRuns takes every work item.
func AllJobRuns() Filter[JobItem] {
	return filterOf[JobItem](streamJobs, join(rootJob, "run", "*", "*", "*", "*"))
}

// JobRunsOf takes the work items of a queue.
func JobRunsOf(queue string) Filter[JobItem] {
	return filterOf[JobItem](streamJobs, join(rootJob, "run", queue, "*", "*", "*"))
}

// jobRunAt takes the work item under a job's subject.
func jobRunAt(j Job) Filter[JobItem] { return filterOf[JobItem](streamJobs, JobRunSubject(j).name) }

// JobLogSubject takes the lines of a job's log, job.log.<guild>.<id>. Both ids must have been parsed.
func JobLogSubject(g GuildID, id string) Subject[JobLine] {
	return Subject[JobLine]{join(rootJob, "log", g.String(), id)}
}

// JobProgressSubject takes a job's progress, job.progress.<guild>.<id>: in the stream of the log, so that one reader
// sees both in order, and apart from it, so that progress does not push lines out.
func JobProgressSubject(g GuildID, id string) Subject[JobLine] {
	return Subject[JobLine]{join(rootJob, "progress", g.String(), id)}
}

// JobLog takes a job's lines and progress.
func JobLog(g GuildID, id string) Filter[JobLine] {
	return filterOf[JobLine](streamJobLog, JobLogSubject(g, id).name, JobProgressSubject(g, id).name)
}

// jobProgress takes a job's progress alone.
func jobProgress(g GuildID, id string) Filter[JobLine] {
	return filterOf[JobLine](streamJobLog, JobProgressSubject(g, id).name)
}

// JobNoteSubject takes the notes of a job, job.note.<guild>.<id>.
func JobNoteSubject(g GuildID, id string) Subject[JobNote] {
	return Subject[JobNote]{join(rootJob, "note", g.String(), id)}
}

// JobNotes takes the notes of a job.
func JobNotes(g GuildID, id string) Filter[JobNote] {
	return filterOf[JobNote](streamJobNotes, JobNoteSubject(g, id).name)
}

// jobTimerSubject holds a timer until its time has come: job.timer.<guild>.<job id, or "every-" and a schedule's name>.
func jobTimerSubject(g GuildID, name string) Subject[JobItem] {
	return Subject[JobItem]{join(rootJob, "timer", g.String(), name)}
}

// jobDueSubject is where a timer's item then appears.
func jobDueSubject(g GuildID, name string) Subject[JobItem] {
	return Subject[JobItem]{join(rootJob, "due", g.String(), name)}
}

// AllJobsDue takes every item whose time has come.
func AllJobsDue() Filter[JobItem] {
	return filterOf[JobItem](streamJobsSched, join(rootJob, "due", "*", "*"))
}

// JobTimer names a timer.
type JobTimer struct {
	guild GuildID
	name  string
}

// TimerOfJob is the timer of a job that waits.
func TimerOfJob(g GuildID, id string) JobTimer { return JobTimer{g, id} }

// TimerOfSchedule is the timer of a schedule whose name was checked by JobScheduleKey.
func TimerOfSchedule(g GuildID, name string) JobTimer { return JobTimer{g, "every-" + name} }
