package bus

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Blobs is a store of large values under keys.
type Blobs struct{ store jetstream.ObjectStore }

// BlobInfo describes a stored blob.
type BlobInfo struct {
	Key    string
	Size   uint64
	Digest string // SHA-256, as the server writes it
}

// blobChunk is the size of the pieces of a blob. With a sync to disk per piece, the
// library's 128 KiB would be a third as fast.
const blobChunk = 512 * kib

// OpenBackups gives access to the backup archives.
func OpenBackups(ctx context.Context, b *Bus) (*Blobs, error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	s, err := b.js.ObjectStore(ctx, blobsBackups)
	if err != nil {
		return nil, AsError(err)
	}
	return &Blobs{s}, nil
}

// Put stores what r gives under the key, over what was there. It holds one piece in
// memory. If r fails, nothing is stored under the key.
func (s *Blobs) Put(ctx context.Context, key string, r io.Reader) (BlobInfo, error) {
	info, err := s.store.Put(ctx, jetstream.ObjectMeta{Name: key, Opts: &jetstream.ObjectMetaOptions{ChunkSize: blobChunk}}, r)
	if err != nil {
		return BlobInfo{}, AsError(err)
	}
	return BlobInfo{Key: key, Size: info.Size, Digest: info.Digest}, nil
}

// Open streams a blob; CodeNotFound when there is none. Its reader fails at the end
// when what was read is not what was stored.
func (s *Blobs) Open(ctx context.Context, key string) (io.ReadCloser, BlobInfo, error) {
	r, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, BlobInfo{}, AsError(err)
	}
	info, err := r.Info()
	if err != nil {
		return nil, BlobInfo{}, errors.Join(AsError(err), r.Close())
	}
	return r, BlobInfo{Key: key, Size: info.Size, Digest: info.Digest}, nil
}

// Delete removes a blob; CodeNotFound when there is none.
func (s *Blobs) Delete(ctx context.Context, key string) error {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	if err := s.store.Delete(ctx, key); err != nil {
		return AsError(err)
	}
	return nil
}

// DeleteUnder removes every blob whose key begins with the prefix, and says how many.
func (s *Blobs) DeleteUnder(ctx context.Context, prefix string) (removed int, err error) {
	w, err := s.store.Watch(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return 0, AsError(err)
	}
	var keys []string
	for info := range w.Updates() {
		if info == nil { // that was all
			break
		}
		if !info.Deleted && strings.HasPrefix(info.Name, prefix) {
			keys = append(keys, info.Name)
		}
	}
	if err := w.Stop(); err != nil {
		return 0, AsError(err)
	}
	for _, key := range keys {
		if err := s.Delete(ctx, key); err != nil && !IsCode(err, CodeNotFound) {
			return removed, err
		}
		removed++
	}
	return removed, ctx.Err()
}
