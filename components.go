package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/internal/secret"
)

// service is a component as main sees it: New has made it, Run owns everything that it starts and returns drained,
// Ready closes when it serves.
type service interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
}

// component is one row of the list below.
type component struct {
	name  string // also its command, its connection to the bus and `component` in log lines
	does  string
	tier  int      // tier 0 stops first; what others need in order to finish stops later; the bus is last
	reads []string // groups of settings that its own command shows
	need  []string // settings that its own command cannot do without
	door  door     // where others reach it
	make  func(house, *bus.Bus, *slog.Logger) (service, error)
}

// door is an address that a component listens on.
type door struct {
	setting string // what to change when the port is taken
	addr    func(*Settings) string
	scheme  string
	whose   string // who comes in
}

// house is what components are built from: the settings, with stand-ins in the place of what is not set.
type house struct {
	*Settings
	redisAddr  string
	discordAPI string
	primary    secret.Value
	workers    []secret.Value
	metrics    prometheus.Registerer
}

// components is the list of everything that runs on the bus. `splashtail up` starts them in this order, each when the
// one before is ready, and stops them tier by tier; `splashtail NAME` runs one.
func components() []component {
	return []component{}
}
