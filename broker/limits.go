package broker

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
)

// gatekeeper counts connections and connect codes per address.
type gatekeeper struct {
	l   Limits
	now func() time.Time

	mu     sync.Mutex
	total  int
	guests map[string]*guest
}

// guest is one address.
type guest struct {
	conns int
	codes []bus.ConnectCode // that it used lately; newest last
	tries pace
}

const (
	// maxGuestCodes is how many codes an address may reuse freely.
	maxGuestCodes = 64
	// maxGuests bounds the memory for addresses that have no connection now.
	maxGuests = 50_000
)

func newGatekeeper(l Limits) *gatekeeper {
	return &gatekeeper{l: l, now: time.Now, guests: map[string]*guest{}}
}

// admit counts a connection, unless there are too many. leave takes it back.
func (g *gatekeeper) admit(addr string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.l.Connections {
		return false
	}
	v := g.guest(addr)
	if v == nil || v.conns >= g.l.ConnectionsPerAddress && !isLoopback(addr) {
		return false
	}
	v.conns++
	g.total++
	return true
}

func (g *gatekeeper) leave(addr string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if v := g.guests[addr]; v != nil {
		v.conns--
	}
}

func (g *gatekeeper) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total
}

// tryCode says whether the address may use the code: freely if it did so before, else
// as often as the limit allows. The zero code stands for one that is malformed.
func (g *gatekeeper) tryCode(addr string, code bus.ConnectCode) bool {
	if isLoopback(addr) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.guest(addr)
	if v == nil {
		return false
	}
	if i := slices.Index(v.codes, code); i >= 0 && !code.IsZero() {
		v.codes = append(slices.Delete(v.codes, i, i+1), code)
		return true
	}
	if v.tries.take(g.now()) > 0 {
		v.tries.have++ // not granted, so not used
		return false
	}
	if !code.IsZero() {
		if len(v.codes) == maxGuestCodes {
			v.codes = slices.Delete(v.codes, 0, 1)
		}
		v.codes = append(v.codes, code)
	}
	return true
}

// guest finds or makes the record of an address; nil when there are too many.
func (g *gatekeeper) guest(addr string) *guest {
	v := g.guests[addr]
	if v != nil {
		return v
	}
	if len(g.guests) >= maxGuests {
		g.forget()
		if len(g.guests) >= maxGuests {
			return nil
		}
	}
	v = &guest{tries: newPace(g.l.NewCodes/60, g.l.NewCodesBurst)}
	g.guests[addr] = v
	return v
}

// forget drops addresses that have no connection. Whoever fills the table with fresh
// addresses has those addresses to guess from anyway.
func (g *gatekeeper) forget() {
	for addr, v := range g.guests {
		if v.conns == 0 {
			delete(g.guests, addr)
		}
	}
}

func isLoopback(addr string) bool {
	a, err := netip.ParseAddr(addr)
	return err == nil && a.IsLoopback()
}

// clientAddr is the address that limits count: the peer's, or the last one in
// X-Forwarded-For that is no trusted proxy when the peer is one.
func clientAddr(r *http.Request, trusted []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	peer = peer.Unmap()
	if isTrusted(peer, trusted) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for _, hop := range slices.Backward(hops) {
			a, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break
			}
			peer = a.Unmap()
			if !isTrusted(peer, trusted) {
				break
			}
		}
	}
	return grouped(peer)
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// grouped makes one address of what one subscriber has.
func grouped(a netip.Addr) string {
	a = a.WithZone("")
	if a.Is6() && !a.IsLoopback() {
		if p, err := a.Prefix(64); err == nil {
			a = p.Addr()
		}
	}
	return a.String()
}
