package bus

import (
	"encoding/json"
	"time"
)

// componentJobs answers the calls below.
const componentJobs = "jobs"

// JobSubmit asks for a job. Guild is what the asker was authorised for: arguments that name another one are refused.
type JobSubmit struct {
	Kind    JobKind         `json:"kind"`
	Guild   GuildID         `json:"guild,string"`
	By      UserID          `json:"by,string"`
	Args    json.RawMessage `json:"args,omitempty"`
	Secrets JobSecrets      `json:"secrets,omitempty"`
	Key     string          `json:"key,omitempty"`   // within a day, a second submission with it gives the first one's job
	At      time.Time       `json:"at,omitzero"`     // not before; zero: at once
	Actor   string          `json:"actor,omitempty"` // for the action log; empty: By
	Reason  string          `json:"reason,omitempty"`
	// Queued lets the job wait for one that has its guild's lane, instead of being refused.
	Queued bool `json:"queued,omitempty"`
	// Hold lets the job wait until JobReleaseCall, and says for what, as people read it. One that nobody releases within a
	// day is cancelled.
	Hold     string `json:"hold,omitempty"`
	Schedule string `json:"schedule,omitempty"` // the schedule that asks
}

// JobRequest asks something about a job, or about a kind.
type JobRequest struct {
	Actor  string  `json:"actor,omitempty"`
	Reason string  `json:"reason,omitempty"`
	Target string  `json:"target"`                 // the id of the job, or the kind
	Guild  GuildID `json:"guild,string,omitempty"` // only a job of this guild; 0: of any
}

// JobQuery says which jobs are wanted; an empty field matches all.
type JobQuery struct {
	Guild GuildID  `json:"guild,string,omitempty"`
	Kind  JobKind  `json:"kind,omitempty"`
	State JobState `json:"state,omitempty"`
	Limit int      `json:"limit,omitempty"` // 0: 50, at most MaxJobList
}

// MaxJobList bounds a list of jobs.
const MaxJobList = 500

// JobList is some jobs, the newest first.
type JobList struct {
	Jobs []Job `json:"jobs"`
	More bool  `json:"more,omitempty"`
}

func jobCall[Q, R any](verb string) Call[Q, R] {
	return Call[Q, R]{join(rootControl, componentJobs, verb)}
}

// JobSubmitCall takes a job in and answers with its record. CodeConflict with the detail job: that job has the guild's
// lane, or the key.
func JobSubmitCall() Call[JobSubmit, Job] { return jobCall[JobSubmit, Job]("submit") }

// JobCancelCall ends a job: one that runs stops within one call of Discord.
func JobCancelCall() Call[JobRequest, Job] { return jobCall[JobRequest, Job]("cancel") }

// JobRetryCall lets a job that failed or was cancelled go on from the step in which it ended.
func JobRetryCall() Call[JobRequest, Job] { return jobCall[JobRequest, Job]("retry") }

// JobReleaseCall lets a job begin that was submitted with Hold. One that was released already is left as it is.
// CodeConflict when it has ended, or when its lane is taken: then the detail job names the one in the way.
func JobReleaseCall() Call[JobRequest, Job] { return jobCall[JobRequest, Job]("release") }

// JobPauseCall keeps jobs of a kind from being begun.
func JobPauseCall() Call[JobRequest, JobPause] { return jobCall[JobRequest, JobPause]("pause") }

// JobResumeCall lets jobs of a kind begin again.
func JobResumeCall() Call[JobRequest, JobPause] { return jobCall[JobRequest, JobPause]("resume") }

// JobRemoveCall removes a job that has ended, with its files, before it expires.
func JobRemoveCall() Call[JobRequest, Job] { return jobCall[JobRequest, Job]("remove") }

// JobListCall lists jobs.
func JobListCall() Call[JobQuery, JobList] { return jobCall[JobQuery, JobList]("list") }

// JobShowCall shows a job.
func JobShowCall() Call[JobRequest, Job] { return jobCall[JobRequest, Job]("show") }

// JobScheduleCall sets a guild's schedule; one without a cron text is removed.
func JobScheduleCall() Call[JobSchedule, JobSchedule] {
	return jobCall[JobSchedule, JobSchedule]("schedule")
}
