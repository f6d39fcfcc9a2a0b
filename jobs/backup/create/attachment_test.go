package create

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// wall is a channel full of files: its messages and its part of the CDN are answered by hand.
type wall struct {
	r        *rig
	channel  sandbox.ID
	messages int
	files    int // of each message
	size     int64
	kind     string
	serve    func(w http.ResponseWriter, q *http.Request, message, file int) // one file
	fetched  atomic.Int64
}

const wallStart = 1_000_000_000_000_000_000

// front answers for the channel.
func (l *wall) front(w http.ResponseWriter, q *http.Request) bool {
	if strings.HasSuffix(q.URL.Path, "/channels/"+l.channel.String()+"/messages") {
		l.list(w, q)
		return true
	}
	rest, ok := strings.CutPrefix(q.URL.Path, "/attachments/"+l.channel.String()+"/")
	if !ok {
		return false
	}
	l.fetched.Add(1)
	var m, f int
	fmt.Sscanf(rest, "%d/%d", &m, &f)
	l.serve(w, q, m, f)
	return true
}

func (l *wall) list(w http.ResponseWriter, q *http.Request) {
	before, limit := wallStart+l.messages, 50
	if b := q.URL.Query().Get("before"); b != "" {
		before, _ = strconv.Atoi(b)
	}
	if n := q.URL.Query().Get("limit"); n != "" {
		limit, _ = strconv.Atoi(n)
	}
	list := []map[string]any{}
	for i := before - 1; i >= wallStart && len(list) < limit; i-- {
		m := i - wallStart
		files := []map[string]any{}
		for f := range l.files {
			files = append(files, map[string]any{
				"id": fmt.Sprint(i*10 + f), "filename": fmt.Sprintf("f%d.bin", f), "size": l.size, "content_type": l.kind,
				"url": fmt.Sprintf("%s/attachments/%s/%d/%d", l.r.base, l.channel, m, f),
			})
		}
		list = append(list, map[string]any{
			"id": strconv.Itoa(i), "type": 0, "content": "see", "timestamp": "2026-01-02T03:04:05+00:00", "author": map[string]any{"id": "5", "username": "ana"},
			"embeds": []any{}, "components": []any{}, "attachments": files, "pinned": false,
		})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

func newWall(t *testing.T, messages, files int, size int64) *wall {
	t.Helper()
	r := plain(t, sandbox.Administrator)
	c := must(r.AddChannel(r.guild, "wall", sandbox.TextChannel))(t)
	l := &wall{r: r, channel: c, messages: messages, files: files, size: size, kind: "application/octet-stream"}
	r.front = l.front
	return l
}

// fill serves size bytes that are different in each file.
func fill(w io.Writer, size int64, message, file int) {
	block := make([]byte, 32<<10)
	for i := range block {
		block[i] = byte(i*(message*7+file*13+1) + i>>8 + message)
	}
	for ; size > 0; size -= int64(len(block)) {
		if _, err := w.Write(block[:min(size, int64(len(block)))]); err != nil {
			return
		}
	}
}

func good(l *wall) {
	l.serve = func(w http.ResponseWriter, _ *http.Request, m, f int) {
		w.Header().Set("Content-Length", strconv.FormatInt(l.size, 10))
		fill(w, l.size, m, f)
	}
}

// TestFilesAreKept byte by byte, equal ones once (B10: files were encoded anew and lost what they were).
func TestFilesAreKept(t *testing.T) {
	t.Parallel()
	l := newWall(t, 30, 2, 5000)
	good(l)
	run := l.r.run()
	b := l.r.open(run, l.r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	for _, m := range b.messages[id(l.channel)] {
		n, _ := strconv.Atoi(string(m.ID))
		for f, a := range m.Attachments {
			var want bytes.Buffer
			fill(&want, l.size, n-wallStart, f)
			in, size, err := b.File(a.File)
			if err != nil || size != l.size || a.Skipped != "" {
				t.Fatalf("%+v: %v", a, err)
			}
			if got := must(io.ReadAll(in))(t); !bytes.Equal(got, want.Bytes()) {
				t.Fatalf("file %d of message %d came back as something else", f, n-wallStart)
			}
		}
	}
	if i := b.item("attachments"); i.Count != 60 || !i.Kept {
		t.Errorf("%+v", i)
	}
}

// TestBadFilesFailNothing: every fault that a file host can have ends in a reason, and the backup is made (B7: no answer,
// as after a reset, ends nothing else; B10: a content type is read with what stands behind it; B12, B13; acceptance 32).
func TestBadFilesFailNothing(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	fill(z, 50<<20, 0, 0)
	z.Close()
	faults := []struct {
		name, why string
		serve     func(w http.ResponseWriter, q *http.Request)
	}{
		{"404", "does not have the file", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }},
		{"403", "answered 403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }},
		{"500", "answered 500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }},
		{"reset", "failed or stalled", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }},
		{"timeout", "failed or stalled", func(w http.ResponseWriter, q *http.Request) { <-q.Context().Done() }},
		{"stall", "failed or stalled", func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fill(w, 500, 1, 1)
			_ = http.NewResponseController(w).Flush()
			<-q.Context().Done()
		}},
		{"cut", "failed or stalled", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fill(w, 500, 1, 1)
			panic(http.ErrAbortHandler)
		}},
		{"web page", "web page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<html>error</html>")
		}},
		{"bomb", "compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}},
		{"more than declared", "larger than", func(w http.ResponseWriter, _ *http.Request) { fill(w, 5000, 1, 1) }},
		{"more, and says so", "larger than", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			fill(w, 5000, 1, 1)
		}},
		{"elsewhere", "pointed elsewhere", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
			w.WriteHeader(302)
		}},
		{"none", "", func(w http.ResponseWriter, _ *http.Request) { fill(w, 1000, 1, 1) }},
	}
	l := newWall(t, len(faults), 1, 1000)
	l.r.tools.CDN = l.r.tools.CDN.Patient(150 * time.Millisecond)
	l.serve = func(w http.ResponseWriter, q *http.Request, m, _ int) { faults[m].serve(w, q) }
	run := l.r.run()
	b := l.r.open(run, l.r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	list := b.messages[id(l.channel)]
	if len(list) != len(faults) {
		t.Fatalf("%d messages", len(list))
	}
	for i, f := range faults {
		a := list[len(list)-1-i].Attachments[0]
		if f.why == "" && a.Skipped != "" || !strings.Contains(a.Skipped, f.why) || (a.File == "") != (f.why != "") {
			t.Errorf("%s: %+v, want %q", f.name, a, f.why)
		}
	}
	if i := b.item("attachments"); i.Count != 1 {
		t.Errorf("%+v", i)
	}
	if len(b.manifest.Missing) != len(faults)-1 {
		t.Errorf("%d are missing: %+v", len(b.manifest.Missing), b.manifest.Missing)
	}
}

