package broker

import (
	"github.com/prometheus/client_golang/prometheus"
)

// meters is what the broker counts.
type meters struct {
	events  *prometheus.CounterVec
	ends    *prometheus.CounterVec
	refused *prometheus.CounterVec
	owners  prometheus.Gauge
	tasks   *prometheus.CounterVec
	notes   *prometheus.CounterVec

	edgeEvents *prometheus.CounterVec
	edgeBatch  prometheus.Histogram
	edgeLag    prometheus.Gauge
	redisUp    prometheus.Gauge
}

func newMeters(reg prometheus.Registerer, connections func() float64) (*meters, error) {
	const space, sub = "splashtail", "broker"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: space, Subsystem: sub, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: space, Subsystem: sub, Name: name, Help: help})
	}
	m := &meters{
		events:     counter("events_total", "Events of capture clients, by what became of them.", "event", "result"),
		ends:       counter("connection_ends_total", "Ended connections, by cause.", "end"),
		refused:    counter("refused_total", "Requests for a connection that were refused, by cause.", "cause"),
		owners:     gauge("owners", "Connect codes that a client of this process owns."),
		tasks:      counter("tasks_total", "Mute tasks, by where they came from and their outcome.", "source", "outcome"),
		notes:      counter("notes_total", "Redis messages to AutoMuteUs, by outcome.", "outcome"),
		edgeEvents: counter("edge_events_total", "Stored events, by what became of them at the Redis edge.", "result"),
		edgeBatch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: space, Subsystem: sub, Name: "edge_batch_size", Help: "Events per script run in Redis.",
			Buckets: []float64{1, 4, 16, 64, 256, 1024},
		}),
		edgeLag: gauge("edge_lag_events", "Stored messages, of one event or under load of many, that Redis does not have yet; told by the process that holds the edge."),
		redisUp: gauge("redis_up", "1 when the last contact with Redis succeeded."),
	}
	conns := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: space, Subsystem: sub, Name: "connections", Help: "Open connections of capture clients.",
	}, connections)
	for _, c := range []prometheus.Collector{
		m.events, m.ends, m.refused, m.owners, m.tasks, m.notes, m.edgeEvents, m.edgeBatch, m.edgeLag, m.redisUp, conns,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
