package broker

import (
	"context"
	"log/slog"
	"splashtail/internal/pause"
	"time"

	"github.com/redis/go-redis/v9"
)

// notes publishes short messages to AutoMuteUs in the order in which they were sent, on
// its own goroutine, so that nobody waits for Redis to answer a client.
type notes struct {
	rdb   *redis.Client
	log   *slog.Logger
	m     *meters
	queue chan note
}

type note struct {
	channel, payload string
	at               time.Time
}

const (
	maxNotes = 8192
	// noteLife is how long a note is worth publishing: whoever waits for one has given
	// up by then.
	noteLife = 2 * time.Second
)

func newNotes(rdb *redis.Client, log *slog.Logger, m *meters) *notes {
	return &notes{rdb: rdb, log: log, m: m, queue: make(chan note, maxNotes)}
}

// send queues a message; it never blocks and drops the message when too many wait.
func (n *notes) send(channel, payload string) {
	select {
	case n.queue <- note{channel, payload, time.Now()}:
	default:
		n.m.notes.WithLabelValues("full").Inc()
	}
}

// run publishes until ctx ends, and then what still waits.
func (n *notes) run(ctx context.Context) {
	for {
		select {
		case first := <-n.queue:
			n.publish(context.WithoutCancel(ctx), n.gather(first))
		case <-ctx.Done():
			select {
			case first := <-n.queue:
				n.publish(context.WithoutCancel(ctx), n.gather(first))
			default:
				return
			}
		}
	}
}

// gather takes what waits already.
func (n *notes) gather(first note) []note {
	all := []note{first}
	for len(all) < 256 {
		select {
		case next := <-n.queue:
			all = append(all, next)
		default:
			return all
		}
	}
	return all
}

// publish sends a group, again while it is young if Redis does not answer. A note that
// was received twice does no harm: its readers end at the first.
func (n *notes) publish(ctx context.Context, group []note) {
	for {
		for len(group) > 0 && time.Since(group[0].at) > noteLife {
			n.m.notes.WithLabelValues("late").Inc()
			group = group[1:]
		}
		if len(group) == 0 {
			return
		}
		try, cancel := context.WithTimeout(ctx, time.Second)
		_, err := n.rdb.Pipelined(try, func(p redis.Pipeliner) error {
			for _, note := range group {
				p.Publish(try, note.channel, note.payload)
			}
			return nil
		})
		cancel()
		if err == nil {
			n.m.notes.WithLabelValues("sent").Add(float64(len(group)))
			return
		}
		n.log.Debug("messages to AutoMuteUs were not sent yet", "err", err)
		pause.For(ctx, 50*time.Millisecond)
	}
}
