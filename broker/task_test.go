package broker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
)

// armed links a client that has a Discord bot.
func (r *rig) armed(br *Broker, code bus.ConnectCode) *player {
	r.t.Helper()
	p := r.link(br, code)
	p.says("botID", "280000000000000001")
	return p
}

func taskText(id string, mute bool) string {
	return fmt.Sprintf(`{"guildID":141082723635691521,"userID":280000000000000002,"parameters":{"deaf":false,"mute":%t},"taskID":"%s"}`, mute, id)
}

// modifies returns once the client was asked to do the task with that text.
func (p *player) modifies(text string) {
	p.t.Helper()
	p.hears(`42["modify","` + strings.ReplaceAll(text, `"`, `\"`) + `"]`)
}

func (r *rig) publish(channel, text string, heardBy int64) {
	r.t.Helper()
	if n, err := r.rdb.Publish(r.t.Context(), channel, text).Result(); err != nil || n != heardBy {
		r.t.Fatalf("%s was heard by %d, want %d, %v", channel, n, heardBy, err)
	}
}

func TestTasksOfBothGenerations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "CCCC0001")
	p := r.armed(br, code)
	heard := r.listen(broadcastChannel("aa01"), completeChannel("aa01"), broadcastChannel("bb02"), completeChannel("bb02"))

	r.publish(oldTaskChannel(code), taskText("aa01", true), 1)
	heard.wants(broadcastChannel("aa01"), "true")
	p.modifies(taskText("aa01", true))
	p.says("taskComplete", `"aa01"`)
	heard.wants(completeChannel("aa01"), "true")

	r.publish(taskChannel(code), taskText("bb02", true), 1)
	p.modifies(taskText("bb02", true))
	p.says("taskFailed", `"bb02"`)
	heard.wants(completeChannel("bb02"), "false")

	// A mute and the unmute right after it share an id; the same one again is no new task.
	r.publish(taskChannel(code), taskText("bb02", true), 1)
	r.publish(taskChannel(code), `{"taskID":`, 1)
	r.publish(taskChannel(code), taskText("bb02", false), 1)
	p.modifies(taskText("bb02", false))
	p.offers("taskComplete", `"aa01"`) // not asked
	p.says("taskComplete", `"bb02"`)
	heard.wants(completeChannel("bb02"), "true")
	p.offers("taskComplete", `"bb02"`) // not twice
	for _, frame := range p.told {
		if strings.HasPrefix(frame, `42["modify"`) {
			t.Errorf("the client was asked for more: %s", frame)
		}
	}
}

func TestTasksFindNobodyWithoutABot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "CCCC0002")
	p := r.connect(br)
	p.says("botID", "7") // told before the code, it counts from the code on
	if _, err := bus.Do(t.Context(), r.bus, bus.ModifyCall(code), bus.ModifyTask{TaskID: "a"}); bus.AsError(err).Reason != bus.ReasonNoResponder {
		t.Errorf("before the code: %v", err)
	}
	p.says("connectCode", quoted(code.String()))
	r.publish(taskChannel(code), taskText("a", true), 1)
	p.modifies(taskText("a", true))
	q := r.link(br, code) // takes over and has no bot
	r.settled()
	eventually(t, "nobody listens for tasks", func() bool {
		n, err := r.rdb.PubSubNumSub(t.Context(), taskChannel(code), oldTaskChannel(code)).Result()
		r.ok(err)
		return n[taskChannel(code)]+n[oldTaskChannel(code)] == 0
	})
	if _, err := bus.Do(t.Context(), r.bus, bus.ModifyCall(code), bus.ModifyTask{TaskID: "b"}); bus.AsError(err).Reason != bus.ReasonNoResponder {
		t.Errorf("after the takeover: %v", err)
	}
	if n, err := r.rdb.Exists(t.Context(), "automuteus:capture:muteready:"+code.String()).Result(); n != 0 {
		t.Errorf("AutoMuteUs is told that mute tasks have a taker, %v", err)
	}
	p.offers("taskComplete", `"a"`)
	q.says("state", `"1"`)
}

