package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Kept names the records of one kind: their bucket, what their keys begin with, and
// their type.
type Kept[T any] struct {
	bucket string
	prefix string // ends with a dot, or is empty
}

// Records reads and writes the records of one kind. Every write returns the record's
// revision; revisions only grow within a bucket, so they order all its writes.
type Records[T any] struct {
	b    *Bus
	kept Kept[T]
	kv   jetstream.KeyValue
	// mark is how long the mark of a removed record stays for whoever watches; 0: as
	// long as the bucket, which cannot let keys expire.
	mark time.Duration
}

// OpenRecords gives access to the records of a kind.
func OpenRecords[T any](ctx context.Context, b *Bus, k Kept[T]) (*Records[T], error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	kv, err := b.js.KeyValue(ctx, k.bucket)
	if err != nil {
		return nil, AsError(err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, AsError(err)
	}
	r := &Records[T]{b: b, kept: k, kv: kv}
	if status.LimitMarkerTTL() > 0 {
		r.mark = removedMark
	}
	return r, nil
}

// removedMark is longer than a watcher of ours is ever cut off without starting anew.
// Without an end, the marks of all keys that ever were would fill a bucket.
const removedMark = time.Hour

// Entry is one record as it was at a revision.
type Entry[T any] struct {
	Key      string
	Revision uint64
	Value    T
	At       time.Time
	Deleted  bool // removed or expired; Value is zero
}

// Get reads a record; CodeNotFound when there is none, CodeInternal with reason
// bad_record when it cannot be read.
func (r *Records[T]) Get(ctx context.Context, key string) (Entry[T], error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	e, err := r.kv.Get(ctx, r.kept.prefix+key)
	if err != nil {
		return Entry[T]{}, AsError(err)
	}
	return r.entry(e)
}

func (r *Records[T]) entry(e jetstream.KeyValueEntry) (Entry[T], error) {
	out := Entry[T]{Key: strings.TrimPrefix(e.Key(), r.kept.prefix), Revision: e.Revision(), At: e.Created(), Deleted: e.Operation() != jetstream.KeyValuePut}
	if out.Deleted {
		return out, nil
	}
	if err := json.Unmarshal(e.Value(), &out.Value); err != nil {
		return out, Errorf(CodeInternal, "bad_record", "the record %s of %s cannot be read: %w", e.Key(), r.kept.bucket, err)
	}
	return out, nil
}

// Put writes a record over whatever is there.
func (r *Records[T]) Put(ctx context.Context, key string, v T) (revision uint64, err error) {
	return r.write(ctx, key, v, nil)
}

// Create writes a record that must not exist; CodeConflict when it does.
func (r *Records[T]) Create(ctx context.Context, key string, v T) (revision uint64, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, Errorf(CodeInvalid, "bad_payload", "a record cannot be encoded: %w", err)
	}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	revision, err = r.kv.Create(ctx, r.kept.prefix+key, data)
	if err != nil {
		return 0, AsError(err)
	}
	return revision, nil
}

// Update writes a record that is still at the revision; CodeConflict when it is not.
func (r *Records[T]) Update(ctx context.Context, key string, v T, revision uint64) (uint64, error) {
	return r.write(ctx, key, v, &revision)
}

func (r *Records[T]) write(ctx context.Context, key string, v T, revision *uint64) (uint64, error) {
	w, err := r.begin(key, v, revision)
	if err != nil {
		return 0, err
	}
	return w.Wait(ctx)
}

// Write is a write to a stream or bucket under way.
type Write struct{ ack jetstream.PubAckFuture }

// Wait returns the place in the stream, which is a record's revision, once it is stored.
func (w *Write) Wait(ctx context.Context) (seq uint64, err error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	done := awaitAck(ctx, w.ack)
	return done.seq, done.err
}

// BeginPut writes as Put does without waiting, so that many records travel at once.
// Writes of one goroutine to one key arrive in order.
func (r *Records[T]) BeginPut(key string, v T) (*Write, error) { return r.begin(key, v, nil) }

// PutFor writes a record over whatever is there; it ends by itself after ttl, at least a
// second, unless it is written again. Its bucket must allow that (Bucket.KeyTTL).
func (r *Records[T]) PutFor(ctx context.Context, key string, v T, ttl time.Duration) (revision uint64, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, Errorf(CodeInvalid, "bad_payload", "a record cannot be encoded: %w", err)
	}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	ack, err := r.b.js.PublishMsg(ctx, &nats.Msg{Subject: kvSubject(r.kept.bucket, r.kept.prefix+key), Data: data,
		Header: nats.Header{jetstream.MsgTTLHeader: {max(ttl, time.Second).Truncate(time.Second).String()}}})
	if err != nil {
		return 0, AsError(err)
	}
	return ack.Sequence, nil
}

