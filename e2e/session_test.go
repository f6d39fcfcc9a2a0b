package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSessionOfTheCSharpClient plays the session in testdata, both sides byte for byte.
func TestSessionOfTheCSharpClient(t *testing.T) {
	t.Parallel()
	p, s, r := everything(t)
	w, err := dialWire(s.broker())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	k := &transcript{t: t, w: w, r: r, ear: r.listen("automuteus:tasks:complete:ack:585eaca788",
		"automuteus:tasks:broadcast:ack:585eaca788", "automuteus:tasks:complete:ack:99dc1ef024", "automuteus:tasks:broadcast:ack:99dc1ef024")}
	file, err := os.Open("testdata/eio3_session.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if line := lines.Text(); !strings.HasPrefix(line, "#") {
			k.step(fmt.Sprintf("line %d: %s", n, line), line[:1], line[2:])
		}
	}
	if k.steps < 40 {
		t.Errorf("the session has %d steps; what is missing was not tested", k.steps)
	}
	// Nothing else came: neither frames nor elements.
	if frame, err := w.read(); err == nil {
		t.Errorf("after the goodbye the server sent %q", frame)
	}
	r.awaitJobs(sessionCode, k.elements...)
	p.stop()
	p.keepsQuietAbout(sessionCode, s["DISCORD_BOT_TOKEN"])
}

// sessionCode is the game of the session in testdata.
const sessionCode = "7F3A09C2"

// transcript is a session that is being played.
type transcript struct {
	t        *testing.T
	w        *wire
	r        *redisServer
	ear      *ear
	elements []string
	steps    int
}

func (k *transcript) step(where, what, text string) {
	k.t.Helper()
	k.steps++
	switch what {
	case "C":
		if err := k.w.write(text); err != nil {
			k.t.Fatalf("%s: %v", where, err)
		}
	case "S":
		k.frame(where, text)
	case "R":
		k.elements = append(k.elements, text)
		k.element(where)
	case "K":
		key, value, _ := strings.Cut(text, " ")
		eventually(k.t, where, func(context.Context) error {
			got, err := k.r.rdb.Get(k.t.Context(), key).Result()
			if err == nil && got != value {
				err = fmt.Errorf("it holds %q", got)
			}
			return err
		})
	case "P":
		channel, payload, _ := strings.Cut(text, " ")
		k.r.publish(channel, payload, 1)
	case "H":
		k.ear.hear(text)
	default:
		k.t.Fatalf("%s: no such step", where)
	}
}

// frame wants the server's next frame to be the text.
func (k *transcript) frame(where, want string) {
	k.t.Helper()
	got, err := k.w.read()
	if err != nil {
		k.t.Fatalf("%s: %v", where, err)
	}
	pattern := strings.Replace(regexp.QuoteMeta(want), "<sid>", `[0-9A-Za-z_-]{4,64}`, 1)
	if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		k.t.Fatalf("%s: the server sent %q", where, got)
	}
}

// element waits for the newest element that is wanted; those before it stand in front of it, and nothing else.
func (k *transcript) element(where string) {
	k.t.Helper()
	at := len(k.elements) - 1
	eventually(k.t, where, func(context.Context) error {
		got := k.r.jobs(sessionCode)
		if len(got) <= at {
			return fmt.Errorf("the list has %d elements", len(got))
		}
		if got[at] != k.elements[at] {
			k.t.Fatalf("%s: element %d is %s", where, at, got[at])
		}
		return nil
	})
}
