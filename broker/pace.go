package broker

import "time"

// pace is a token bucket that delays instead of refusing: nothing of one connection is
// lost, it only comes slower. It belongs to one goroutine at a time.
type pace struct {
	rate  float64 // per second; 0 means no limit
	burst float64
	have  float64
	last  time.Time
}

func newPace(rate float64, burst int) pace {
	return pace{rate: rate, burst: float64(burst), have: float64(burst)}
}

// take uses one token and returns how long to wait before the work may be done.
func (p *pace) take(now time.Time) time.Duration {
	if p.rate <= 0 {
		return 0
	}
	if !p.last.IsZero() {
		p.have = min(p.burst, p.have+now.Sub(p.last).Seconds()*p.rate)
	}
	p.last = now
	p.have--
	if p.have >= 0 {
		return 0
	}
	return time.Duration(-p.have / p.rate * float64(time.Second))
}