// TestNoAnswerOfTheFileHostIsLeftOpen: whatever the host begins to say, the backup lets go of it, so that no connection leaks (B8:
// bodies of answers were not closed).
func TestNoAnswerOfTheFileHostIsLeftOpen(t *testing.T) {
	t.Parallel()
	heads := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(404) },
		func(w http.ResponseWriter) { w.WriteHeader(500) },
		func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(302) },
		func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html") },
		func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "gzip") },
		func(w http.ResponseWriter) { w.Header().Set("Content-Length", "1000000") },
		func(w http.ResponseWriter) { fill(w, 5000, 1, 1) },
		func(http.ResponseWriter) {},
	}
	l := newWall(t, len(heads), 1, 1000)
	l.r.tools.CDN = l.r.tools.CDN.Patient(150 * time.Millisecond)
	let := make(chan struct{}, 1000)
	var begun atomic.Int32
	l.serve = func(w http.ResponseWriter, q *http.Request, m, _ int) {
		begun.Add(1)
		heads[m](w)
		fill(w, 500, 1, 1)
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done() // says no more, and ends with its connection
		let <- struct{}{}
	}
	l.r.backup(l.r.run(), bus.BackupArgs{Messages: 100, Attachments: true})
	if n := begun.Load(); n < int32(len(heads)) {
		t.Fatalf("%d files were asked for", n)
	}
	for n := range begun.Load() {
		select {
		case <-let:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d answers are still open", begun.Load()-n, begun.Load())
		}
	}
}

