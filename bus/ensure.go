package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Check finds faults in a plan that JetStream would only show later: two rows with
// one name, two streams that take the same subject, a stream without a bound.
func (p Plan) Check() error {
	var faults []error
	seen := map[string]bool{}
	name := func(kind, n string) {
		if seen[n] || !isToken(n) {
			faults = append(faults, fmt.Errorf("%s %q: the name is used twice or is no plain word", kind, n))
		}
		seen[n] = true
	}
	for i, s := range p.Streams {
		name("stream", s.Name)
		if s.MaxBytes <= 0 || len(s.Takes) == 0 {
			faults = append(faults, fmt.Errorf("stream %s: needs subjects and a bound in bytes", s.Name))
		}
		for _, other := range p.Streams[:i] {
			for _, a := range s.Takes {
				for _, b := range other.Takes {
					if Overlap(a, b) {
						faults = append(faults, fmt.Errorf("streams %s and %s both take subjects of %q and %q", other.Name, s.Name, b, a))
					}
				}
			}
		}
	}
	for _, b := range p.Buckets {
		name("bucket", b.Name)
		if b.MaxBytes <= 0 {
			faults = append(faults, fmt.Errorf("bucket %s: needs a bound in bytes", b.Name))
		}
	}
	for _, b := range p.Blobs {
		name("blob store", b.Name)
	}
	return errors.Join(faults...)
}

// Overlap says whether some subject matches both patterns.
func Overlap(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; ; i++ {
		switch {
		case i == len(x) && i == len(y):
			return true
		case i == len(x) || i == len(y):
			return false // a ">" would have ended the walk before
		case x[i] == ">" || y[i] == ">":
			return true
		case x[i] != "*" && y[i] != "*" && x[i] != y[i]:
			return false
		}
	}
}

// ensure makes JetStream hold what the plan says. It is the only code that creates
// or changes a stream or bucket.
func (b *Bus) ensure(ctx context.Context, p Plan) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("the topology contradicts itself: %w", err)
	}
	for _, s := range p.Streams {
		err := retryCreate(ctx, func() error {
			_, err := b.js.CreateOrUpdateStream(ctx, b.keepStorage(ctx, s.Name, s.config(b.embedded(), b.replicas)))
			return err
		})
		if err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, explainStore(err, s.MaxBytes))
		}
	}
	for _, k := range p.Buckets {
		err := retryCreate(ctx, func() error {
			c := k.config(b.embedded(), b.replicas)
			c.Storage = b.keepStorage(ctx, kvStream(k.Name), jetstream.StreamConfig{Storage: c.Storage}).Storage
			_, err := b.js.CreateOrUpdateKeyValue(ctx, c)
			return err
		})
		if err != nil {
			return fmt.Errorf("bucket %s: %w", k.Name, explainStore(err, k.MaxBytes))
		}
	}
	for _, o := range p.Blobs {
		err := retryCreate(ctx, func() error {
			_, err := b.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
				Bucket: o.Name, Description: o.Does, MaxBytes: o.MaxBytes, Storage: jetstream.FileStorage, Replicas: b.replicas,
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("blob store %s: %w", o.Name, explainStore(err, o.MaxBytes))
		}
	}
	return nil
}

// keepStorage leaves the storage of a stream that exists as it is: it cannot be
// changed, and a process that joins another's embedded server finds a row in memory
// that it would have put on disk.
func (b *Bus) keepStorage(ctx context.Context, stream string, c jetstream.StreamConfig) jetstream.StreamConfig {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return c
	}
	had := s.CachedInfo().Config
	c.Storage, c.PersistMode = had.Storage, had.PersistMode
	return c
}

// retryCreate repeats a creation that a starting cluster or a stream that was
// deleted a moment ago refuses for a while.
func retryCreate(ctx context.Context, create func() error) error {
	const tries = 5
	for try := 1; ; try++ {
		err := create()
		if err == nil || try == tries || !IsCode(err, CodeUnavailable) || AsError(err).Reason == "storage_full" {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func explainStore(err error, need int64) error {
	if e := AsError(err); e.Reason == "storage_full" {
		e.Message = fmt.Sprintf("the store has less than the %d MiB that are reserved here; free disk space or let NATS_STORE_DIR name a larger disk", need/mib)
		return e
	}
	return err
}

func (s Stream) config(embedded bool, replicas int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: s.Name, Description: s.Does, Subjects: s.Takes,
		MaxAge: s.MaxAge, MaxBytes: s.MaxBytes, MaxMsgSize: s.MaxMsg, Duplicates: s.Dedupe,
		Storage: jetstream.FileStorage, Replicas: replicas,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		AllowDirect: true, AllowMsgTTL: s.MsgTTL, AllowMsgSchedules: s.Timers,
	}
	if s.Each > 0 {
		c.MaxMsgsPerSubject = s.Each
	}
	if s.Keep == KeepWork {
		c.Retention = jetstream.WorkQueuePolicy
		c.Discard, c.DiscardNewPerSubject, c.MaxMsgsPerSubject = jetstream.DiscardNew, true, 1
	}
	if s.Keep == KeepAll {
		c.Discard = jetstream.DiscardNew
	}
	switch {
	case s.Storage == Lazy && replicas == 1:
		c.PersistMode = jetstream.AsyncPersistMode
	case s.Storage == Volatile && embedded:
		c.Storage = jetstream.MemoryStorage
	}
	return c
}

func (k Bucket) config(embedded bool, replicas int) jetstream.KeyValueConfig {
	c := jetstream.KeyValueConfig{
		Bucket: k.Name, Description: k.Does, History: k.History, MaxBytes: k.MaxBytes, MaxValueSize: k.MaxValue,
		Storage: jetstream.FileStorage, Replicas: replicas,
	}
	if k.KeyTTL {
		// The marker that tells watchers of an expired key; it needs a life of its own.
		c.LimitMarkerTTL = time.Minute
	}
	if k.Storage == Volatile && embedded {
		c.Storage = jetstream.MemoryStorage
	}
	return c
}
