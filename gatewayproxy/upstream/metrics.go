package upstream

import "github.com/prometheus/client_golang/prometheus"

// meters is what upstream counts.
type meters struct {
	events  *prometheus.CounterVec
	dropped *prometheus.CounterVec
	begins  *prometheus.CounterVec
	ends    *prometheus.CounterVec
	live    *prometheus.GaugeVec
	beat    *prometheus.GaugeVec
	latency prometheus.Histogram
	budget  prometheus.Gauge
}

func newMeters(reg prometheus.Registerer) (*meters, error) {
	const space, sub = "splashtail", "gateway_upstream"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: space, Subsystem: sub, Name: name, Help: help}, labels)
	}
	gauges := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: space, Subsystem: sub, Name: name, Help: help}, []string{"shard"})
	}
	m := &meters{
		events:  counter("events_total", "Events that Discord sent.", "shard"),
		dropped: counter("dropped_total", "Frames and events that were not stored, by reason.", "reason"),
		begins:  counter("sessions_total", "Connections that came to live, by how: identified or resumed.", "how"),
		ends:    counter("connection_ends_total", "Ended connections with Discord, by cause.", "cause"),
		live:    gauges("live", "1 while this process receives the events of the shard."),
		beat:    gauges("heartbeat_seconds", "How long Discord took to acknowledge the last heartbeat."),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: space, Subsystem: sub, Name: "stored_seconds", Help: "From a frame of Discord to the stream's acknowledgement.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}),
		budget: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: space, Subsystem: sub, Name: "identify_remaining", Help: "New sessions that Discord allows until the budget is reset.",
		}),
	}
	for _, c := range []prometheus.Collector{m.events, m.dropped, m.begins, m.ends, m.live, m.beat, m.latency, m.budget} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// forget ends the series of a label under which nothing is counted any more.
func (m *meters) forget(shard string) {
	m.events.DeleteLabelValues(shard)
	m.live.DeleteLabelValues(shard)
	m.beat.DeleteLabelValues(shard)
}
