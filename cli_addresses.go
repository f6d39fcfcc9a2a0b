package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"syscall"

	"splashtail/internal/logs"
)

// address is a row of the table that is printed when everything is up.
type address struct{ name, url, note string }

// portsFree looks at every address that the plan will listen on before anything is started, so that all that are
// taken are told at once.
func (c *call) portsFree(p plan) error {
	wanted := []door{{setting: "OPS_ADDR", addr: func(s *Settings) string { return s.OpsAddr.Value }}}
	if c.set.NATSURL.Value == "" {
		wanted = append(wanted, door{setting: "NATS_ADDR", addr: func(s *Settings) string { return s.NATSAddr.Value }})
	}
	for _, k := range p.components {
		if k.door.addr != nil && k.door.addr(c.set) != "" {
			wanted = append(wanted, k.door)
		}
	}
	var taken []error
	for _, d := range wanted {
		l, err := net.Listen("tcp", d.addr(c.set))
		if err != nil {
			taken = append(taken, named(err, d.setting, d.addr(c.set)))
			continue
		}
		l.Close() // only looked; nothing was accepted
	}
	return errors.Join(taken...)
}

// named adds to an error about an address which setting holds the address and what to do.
func named(err error, setting, addr string) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is in use by another process; stop that one or set another address (port 0 takes a free one)", setting, addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: %s is no address of this machine", setting, addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: %s is not allowed for this user; ports below 1024 usually need root", setting, addr)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Errorf("%s: the host of %s is not known: %w", setting, addr, err)
	}
	return err
}

// serves notes an address for the table and tells collectors of lines at once.
func (s *site) serves(a address) {
	s.doors = append(s.doors, a)
	level := slog.LevelDebug // people get the table
	if s.set.LogFormat.format() == logs.JSON {
		level = slog.LevelInfo
	}
	s.log.Log(context.Background(), level, "serves", "component", a.name, "addr", a.url)
}

// announce prints the table of addresses for people.
func (s *site) announce() {
	if s.set.LogFormat.format() == logs.JSON {
		s.log.Info("up", "version", buildVersion())
		return
	}
	fmt.Fprintf(s.stdout, "\nsplashtail %s is up; Ctrl-C stops it\n\n%s\n", buildVersion(), table(s.doors))
}

// listenAddr joins a bind address and a port.
func listenAddr(h Host, p Port) string { return net.JoinHostPort(h.Value, strconv.Itoa(p.N)) }

func table(rows []address) string {
	var wide [2]int
	for _, r := range rows {
		wide[0], wide[1] = max(wide[0], len(r.name)), max(wide[1], len(r.url))
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "  %-*s  %-*s  %s\n", wide[0], r.name, wide[1], r.url, r.note)
	}
	return b.String()
}
