package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
)

// metrics are the figures of an engine.
type metrics struct {
	submitted *prometheus.CounterVec
	refused   *prometheus.CounterVec
	ended     *prometheus.CounterVec
	retried   *prometheus.CounterVec
	taken     *prometheus.CounterVec
	lost      *prometheus.CounterVec
	mended    *prometheus.CounterVec
	running   *prometheus.GaugeVec
	known     *prometheus.GaugeVec
	waited    *prometheus.HistogramVec
	took      *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splashtail_jobs_" + name, Help: help}, labels)
	}
	m := metrics{
		submitted: counter("submitted_total", "Jobs that were taken in.", "kind"),
		refused:   counter("refused_total", "Submissions that were refused.", "kind", "reason"),
		ended:     counter("ended_total", "Jobs that ended.", "kind", "state"),
		retried:   counter("retried_total", "Attempts that failed and are made again.", "kind"),
		taken:     counter("taken_over_total", "Jobs that were taken over from a worker that was gone.", "kind"),
		lost:      counter("lost_total", "Jobs that another worker has taken over from this one.", "kind"),
		mended:    counter("mended_total", "What crashes left and the sweeper mended.", "what"),
		running:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "splashtail_jobs_running", Help: "Jobs that this process works on."}, []string{"kind"}),
		known:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "splashtail_jobs_known", Help: "Jobs on the bus by state; told by the process that sweeps."}, []string{"state"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "splashtail_jobs_wait_seconds", Help: "From the submission of a job to its first attempt.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10, 60, 600, 3600}}, []string{"queue"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "splashtail_jobs_run_seconds", Help: "How long an attempt took.",
			Buckets: []float64{.01, .1, 1, 5, 30, 120, 600, 3600, 4 * 3600}}, []string{"kind"}),
	}
	r.MustRegister(m.submitted, m.refused, m.ended, m.retried, m.taken, m.lost, m.mended, m.running, m.known, m.waited, m.took)
	return m
}

func (m metrics) refuse(kind bus.JobKind, err error) {
	m.refused.WithLabelValues(string(kind), bus.AsError(err).Reason).Inc()
}
