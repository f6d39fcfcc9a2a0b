// Package upstream holds the sessions with Discord's gateway and puts every event on
// the bus.
//
// What comes in: frames of Discord. What goes out: each dispatch, raw but for typed secrets, to DISPATCH with
// session and sequence as its message id; after the stream's acknowledgement the place
// of the session, so that after a crash the session is resumed from there: Discord sends
// again what may be missing, and the stream drops what it has already.
//
// Read in this order: upstream.go and count.go (which shards, and by whom), keeper.go (the
// right to a shard), shard.go (one session over its connections), judge.go (what follows
// the end of a connection, pure), connect.go, handshake.go and link.go (one connection),
// publish.go (to the stream and the place in it), identify.go (the right and the budget to
// begin a session), wire.go, frame.go. Another number of shards: change.go, scout.go,
// proof.go, catchup.go, takeover.go and plan.go.
package upstream
