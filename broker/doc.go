// Package broker takes Among Us capture clients and speaks to AutoMuteUs for them.
//
// What comes in: events of capture clients over Socket.IO (Engine.IO 3 and 4, websocket
// or polling), mute tasks for a client's own Discord bot from AutoMuteUs over Redis and
// from muteproxy over the bus. What goes out: each accepted event on the stream CAPTURE,
// and from there, exactly once and in order per connect code, into the Redis lists that
// AutoMuteUs pops; the clients' answers to mute tasks.
//
// Read in this order:
//
//   - broker.go: configuration, what runs, start and stop;
//   - events.go, session.go: what a client may say and what becomes of it;
//   - seat.go, seat_redis.go, hub.go, owners.go: who owns a connect code, here and among brokers;
//   - task.go: mute tasks;
//   - edge*.go, redis_edge.go: CAPTURE to Redis; redis_channels.go: Redis to us;
//   - door.go, limits.go: HTTP, addresses, limits;
//   - seam.go, sock*.go, transport.go, packet.go, payload.go: Socket.IO. Nothing else
//     imports that library.
package broker
