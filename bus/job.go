package bus

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// JobState says where a job stands.
type JobState string

// The states. A job that failed is parked: its notes are kept until it expires, and a retry goes on behind them.
const (
	JobPending   JobState = "pending"   // in the queue
	JobWaiting   JobState = "waiting"   // until a moment, or for another job; Job.Wait says why
	JobRunning   JobState = "running"   // a worker has it
	JobCompleted JobState = "completed" // done
	JobFailed    JobState = "failed"    // given up; Job.Error says why
	JobCancelled JobState = "cancelled" // somebody did not want it any more
)

// Ended says whether nobody works on a job of this state or will, unless it is retried.
func (s JobState) Ended() bool { return s == JobCompleted || s == JobFailed || s == JobCancelled }

// Job is the record of a job; in JOBS_STATE under <guild>.<id>. Only the process that changed it last may change it
// further: every write is a compare-and-set.
type Job struct {
	V          int             `json:"v"`
	ID         string          `json:"id"`
	Kind       JobKind         `json:"kind"`
	Guild      GuildID         `json:"guild,string"`
	By         UserID          `json:"by,string"`          // who asked; 0: a schedule or an operator
	Actor      string          `json:"actor,omitempty"`    // who asked for it, as the action log names them; empty: By
	Schedule   string          `json:"schedule,omitempty"` // the schedule that made it
	Lane       string          `json:"lane"`               // jobs of one lane and guild exclude each other if Sole
	Queue      string          `json:"queue"`              // its urgency
	Sole       bool            `json:"sole,omitempty"`
	Place      int             `json:"place,omitempty"`   // which place of a lane that is Sole; 0 is the first
	Args       json.RawMessage `json:"args,omitempty"`    // as the kind reads them; never a secret
	Secrets    []string        `json:"secrets,omitempty"` // names of what was sealed with it
	State      JobState        `json:"state"`
	Generation int             `json:"generation"`          // of its work item; an older item means nothing
	Attempt    int             `json:"attempt,omitempty"`   // how often a worker has begun; the fence of all writes
	Failures   int             `json:"failures,omitempty"`  // attempts that ended in an error
	Takeovers  int             `json:"takeovers,omitempty"` // attempts whose worker was gone
	Worker     string          `json:"worker,omitempty"`    // the process that has it
	Submitted  time.Time       `json:"submitted_at"`
	Started    time.Time       `json:"started_at,omitzero"` // of the first attempt
	Finished   time.Time       `json:"finished_at,omitzero"`
	Changed    time.Time       `json:"changed_at"`
	Deadline   time.Time       `json:"deadline,omitzero"`   // when it fails at the latest
	Expires    time.Time       `json:"expires_at,omitzero"` // when it is removed with its files
	Wait       *JobWait        `json:"wait,omitempty"`
	Cancel     *JobCancel      `json:"cancel,omitempty"` // somebody asked for its end
	Error      *JobError       `json:"error,omitempty"`
	Outcome    json.RawMessage `json:"outcome,omitempty"`
	Files      []JobFile       `json:"files,omitempty"`
	Tries      []JobTry        `json:"tries,omitempty"`    // at most MaxJobTries, the newest last
	Progress   *JobProgress    `json:"progress,omitempty"` // what the last reader of its log adds; not kept in the record
}

// JobWait says why nothing happens until a moment.
type JobWait struct {
	Until time.Time `json:"until"`
	Why   string    `json:"why"`
	For   string    `json:"for,omitempty"`    // the job that must end first
	Pause bool      `json:"paused,omitempty"` // its kind is paused
	InRun bool      `json:"in_run,omitempty"` // its work item stays in the queue meanwhile
	Held  bool      `json:"held,omitempty"`   // it does not begin before somebody lets it; at Until it ends instead
}

