package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// estate is a guild at Discord's limits, and a way to its Discord that counts.
type estate struct {
	t    testing.TB
	d    *sandbox.Discord
	app  sandbox.Application
	toll *toll
	url  string // of the way
	jobs *bus.Jobs
}

// newEstate makes a Discord with a bot in it. The guild comes later, the jobs too.
func newEstate(t testing.TB, l sandbox.Limits) *estate {
	t.Helper()
	o := &estate{t: t, toll: &toll{buckets: map[string]*due{}, files: map[string][]byte{}}}
	o.d, o.url = behind(t, o.toll, &o.toll.next, sandbox.Config{Limits: l, RequestLog: 1, Gateway: sandbox.GatewaySettings{IdentifyEvery: -1}})
	o.app = must(o.d.AddApplication(sandbox.ApplicationSpec{Name: "keeper", MembersIntent: true, MessageContentIntent: true}))(t)
	return o
}

// generate makes a guild with the bot in it.
func (o *estate) generate(spec sandbox.GuildSpec) sandbox.Generated {
	o.t.Helper()
	spec.Bot = o.app.ID
	return must(o.d.Generate(spec))(o.t)
}

// does runs a job to its end and gives its record.
func (o *estate) does(guild, by sandbox.ID, kind bus.JobKind, args any) bus.Job {
	o.t.Helper()
	job := must(o.jobs.Submit(o.t.Context(), bus.JobSubmit{Kind: kind, Guild: bus.GuildID(guild), By: bus.UserID(by), Args: must(json.Marshal(args))(o.t)}))(o.t)
	noError(o.t, awaitEnd(o.t.Context(), o.jobs, job))
	job = must(o.jobs.Get(o.t.Context(), job.Guild, job.ID))(o.t)
	if job.State != bus.JobCompleted {
		o.t.Fatalf("%s is %s after %d attempts: %+v, tries %+v", kind, job.State, job.Attempt, job.Error, job.Tries)
	}
	return job
}

// restores plans and restores a backup, and gives what came of it with the report.
func (o *estate) restores(g sandbox.Generated, args bus.PlanArgs) (bus.RestoreDone, string) {
	o.t.Helper()
	plan := o.does(g.Guild, g.Owner, bus.JobRestorePlan, args)
	job := o.does(g.Guild, g.Owner, bus.JobBackupRestore, bus.RestoreArgs{
		Plan: plan.ID, Hash: outcome[bus.PlanDone](o.t, plan).Hash, ApprovedBy: []bus.UserID{bus.UserID(g.Owner)},
	})
	return outcome[bus.RestoreDone](o.t, job), string(o.file(job, "report.txt"))
}

// file reads a file of a job.
func (o *estate) file(job bus.Job, name string) []byte {
	o.t.Helper()
	f, _, err := o.jobs.OpenFile(o.t.Context(), job.Guild, job.ID, name)
	noError(o.t, err)
	defer f.Close()
	return must(io.ReadAll(f))(o.t)
}

// upload gives a backup the address of an attachment on Discord.
func (o *estate) upload(job bus.Job) string {
	o.t.Helper()
	path := "/attachments/1/2/" + job.ID + ".splashtail"
	o.toll.serve(path, o.file(job, bus.ArchiveOf(job)))
	return o.url + path
}

func (o *estate) snapshot(guild sandbox.ID) sandbox.Snapshot {
	o.t.Helper()
	s, ok := o.d.Snapshot(guild)
	if !ok {
		o.t.Fatal("there is no guild")
	}
	return s
}

// toll stands before Discord and counts what passes, by the limit that its answer names.
type toll struct {
	next http.Handler

	mu      sync.Mutex
	files   map[string][]byte // what is served in Discord's place, by path
	calls   int               // with the token of a bot
	writes  int               // calls that are no reading ones
	posts   int               // by webhooks, which Discord counts by address
	refused int               // for being too many
	buckets map[string]*due
}

// due is what passed of one bucket.
type due struct {
	n, limit int
	window   time.Duration
}

// serve serves a file at a path.
func (o *toll) serve(path string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files[path] = data
}

// reset forgets what was counted.
func (o *toll) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls, o.writes, o.posts, o.refused, o.buckets = 0, 0, 0, 0, map[string]*due{}
}

// ServeHTTP passes a request on.
func (o *toll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	data, own := o.files[r.URL.Path]
	o.mu.Unlock()
	if own {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		return
	}
	seen := &answered{ResponseWriter: w}
	o.next.ServeHTTP(seen, r)
	if strings.HasPrefix(r.URL.Path, "/api/") {
		o.count(r, seen.status, w.Header())
	}
}

// answered notes the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (o *toll) count(r *http.Request, status int, h http.Header) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if status == http.StatusTooManyRequests {
		o.refused++
		return
	}
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v10/"), "/")
	major := part[0]
	if len(part) > 1 {
		major = part[1]
	}
	if r.Method != http.MethodGet {
		o.writes++
	}
	if part[0] == "webhooks" && r.Method == http.MethodPost {
		o.posts++
		w := sandbox.DefaultLimits().WebhookChannel // which no header tells; a channel has one webhook of a restore
		o.add("channel of webhook "+major, w.Requests, w.Window)
	} else {
		o.calls++
	}
	limit, _ := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	if limit == 0 {
		return
	}
	var window time.Duration
	if left, _ := strconv.Atoi(h.Get("X-RateLimit-Remaining")); left == limit-1 {
		after, _ := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64) // of the first request of a window: its length
		window = time.Duration(after * float64(time.Second)).Round(100 * time.Millisecond)
	}
	o.add(h.Get("X-RateLimit-Bucket")+" of "+major, limit, window)
}

func (o *toll) add(bucket string, limit int, window time.Duration) {
	b := o.buckets[bucket]
	if b == nil {
		b = &due{}
		o.buckets[bucket] = b
	}
	b.n++
	b.limit, b.window = limit, max(b.window, window)
}

// optimum is the time that no schedule can beat, and what decides it: of every bucket, when the window of its last request
// opens; of the token, and of the address for what webhooks write, the second of its last request.
func (o *toll) optimum() (least time.Duration, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const perSecond = 50
	consider := func(d time.Duration, format string, args ...any) {
		if d > least {
			least, why = d, fmt.Sprintf(format, args...)
		}
	}
	consider(time.Duration(max(o.calls-1, 0)/perSecond)*time.Second, "%d requests of the token", o.calls)
	consider(time.Duration(max(o.posts-1, 0)/perSecond)*time.Second, "%d messages of the address", o.posts)
	for name, b := range o.buckets {
		consider(time.Duration((b.n-1)/b.limit)*b.window, "%d requests of the bucket %s, %d in %v", b.n, name, b.limit, b.window)
	}
	return least, why
}

// peak gives the most memory that a process had resident since the last call, in MiB.
func (p *program) peak() float64 {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	status := string(must(os.ReadFile(dir + "status"))(p.t))
	_, rest, _ := strings.Cut(status, "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		p.t.Fatalf("%s: %v", status, err)
	}
	noError(p.t, os.WriteFile(dir+"clear_refs", []byte("5"), 0)) // begins anew
	return math.Round(kib/1024*10) / 10
}
