package work_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// discordBot is the part of *discord.Bot that the example needs.
type discordBot interface {
	SetSlowMode(ctx context.Context, channel string, seconds int, reason string) error
}

// SlowMode is the work of a job that sets the slow mode of many channels. Its fields are its arguments, read from JSON into a
// value of its own for every job; a field that is not known is refused before.
type SlowMode struct {
	Channels []string `json:"channels"`
	Seconds  int      `json:"seconds"`

	bot discordBot // what it works with; not an argument
}

// Check implements work.Work: it says what is wrong with the arguments, as a sentence for people, and asks nobody.
func (s *SlowMode) Check() error {
	switch {
	case len(s.Channels) == 0 || len(s.Channels) > 500:
		return errors.New("channels names 1 to 500 channels")
	case s.Seconds < 0 || s.Seconds > 21600:
		return errors.New("seconds is between 0 and 21600")
	}
	return nil
}

// Run implements work.Work: it does the work, or what earlier attempts left of it.
func (s *SlowMode) Run(ctx context.Context, r work.Run) error {
	done := 0
	err := r.Step(ctx, "change", func(ctx context.Context) error {
		for i, channel := range s.Channels {
			if err := s.one(ctx, r, channel); err != nil {
				return err
			}
			done++
			r.Progress(i+1, len(s.Channels))
		}
		return nil
	})
	// What was changed is told also when the job fails or is cancelled.
	return errors.Join(err, r.Outcome(map[string]int{"changed": done}))
}

func (s *SlowMode) one(ctx context.Context, r work.Run, channel string) error {
	key := "changed/" + channel
	if had, err := r.Noted(key, nil); err != nil || had {
		return err // an earlier attempt did it
	}
	// The reason stands in Discord's audit log: for an act that must not happen twice, it is looked up there after a crash
	// between act and note. To set a value twice does no harm.
	err := s.bot.SetSlowMode(ctx, channel, s.Seconds, "op="+r.Job().Operation(key))
	if errors.Is(err, errNoChannel) {
		r.Say(work.Warning, "the channel %s is gone; it was passed over", channel)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("in the channel %s: %w", channel, err) // tried again; work.Permanent(err) would end the job
	}
	return r.Note(ctx, key, true)
}

// errNoChannel stands for an error code of Discord.
var errNoChannel = errors.New("unknown channel")

// slowBot is a Discord that goes away once in the middle.
type slowBot struct{ calls int }

func (b *slowBot) SetSlowMode(_ context.Context, channel string, seconds int, reason string) error {
	b.calls++
	switch {
	case b.calls == 2:
		return errors.New("Discord is away")
	case channel == "3":
		return errNoChannel
	}
	fmt.Println(channel, seconds, reason)
	return nil
}

// A kind runs here as it does on a server: the second attempt goes on behind what the first one noted.
func Example_kind() {
	dir, err := os.MkdirTemp("", "job")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	bot := &slowBot{}
	for range 2 {
		w := &SlowMode{bot: bot}
		if err := errors.Join(json.Unmarshal([]byte(`{"channels":["1","2","3"],"seconds":30}`), w), w.Check()); err != nil {
			panic(err)
		}
		r, err := work.OpenLocal(work.LocalConfig{Dir: dir, Job: work.Job{ID: "01JDTKX5P8W1T0ZC9WJ3B2M4QA", Kind: bus.JobKind("slow-mode"), Guild: 5}})
		if err != nil {
			panic(err)
		}
		err = w.Run(context.Background(), r)
		fmt.Println(string(r.Result()), err)
		if err := r.Close(); err != nil {
			panic(err)
		}
	}
	// Output:
	// 1 30 op=01JDTKX5P8W1T0ZC9WJ3B2M4QA/changed/1
	// {"changed":1} in the channel 2: Discord is away
	// 2 30 op=01JDTKX5P8W1T0ZC9WJ3B2M4QA/changed/2
	// {"changed":3} <nil>
}

// The guide shows this kind as it is here, where it is compiled and run.
func TestTheGuideShowsTheExample(t *testing.T) {
	code, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/jobs.md")
	if err != nil {
		t.Fatal(err)
	}
	_, kind, begun := strings.Cut(string(code), "}\n\n// SlowMode is")
	kind, _, ended := strings.Cut(kind, "\n// errNoChannel stands")
	if !begun || !ended || !strings.Contains(string(guide), "```go\n// SlowMode is"+kind+"```\n") {
		t.Error("docs/jobs.md does not show the example as it is in this file; copy it from // SlowMode is to // errNoChannel")
	}
}
