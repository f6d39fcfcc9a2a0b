package bus

import (
	"fmt"
	"strings"
	"time"
)

// Markdown renders the plan as the page docs/topology.md.
func (p Plan) Markdown() string {
	var w strings.Builder
	w.WriteString("# Topology\n\n")
	w.WriteString("Everything that splashtail keeps in JetStream. This page is rendered from `bus/topology.go` by `make docs`; `make check` fails when it is stale.\n\n")
	w.WriteString("## Streams\n\n| stream | takes | keeps | at most | a message | survives | for |\n|---|---|---|---|---|---|---|\n")
	for _, s := range p.Streams {
		fmt.Fprintf(&w, "| `%s` | `%s` | %s | %s | %s | %s | %s |\n", s.Name, strings.Join(s.Takes, "`, `"),
			keeps(s), size(s.MaxBytes), size(int64(s.MaxMsg)), s.Storage.survives(), s.Does)
	}
	w.WriteString("\nWhat passes a bound: the oldest messages of the stream go first, except in those that keep until somebody acknowledged or removed: they refuse new ones.\n")
	w.WriteString("\n## Buckets\n\n| bucket | key | revisions | at most | survives | for |\n|---|---|---|---|---|---|\n")
	for _, b := range p.Buckets {
		fmt.Fprintf(&w, "| `%s` | `%s` | %d | %s | %s | %s |\n", b.Name, b.Key, b.History, size(b.MaxBytes), b.Storage.survives(), b.Does)
	}
	w.WriteString("\n## Blob stores\n\n| store | key | at most | survives | for |\n|---|---|---|---|---|\n")
	for _, o := range p.Blobs {
		fmt.Fprintf(&w, "| `%s` | `%s` | %s | %s | %s |\n", o.Name, o.Key, size(o.MaxBytes), Synced.survives(), o.Does)
	}
	w.WriteString("\n## Calls\n\nAnswered by whoever serves them, stored nowhere.\n\n| subject | answered by | for |\n|---|---|---|\n")
	fmt.Fprintf(&w, "| `%s.<component>.status` | every instance of the component | how it is, with its own figures |\n", rootControl)
	fmt.Fprintf(&w, "| `%s.<code>` | the broker that owns a ready capture client for the code | change one member's voice state through the client's own bot |\n", rootModify)
	fmt.Fprintf(&w, "| `%s.send.<shards>.<shard>` | the gatewayproxy that holds the shard | send a bot's command to Discord's gateway |\n", rootGateway)
	fmt.Fprintf(&w, "| `%s.proof.<shards>.<shard>` | the gatewayproxy that holds the shard | prove that everything is stored that Discord has sent until now |\n", rootGateway)
	fmt.Fprintf(&w, "| `%s.shard.<shards>.<shard>` | the gatewayproxy that holds the shard | restart, release or begin the shard's session anew |\n", rootGateway)
	fmt.Fprintf(&w, "| `%s.jobs.<verb>` | one instance of jobs | submit, cancel, retry, release, remove, pause, resume, schedule, list and show jobs |\n", rootControl)
	return w.String()
}

func (s Storage) survives() string {
	switch s {
	case Lazy:
		return "restarts; kill -9 can take the last few dozen"
	case Volatile:
		return "nothing when the server is embedded; everything on an external server"
	default:
		return "kill -9 and power loss"
	}
}

func keeps(s Stream) string {
	age := "without limit of age"
	if s.MaxAge > 0 {
		age = duration(s.MaxAge)
	}
	switch {
	case s.Keep == KeepWork:
		return "until acknowledged, one per subject, " + age
	case s.Keep == KeepAll:
		return "until removed, " + age
	case s.Each > 0:
		return fmt.Sprintf("%s, %d per subject", age, s.Each)
	}
	return age
}

func duration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%d d", d/day)
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

func size(n int64) string {
	switch {
	case n >= gib && n%gib == 0:
		return fmt.Sprintf("%d GiB", n/gib)
	case n >= mib:
		return fmt.Sprintf("%d MiB", n/mib)
	default:
		return fmt.Sprintf("%d KiB", n/kib)
	}
}