func TestTasksOverTheBus(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "CCCC0003")
	p := r.armed(br, code)
	task := bus.ModifyTask{Guild: 141082723635691521, User: 280000000000000002, Parameters: bus.VoiceState{Mute: true}}
	ask := func(id string) <-chan error {
		done := make(chan error, 1)
		q := task
		q.TaskID = id
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			a, err := bus.Do(ctx, r.bus, bus.ModifyCall(code), q)
			if err == nil && !a.Done {
				err = fmt.Errorf("the client could not")
			}
			done <- err
		}()
		return done
	}
	done := ask("a1")
	p.modifies(taskText("a1", true))
	p.says("taskComplete", `"a1"`)
	if err := receive(t, done); err != nil {
		t.Errorf("a task that was done: %v", err)
	}
	done = ask("a2")
	p.modifies(taskText("a2", true))
	p.says("taskFailed", `"a2"`)
	if err := receive(t, done); err == nil || bus.AsError(err).Code != bus.CodeInternal {
		t.Errorf("a task that the client could not do: %v", err)
	}
	if err := receive(t, ask("not:an id")); !bus.IsCode(err, bus.CodeInvalid) {
		t.Errorf("a task with a strange id: %v", err)
	}
	done = ask("a3")
	p.modifies(taskText("a3", true))
	p.leave()
	if err := receive(t, done); !bus.IsCode(err, bus.CodeUnavailable) || bus.AsError(err).Reason != taskGone {
		t.Errorf("a task whose client left: %v", err)
	}
}

func TestATaskThatTheClientDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.TaskTimeout = 100 * time.Millisecond
	br, _ := r.start()
	code := gameCode(t, "CCCC0004")
	p := r.armed(br, code)
	heard := r.listen(completeChannel("d1"), completeChannel("d2"))
	r.publish(taskChannel(code), taskText("d1", true), 1)
	p.modifies(taskText("d1", true))
	heard.wants(completeChannel("d1"), "false")
	p.offers("taskComplete", `"d1"`) // too late
	r.publish(taskChannel(code), taskText("d2", true), 1)
	p.modifies(taskText("d2", true)) // the line goes on
	heard.wants(completeChannel("d2"), "false")
}

// TestTasksWaitInLine has more tasks than the client may have waiting.
func TestTasksWaitInLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "CCCC0005")
	p := r.armed(br, code)
	var mu sync.Mutex
	outcomes := map[string]int{}
	var asked sync.WaitGroup
	for i := range maxTasks + 10 {
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, err := bus.Do(ctx, r.bus, bus.ModifyCall(code), bus.ModifyTask{Guild: 1, User: 2, TaskID: fmt.Sprint("t", i)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				outcomes["done"]++
			} else {
				outcomes[bus.AsError(err).Reason]++
			}
		})
	}
	for n := 0; n < maxTasks; n++ {
		frame := p.awaits(func(f string) bool { return strings.HasPrefix(f, `42["modify"`) })
		_, id, _ := strings.Cut(frame, `taskID\":\"`)
		id, _, _ = strings.Cut(id, `\`)
		p.send(fmt.Sprintf(`42["taskComplete",%q]`, id))
	}
	// Those that found the line full were told at once; the client had up to one more
	// than fit in line.
	p.leave()
	asked.Wait()
	if outcomes["done"] < maxTasks || outcomes["done"]+outcomes[taskFull]+outcomes[taskGone] != maxTasks+10 {
		t.Errorf("%v", outcomes)
	}
}

func TestALateTaskIsNotBegun(t *testing.T) {
	h := &hub{cfg: Config{AckTimeout: time.Second, TaskTimeout: time.Second}}
	k := newTaker(newSeat(h, bus.ConnectCode{}), nil) // a session would be asked
	if got := k.do(task{since: time.Now().Add(-2 * time.Second)}); got != taskLate {
		t.Errorf("it is %q", got)
	}
	if _, err := busAnswer(taskLate); !bus.IsCode(err, bus.CodeLimited) {
		t.Errorf("over the bus: %v", err)
	}
}

func TestRecentForgets(t *testing.T) {
	now := time.Unix(0, 0)
	r := newRecent(func() time.Time { return now })
	if r.before("a") || !r.before("a") {
		t.Error("the second time was not noticed")
	}
	now = now.Add(recentFor + time.Second)
	if r.before("a") {
		t.Error("it is remembered for ever")
	}
	for i := range 3 * maxRecent {
		r.before(fmt.Sprint(i))
	}
	if len(r.at) > maxRecent || len(r.line) > maxRecent {
		t.Errorf("%d and %d are remembered", len(r.at), len(r.line))
	}
}
