package muteproxy

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	wishes   prometheus.Counter
	repeated prometheus.Counter
	applied  *prometheus.CounterVec
	refusals *prometheus.CounterVec
	limits   *prometheus.CounterVec
	failed   *prometheus.CounterVec
	took     *prometheus.HistogramVec
	requests *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		wishes:   prometheus.NewCounter(prometheus.CounterOpts{Name: "muteproxy_wishes_total", Help: "Wished voice states that were stored."}),
		repeated: prometheus.NewCounter(prometheus.CounterOpts{Name: "muteproxy_wishes_repeated_total", Help: "Wishes that were fulfilled already and needed no call."}),
		applied:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muteproxy_applied_total", Help: "Voice states that were confirmed, by lane."}, []string{"lane"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muteproxy_refusals_total", Help: "Calls that failed, by lane and reason."}, []string{"lane", "reason"}),
		limits:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muteproxy_rate_limited_total", Help: "429 answers of Discord, by scope."}, []string{"scope"}),
		failed:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muteproxy_failed_total", Help: "Wishes that no lane could fulfil, by reason."}, []string{"reason"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "muteproxy_apply_seconds", Help: "From the wish to Discord's confirmation, by lane.",
			Buckets: []float64{.05, .1, .2, .5, 1, 2, 5, 10, 20, 60}}, []string{"lane"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muteproxy_http_requests_total", Help: "Requests at the door, by route and status."}, []string{"route", "status"}),
	}
	reg.MustRegister(m.wishes, m.repeated, m.applied, m.refusals, m.limits, m.failed, m.took, m.requests)
	return m
}

func (m *metrics) appliedBy(k laneKind, took time.Duration) {
	m.applied.WithLabelValues(k.String()).Inc()
	m.took.WithLabelValues(k.String()).Observe(took.Seconds())
}

func (m *metrics) refused(k laneKind, reason string) {
	m.refusals.WithLabelValues(k.String(), reason).Inc()
}

func (m *metrics) limited(scope string) {
	switch scope {
	case "user", "global", "shared":
	default:
		scope = "none"
	}
	m.limits.WithLabelValues(scope).Inc()
}
