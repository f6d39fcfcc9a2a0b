package bottest

import "net/http"

// toSandbox sends what a library means for Discord to the sandbox instead.
type toSandbox struct{ addr string }

// RoundTrip implements http.RoundTripper.
func (t toSandbox) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = "http", t.addr, t.addr
	return http.DefaultTransport.RoundTrip(r)
}
