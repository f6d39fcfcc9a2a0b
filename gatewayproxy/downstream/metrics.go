package downstream

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// meters is what the server counts.
type meters struct {
	frames   prometheus.Counter
	begins   *prometheus.CounterVec
	closes   *prometheus.CounterVec
	refused  *prometheus.CounterVec
	commands *prometheus.CounterVec
	replayed prometheus.Counter
}

const metricsSpace, metricsPart = "splashtail", "gateway_downstream"

func newMeters(reg prometheus.Registerer, s *Server) (*meters, error) {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: metricsSpace, Subsystem: metricsPart, Name: name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: metricsSpace, Subsystem: metricsPart, Name: name, Help: help})
	}
	m := &meters{
		frames:   counter("frames_total", "Frames sent to bots."),
		begins:   counters("sessions_total", "IDENTIFYs and RESUMEs of bots, by how they ended.", "how", "result"),
		closes:   counters("connection_ends_total", "Ended connections of bots, by close code or cause.", "cause"),
		refused:  counters("refused_total", "Connections that were refused, by reason.", "reason"),
		commands: counters("commands_total", "Commands of bots, by opcode and outcome.", "op", "outcome"),
		replayed: counter("replayed_total", "Events that bots were sent from the stream, because they had been away or were slow."),
	}
	for _, c := range []prometheus.Collector{m.frames, m.begins, m.closes, m.refused, m.commands, m.replayed, lagCollector{s}} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// maxLagSeries bounds how many sessions are shown one by one: those furthest behind.
const maxLagSeries = 256

// lagCollector tells, when asked, how many bots there are and how far each is behind.
type lagCollector struct{ s *Server }

// Describe sends nothing: the collector is not checked for consistency.
func (l lagCollector) Describe(chan<- *prometheus.Desc) {}

// Collect gives the number of connections, and the lag of each session.
func (l lagCollector) Collect(out chan<- prometheus.Metric) {
	all := l.s.Sessions()
	connections := prometheus.NewDesc(prometheus.BuildFQName(metricsSpace, metricsPart, "connections"), "Open connections of bots.", nil, nil)
	out <- prometheus.MustNewConstMetric(connections, prometheus.GaugeValue, float64(len(all)))
	slices.SortFunc(all, func(a, b SessionStatus) int { return cmp.Compare(b.Behind, a.Behind) })
	lag := prometheus.NewDesc(prometheus.BuildFQName(metricsSpace, metricsPart, "lag_events"),
		"Places in the stream that a bot has not come to yet; the bots furthest behind.", []string{"session", "shard"}, nil)
	for i, s := range all {
		if i == maxLagSeries {
			return
		}
		if s.Session != "" {
			out <- prometheus.MustNewConstMetric(lag, prometheus.GaugeValue, float64(s.Behind), s.Session, strconv.Itoa(s.Shard))
		}
	}
}