// JobCancel is a wish that a job ends.
type JobCancel struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// JobError says why a job failed.
type JobError struct {
	Code    Code   `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Step    string `json:"step,omitempty"` // in which step; a retry begins there
}

// JobFile is a file that belongs to a job.
type JobFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Digest string `json:"digest,omitempty"`
	Key    string `json:"key"` // in BACKUPS
}

// JobTry is one attempt.
type JobTry struct {
	Attempt int       `json:"attempt"`
	Worker  string    `json:"worker"`
	Begun   time.Time `json:"begun_at"`
	Ended   time.Time `json:"ended_at,omitzero"`
	Result  string    `json:"result,omitempty"`
}

// JobProgress is how far a running job is, as its log told last.
type JobProgress struct {
	Phase string    `json:"phase,omitempty"`
	Done  int       `json:"done"`
	Total int       `json:"total"`
	Wait  *JobWait  `json:"wait,omitempty"`
	At    time.Time `json:"at"`
}

// MaxJobTries bounds the attempts that a record tells of.
const MaxJobTries = 20

// JobLine is a message of a job's log: a line for people, its progress, or a change of its state.
type JobLine struct {
	V       int          `json:"v"`
	Seq     uint64       `json:"seq,omitempty"` // its place, for who reads on later; not stored
	Attempt int          `json:"attempt,omitempty"`
	Level   string       `json:"level,omitempty"` // info, warning or error; of a line
	Text    string       `json:"text,omitempty"`
	State   JobState     `json:"state,omitempty"`    // set when the state changed
	At      time.Time    `json:"at"`                 // when it was said
	Step    *JobProgress `json:"progress,omitempty"` // set for progress
}

// JobNote is what a worker has noted for itself and whoever takes over.
type JobNote struct {
	V       int             `json:"v"`
	Attempt int             `json:"attempt"`
	Key     string          `json:"key,omitempty"` // empty: a worker says that it has taken the job over
	Value   json.RawMessage `json:"value,omitempty"`
}

// JobItem is the work item of a job in a queue, and what a timer brings back.
type JobItem struct {
	V          int     `json:"v"`
	Guild      GuildID `json:"guild,string"`
	ID         string  `json:"id,omitempty"`
	Generation int     `json:"generation,omitempty"`
	Schedule   string  `json:"schedule,omitempty"` // instead of a job: a schedule whose time has come
	At         string  `json:"at,omitempty"`       // of a schedule's time
}

// JobOnce is which job a submission with a key has become.
type JobOnce struct {
	V  int    `json:"v"`
	ID string `json:"id"`
}

// JobPause is that no job of a kind is begun.
type JobPause struct {
	V      int       `json:"v"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// JobSealed is a job's secrets, encrypted with the key of the deployment.
type JobSealed struct {
	V      int    `json:"v"`
	Sealed []byte `json:"sealed"`
}

// JobSchedule makes a job again and again; in CONFIG under schedule.<guild>.<name>.
type JobSchedule struct {
	V      int             `json:"v"`
	Guild  GuildID         `json:"guild,string"`
	Name   string          `json:"name"` // a plain word
	Kind   JobKind         `json:"kind"`
	Args   json.RawMessage `json:"args,omitempty"`
	Cron   string          `json:"cron"`      // minute, hour, day of month, month, day of week
	Zone   string          `json:"time_zone"` // of the IANA database; empty: UTC
	Paused bool            `json:"paused,omitempty"`
	By     UserID          `json:"by,string"`
	At     time.Time       `json:"at"`
	Next   time.Time       `json:"next_at,omitzero"` // when it is due next; set by the engine
	Last   string          `json:"last_job,omitempty"`
}

// JobSecrets are secrets that travel with a submission, such as a password. They are sealed before anything is stored;
// printed they show their names only.
type JobSecrets map[string]string

// Format writes the names.
func (s JobSecrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.names()) }

// LogValue gives the names.
func (s JobSecrets) LogValue() slog.Value { return slog.StringValue(s.names()) }

func (s JobSecrets) names() string {
	var names []string
	for n := range s {
		names = append(names, n)
	}
	return "[secrets: " + strings.Join(names, " ") + "]"
}

// jobAlphabet is Crockford's base 32: no letter looks like a digit, and texts sort as the numbers do.
const jobAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// jobIDLen is the length of a job's id: 48 bits of milliseconds and 80 random ones.
const jobIDLen = 26

// NewJobID makes an id: 26 letters and digits that sort by time.
func NewJobID(at time.Time) string {
	var raw [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		raw[i] = byte(ms >> (40 - 8*i))
	}
	_, _ = rand.Read(raw[6:]) // never fails
	var out [jobIDLen]byte
	// 130 bits, of which the first two are 0.
	bit := -2
	for i := range out {
		v := 0
		for range 5 {
			v <<= 1
			if bit >= 0 {
				v |= int(raw[bit/8]>>(7-bit%8)) & 1
			}
			bit++
		}
		out[i] = jobAlphabet[v]
	}
	return string(out[:])
}

// ParseJobID accepts what NewJobID makes; CodeInvalid otherwise.
func ParseJobID(s string) (string, error) {
	if len(s) != jobIDLen || strings.Trim(s, jobAlphabet) != "" {
		return "", Errorf(CodeInvalid, "bad_job_id", "the id of a job has %d digits and capital letters; nothing was changed", jobIDLen)
	}
	return s, nil
}

// JobKey names a job's record.
func JobKey(g GuildID, id string) string { return join(g.String(), id) }

// AllJobs holds the records of jobs, under JobKey. The pattern <guild>.* gives those of a guild, *.<id> finds one.
func AllJobs() Kept[Job] { return Kept[Job]{bucket: bucketJobs} }

// JobOnces holds the keys of submissions, under <guild>.<hash of the key>.
func JobOnces() Kept[JobOnce] { return Kept[JobOnce]{bucket: bucketJobs, prefix: "once."} }

// JobPauses holds the kinds that are paused, under the kind.
func JobPauses() Kept[JobPause] { return Kept[JobPause]{bucket: bucketJobs, prefix: "paused.kind."} }

// JobSeals holds the secrets of jobs, sealed, under JobKey.
func JobSeals() Kept[JobSealed] { return Kept[JobSealed]{bucket: bucketJobSecrets} }

// JobSchedules holds the schedules of guilds, under <guild>.<name>.
func JobSchedules() Kept[JobSchedule] {
	return Kept[JobSchedule]{bucket: bucketConfig, prefix: "schedule."}
}

// JobScheduleKey names a schedule; its name must be a plain word.
func JobScheduleKey(g GuildID, name string) (string, error) {
	if !isToken(name) {
		return "", Errorf(CodeInvalid, "bad_name", "the name of a schedule has up to 64 letters, digits, - and _; nothing was changed")
	}
	return join(g.String(), name), nil
}

// JobsLease is the right to mend what crashes left of jobs and to remove expired ones.
func JobsLease() LeaseKey { return LeaseKey{join(leaseJobs, "sweep")} }
