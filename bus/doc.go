// Package bus is the contract between the components of splashtail and the
// mechanics that carry it: an embedded NATS server with JetStream, or a server
// that NATS_URL names.
//
// What comes in: typed values that a component publishes, asks or stores. What
// goes out: the same values, delivered at least once and in order per key, to
// whoever consumes, answers or watches them. Nobody outside this package writes a
// subject, a stream, a bucket or a header as a string.
//
// Read in this order:
//
//   - topology.go: every stream and bucket as one table;
//   - subject.go: every subject as a typed constructor with its inverse;
//   - capture.go, voice.go, event.go: the payloads;
//   - publish.go, appender.go, consume.go, follow.go, read.go: streams;
//   - call.go, service.go: request and reply;
//   - record.go, lease.go, blob.go: buckets.
//
// # Adding a message
//
//  1. Write the payload with a `v` field and put a golden file in testdata.
//  2. Write its subject constructor and the inverse in subject.go.
//  3. If it is stored, see that a row of Topology takes the subject.
//  4. Publish or Consume it in the component.
//  5. Run `make docs`; docs/topology.md follows the table.
package bus