func (r *Records[T]) begin(key string, v T, revision *uint64) (*Write, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, Errorf(CodeInvalid, "bad_payload", "a record cannot be encoded: %w", err)
	}
	m := &nats.Msg{Subject: kvSubject(r.kept.bucket, r.kept.prefix+key), Data: data}
	if revision != nil {
		m.Header = nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(*revision, 10)}}
	}
	ack, err := r.b.js.PublishMsgAsync(m)
	if err != nil {
		return nil, AsError(err)
	}
	return &Write{ack}, nil
}

// kvStream is the stream behind a key-value bucket.
func kvStream(bucket string) string { return "KV_" + bucket }

// kvSubject is where a key-value bucket takes the writes of a key; the client
// library keeps it to itself and has no pipelined put.
func kvSubject(bucket, key string) string { return "$KV." + bucket + "." + key }

// Delete removes a record that is still at the revision, or at any when it is 0;
// CodeConflict when it changed.
func (r *Records[T]) Delete(ctx context.Context, key string, revision uint64) error {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	var opts []jetstream.KVDeleteOpt
	if revision > 0 {
		opts = append(opts, jetstream.LastRevision(revision))
	}
	if r.mark > 0 {
		opts = append(opts, jetstream.PurgeTTL(r.mark))
	}
	if err := r.kv.Purge(ctx, r.kept.prefix+key, opts...); err != nil {
		return AsError(err)
	}
	return nil
}

// Watch calls h with every record whose key matches the pattern (a key, or one with
// the wildcards * and >), then once with live set and no entry when all that existed
// were told, then with every change, until ctx ends or h returns an error, which it
// returns. A record that cannot be read is logged and passed over.
func (r *Records[T]) Watch(ctx context.Context, pattern string, h func(e Entry[T], live bool) error) error {
	w, err := r.kv.Watch(ctx, r.kept.prefix+pattern)
	if err != nil {
		return AsError(err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Updates():
			if !ok {
				return watchEnded(ctx)
			}
			if err := r.tell(e, h); err != nil {
				return err
			}
		}
	}
}

func watchEnded(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	return Errorf(CodeUnavailable, "watch_ended", "the watch of a bucket ended by itself")
}

func (r *Records[T]) tell(e jetstream.KeyValueEntry, h func(Entry[T], bool) error) error {
	if e == nil {
		return h(Entry[T]{}, true)
	}
	entry, err := r.entry(e)
	if err != nil {
		r.b.log.Error("a record cannot be read; it is passed over", "err", err)
		return nil
	}
	return h(entry, false)
}

// All reads every record whose key matches the pattern.
func (r *Records[T]) All(ctx context.Context, pattern string) ([]Entry[T], error) {
	var all []Entry[T]
	told := map[string]bool{}
	stop := errors.New("that is all")
	ctx, cancel := bound(ctx, 30*time.Second)
	defer cancel()
	err := r.Watch(ctx, pattern, func(e Entry[T], live bool) error {
		if live {
			return stop
		}
		told[e.Key] = true
		if !e.Deleted {
			all = append(all, e)
		}
		return nil
	})
	if !errors.Is(err, stop) {
		if err == nil {
			err = ctx.Err()
		}
		return nil, AsError(err)
	}
	return r.missed(ctx, pattern, told, all)
}

// missed adds the records that a watch did not tell: the server counts what a watch has to tell first, and for a moment
// does not count a record that is being written anew.
func (r *Records[T]) missed(ctx context.Context, pattern string, told map[string]bool, all []Entry[T]) ([]Entry[T], error) {
	s, err := r.b.js.Stream(ctx, "KV_"+r.kept.bucket)
	if err != nil {
		return nil, AsError(err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter("$KV."+r.kept.bucket+"."+r.kept.prefix+pattern))
	if err != nil {
		return nil, AsError(err)
	}
	for subject := range info.State.Subjects {
		key := strings.TrimPrefix(subject, "$KV."+r.kept.bucket+"."+r.kept.prefix)
		if told[key] {
			continue
		}
		e, err := r.Get(ctx, key)
		switch {
		case err == nil:
			all = append(all, e)
		case !IsCode(err, CodeNotFound) && !IsCode(err, CodeInvalid): // removed, or not readable as the watch said
			return nil, err
		}
	}
	return all, nil
}
