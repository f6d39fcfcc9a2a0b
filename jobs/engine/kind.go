package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// Kind is a row of the list of kinds.
type Kind struct {
	Name     bus.JobKind
	Queue    string        // bus.JobsHigh, JobsMiddle or JobsLow; empty: JobsMiddle
	Lane     string        // kinds of one lane share its lock; empty: the name
	Sole     bool          // the lane takes as many jobs of a guild as it has places; others come one by one, any number at a time
	Places   int           // of a lane that is Sole; 0: 1
	Deadline time.Duration // after the first attempt has begun; 0: none
	Tries    int           // failed attempts until it is given up; 0: 5
	Keep     time.Duration // how long its record and files are kept after the end; 0: 30 days
	// Make gives a value of its own for every job, into which the job's arguments are decoded as JSON.
	Make func() work.Work
}

func (k Kind) withDefaults() Kind {
	if k.Queue == "" {
		k.Queue = bus.JobsMiddle
	}
	if k.Lane == "" {
		k.Lane = string(k.Name)
	}
	if k.Places == 0 {
		k.Places = 1
	}
	if k.Tries == 0 {
		k.Tries = 5
	}
	if k.Keep == 0 {
		k.Keep = 30 * 24 * time.Hour
	}
	return k
}

func (k Kind) check() error {
	plain := func(s string) bool { return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" }
	if !plain(string(k.Name)) || !plain(k.Lane) || !slices.Contains(bus.JobQueues[:], k.Queue) || k.Make == nil {
		return fmt.Errorf("the kind of job %q needs a plain name and lane, a queue that there is, and a way to make it", k.Name)
	}
	if k.Places < 1 || k.Places > maxPlaces || k.Places > 1 && !k.Sole {
		return fmt.Errorf("the kind of job %s has %d places; a lane that is sole has 1 to %d, and any other has no use for them", k.Name, k.Places, maxPlaces)
	}
	return nil
}

// maxPlaces bounds the places of a lane: each one is looked at when the lane is full.
const maxPlaces = 20

// MaxArgs bounds the arguments of a job, in bytes.
const MaxArgs = 64 << 10

// prepare gives the work of a job of a guild with its arguments, or says what is wrong with them.
func (k Kind) prepare(args json.RawMessage, guild bus.GuildID) (work.Work, error) {
	if len(args) > MaxArgs {
		return nil, bus.Errorf(bus.CodeInvalid, "args_too_large", "the arguments of a job have at most %d bytes; no job was made", MaxArgs)
	}
	if len(bytes.TrimSpace(args)) == 0 {
		args = json.RawMessage("{}")
	}
	if err := boundTo(args, guild); err != nil {
		return nil, err
	}
	w := k.Make()
	d := json.NewDecoder(bytes.NewReader(args))
	d.DisallowUnknownFields()
	err := d.Decode(w)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind the arguments")
		}
	}
	if err != nil {
		return nil, bus.Errorf(bus.CodeInvalid, "bad_args", "the arguments of %s cannot be read, no job was made: %w", k.Name, err)
	}
	if err := w.Check(); err != nil {
		return nil, bus.Errorf(bus.CodeInvalid, "bad_args", "%s cannot be done like that, no job was made: %w", k.Name, err)
	}
	return w, nil
}

// guildNames are what a guild is called among arguments, here and by earlier clients, without dashes and in lower case.
var guildNames = [...]string{"guild", "guildid", "server", "serverid"}

// boundTo refuses arguments that name another guild than the one that the asker was authorised for.
func boundTo(args json.RawMessage, guild bus.GuildID) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(args, &fields); err != nil {
		return bus.Errorf(bus.CodeInvalid, "bad_args", "the arguments of a job are a JSON object; no job was made: %w", err)
	}
	for name, v := range fields {
		name = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
		if slices.Contains(guildNames[:], name) && strings.Trim(string(v), `"`) != guild.String() {
			return bus.Errorf(bus.CodeDenied, "other_guild", "the arguments name another server than the one that the job is for; no job was made")
		}
	}
	return nil
}

// Prepare gives the work of a kind of the list with its arguments, for who runs it without an engine.
func Prepare(kinds []Kind, name bus.JobKind, args json.RawMessage, guild bus.GuildID) (work.Work, error) {
	for _, k := range kinds {
		if k.Name == name {
			return k.prepare(args, guild)
		}
	}
	var names []string
	for _, k := range kinds {
		names = append(names, string(k.Name))
	}
	return nil, bus.Errorf(bus.CodeInvalid, "no_kind", "there is no kind of job %q; there are: %s", name, strings.Join(names, ", "))
}
