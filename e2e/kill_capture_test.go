package e2e

import (
	"math/rand/v2"
	"testing"

	"splashtail/internal/sandbox"
)

// talkers is how many games are played while something is killed.
const talkers = 10

// TestRedisIsKilledDuringTraffic: 20 times with -9 while clients talk, with more events coming in while it is away.
func TestRedisIsKilledDuringTraffic(t *testing.T) {
	t.Parallel()
	p, s, r := everything(t)
	all, stop := startTalkers(t, s.broker(), talkers)
	for cycle := range 20 {
		switch cycle % 3 {
		case 0: // in the middle of traffic
			r.awaitCursor(r.cursor())
			awaitAcks(t, all, 20+rand.N(100))
		case 1: // with the first of what waited
			r.awaitCursor(r.cursor())
		case 2: // as soon as it answers, perhaps between a write and its confirmation
		}
		r.Kill()
		awaitAcks(t, all, rand.N(150))
		r.Again()
	}
	awaitAcks(t, all, 100)
	stop()
	settleAccounts(t, p, s, all, r)
}

// TestBrokerAndBusAreKilledDuringTraffic kills one process that is everything, bus included.
func TestBrokerAndBusAreKilledDuringTraffic(t *testing.T) {
	t.Parallel()
	p, s, r := everything(t)
	all, stop := startTalkers(t, s.broker(), talkers)
	const cycles = 12
	for cycle := range cycles {
		awaitLives(t, all, cycle+1)
		r.awaitCursor(r.cursor())
		awaitAcks(t, all, rand.N(200))
		p.kill()
		p = start(t, "up", s)
	}
	awaitLives(t, all, cycles+1)
	stop()
	settleAccounts(t, p, s, all, r)
}

// TestBrokerIsKilledDuringTraffic kills the broker alone; its bus is another process and lives on, and so do the leases of
// the dead: the next broker gets the right to write to Redis when they have run out.
func TestBrokerIsKilledDuringTraffic(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	hub, p, s := brokerOnSharedBus(t, r)
	all, stop := startTalkers(t, s.broker(), talkers)
	const cycles = 8
	for cycle := range cycles {
		awaitLives(t, all, cycle+1)
		if cycle%2 == 0 { // else it dies without ever having had the right
			r.awaitCursor(r.cursor())
		}
		awaitAcks(t, all, rand.N(200))
		p.kill()
		p = start(t, "broker", s)
	}
	awaitLives(t, all, cycles+1)
	stop()
	settleAccounts(t, p, s, all, r)
	hub.stop()
}

// TestBusIsKilledDuringTraffic kills the bus while the broker lives on: its clients stay connected and wait for their
// acknowledgements, and what was being stored is stored once.
func TestBusIsKilledDuringTraffic(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	hub, p, s := brokerOnSharedBus(t, r)
	all, stop := startTalkers(t, s.broker(), talkers)
	for range 8 {
		r.awaitCursor(r.cursor())
		awaitAcks(t, all, rand.N(200))
		hub.kill()
		hub = start(t, "nats", s.with(settings{"NATS_URL": "", "OPS_ADDR": freeAddr(t)}))
		awaitAcks(t, all, 50)
	}
	stop()
	settleAccounts(t, p, s, all, r)
	hub.stop()
}

// brokerOnSharedBus starts a bus and a broker that joins it; the settings are the broker's.
func brokerOnSharedBus(t testing.TB, r *redisServer) (hub, p *program, s settings) {
	t.Helper()
	_, _, discord := startDiscord(t, sandbox.Config{})
	s = onFreePorts(t).with(discord).with(settings{"REDIS_ADDR": r.Addr()})
	hub = start(t, "nats", s)
	s = s.with(settings{"NATS_URL": s.nats(), "OPS_ADDR": freeAddr(t)})
	return hub, start(t, "broker", s), s
}