// TestDeadFileHostIsLeftAlone: when nothing comes any more, the rest is not waited for, file by file.
func TestDeadFileHostIsLeftAlone(t *testing.T) {
	t.Parallel()
	l := newWall(t, 100, 2, 1000)
	l.serve = func(w http.ResponseWriter, _ *http.Request, _, _ int) { w.WriteHeader(503) }
	run := l.r.run()
	b := l.r.open(run, l.r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	if n := l.fetched.Load(); n > maxStrikes+filesAtOnce*fetchTries || b.total() != 100 {
		t.Errorf("%d requests, %d messages", n, b.total())
	}
}

// TestBudgetOfFiles: files fit the budget exactly as they come in the order of the backup, whatever is faster; what does not
// fit has a reason (B6, B12).
func TestBudgetOfFiles(t *testing.T) {
	t.Parallel()
	var kept []string
	for range 3 {
		l := newWall(t, 40, 3, 1000)
		good(l)
		l.r.channel("before", 3)
		l.r.tools.Limits = Limits{Attachments: 50_500, Attachment: 1000}
		run := l.r.run()
		done := l.r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true})
		b := l.r.open(run, done)
		var got []string
		for _, m := range b.messages[id(l.channel)] {
			for _, a := range m.Attachments {
				if a.File != "" {
					got = append(got, string(a.ID))
				} else if !strings.Contains(a.Skipped, "used up") {
					t.Errorf("%+v", a)
				}
			}
		}
		if len(got) != 50 || l.fetched.Load() != 50 || kept != nil && !reflect.DeepEqual(got, kept) {
			t.Errorf("%d files kept, %d fetched", len(got), l.fetched.Load())
		}
		if n := len(b.manifest.Missing) + b.manifest.Dropped; n != 70 {
			t.Errorf("%d of 70 are named or counted as missing", n)
		}
		kept = got
	}
	l := newWall(t, 3, 1, 1001)
	good(l)
	l.r.tools.Limits = Limits{Attachment: 1000}
	run := l.r.run()
	b := l.r.open(run, l.r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	if a := b.messages[id(l.channel)][0].Attachments[0]; !strings.Contains(a.Skipped, "larger than the 1000 bytes") || l.fetched.Load() > 0 {
		t.Errorf("%+v", a)
	}
}

// TestForeignFiles: an address that is not the file host's is not asked.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	l := newWall(t, 1, 1, 10)
	good(l)
	l.r.base = "http://127.0.0.1:1" // of attachments: not where files are
	run := l.r.run()
	b := l.r.open(run, l.r.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	if a := b.messages[id(l.channel)][0].Attachments[0]; !strings.Contains(a.Skipped, "not on Discord's own hosts") {
		t.Errorf("%+v", a)
	}
}

// TestMemoryStaysSmall: 500 messages with ten files of 8 MB each, of which a budget of 200 MB is fetched, need less than
// 64 MiB of memory; with a password, too (B6, acceptance 31).
func TestMemoryStaysSmall(t *testing.T) {
	for _, pass := range []string{"", "hunter2"} {
		l := newWall(t, 500, 10, 8_000_000)
		good(l)
		l.r.tools.Limits = Limits{Attachments: 200_000_000}
		run := l.r.run()
		run.pass, run.dir = pass, t.TempDir()
		base, stop := peakHeap()
		done := l.r.backup(run, bus.BackupArgs{Messages: 500, PerChannel: 500, Attachments: true})
		peak := stop() - base
		t.Logf("peak %d KiB above %d KiB, archive of %d MB, %d files", peak>>10, base>>10, done.Size/1_000_000, l.fetched.Load())
		if peak > 64<<20 {
			t.Errorf("%d MiB of memory", peak>>20)
		}
		if l.fetched.Load() != 25 || done.Counts["messages"] != 500 {
			t.Errorf("%d files, %v", l.fetched.Load(), done.Counts)
		}
	}
}

// peakHeap watches how much memory is in use until the returned function is called.
func peakHeap() (base uint64, stop func() uint64) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base = m.HeapAlloc
	end := make(chan struct{})
	var peak uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	})
	return base, func() uint64 { close(end); wg.Wait(); return peak }
}
