// Package downstream is the gateway server for bots: whatever library they are written
// with, they connect here by changing only the URL, and see what Discord would show them.
//
// What comes in: WebSocket connections of bots, and DISPATCH, the stream of Discord's
// events, raw. What goes out: READY and the guilds as they are now, then every event that
// a bot's shard and intents entitle it to, once and in order; and its commands, to
// whoever holds the shard's session with Discord.
//
// Two things make it exact. A session starts from a snapshot that belongs to a place in
// the stream, so nothing falls between. And the stream is the only memory of what a bot
// has had: there is no queue per bot. One reader per process (tail.go) keeps the newest
// events; a session is a place in them (session.go), and one that falls behind, or comes
// back after any process died, reads the stream itself, at its own pace.
//
// Read in this order: server.go and conn.go (a connection's life), identify.go and
// resume.go (how a session begins), deliver.go (how events reach it), number.go (what s
// means), turn.go and order.go (when that changes), intent.go and redact.go (who may see
// what), command.go (what bots ask).
package downstream
