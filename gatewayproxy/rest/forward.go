package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"splashtail/internal/discord"
	"splashtail/internal/secret"
)

// permitKey is where a request's context holds its permit.
type permitKey struct{}

// Bounds of what is read into memory; everything else streams.
const (
	maxRefusal = 64 << 10 // of an answer that is no success
	maxPeek    = 16 << 10 // of a body whose keys decide which limit it has
)

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := apiPath(r.URL.EscapedPath())
	if !ok {
		refuse(w, http.StatusNotFound, reasonBadPath, "404: Not Found", 0)
		return
	}
	if p.emulated(w, r, path) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.cfg.Deadline)
	defer cancel()
	ask, err := question(r, path)
	if err != nil {
		refuse(w, http.StatusBadRequest, reasonBadPath, "The request body could not be read.", 0)
		return
	}
	permit, err := p.turn(ctx, ask)
	if err != nil {
		p.refuseLimited(w, ask, err)
		return
	}
	defer permit.Lost() // does nothing when an answer was seen
	p.forward.ServeHTTP(w, r.WithContext(context.WithValue(ctx, permitKey{}, permit)))
}

// turn waits for a permit, but not longer than a client likes to.
func (p *Proxy) turn(ctx context.Context, ask discord.Ask) (*discord.Permit, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.MaxWait)
	defer cancel()
	return p.cfg.Limiter.Acquire(ctx, ask)
}

// question is the request as the limiter sees it.
func question(r *http.Request, path string) (discord.Ask, error) {
	ask := discord.Ask{Token: secret.New(r.Header.Get("Authorization")), Route: discord.RouteOf(r.Method, path, time.Now())}
	if r.Method == http.MethodPatch && ask.Route.Template == "/channels/{id}" && r.ContentLength > 0 && r.ContentLength <= maxPeek {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxPeek))
		if err != nil {
			return ask, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		ask.Part = discord.PartOf(ask.Route, body)
	}
	return ask, nil
}

// reverse makes the part that copies requests and answers.
func (p *Proxy) reverse(target *url.URL, prefix string) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, target.Host
			r.Out.URL.Path = prefix + r.Out.URL.Path
			if r.Out.URL.RawPath != "" {
				r.Out.URL.RawPath = prefix + r.Out.URL.RawPath
			}
			r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came, not cleaned up
			if _, ok := r.In.Header["User-Agent"]; !ok {
				r.Out.Header["User-Agent"] = nil // none is added
			}
		},
		Transport:      p.cfg.Transport,
		ModifyResponse: heard,
		ErrorHandler:   p.failed,
		FlushInterval:  -1, // what Discord sends is passed on as it comes
	}
}

// heard tells the limiter about an answer before it goes to the client.
func heard(resp *http.Response) error {
	permit, ok := resp.Request.Context().Value(permitKey{}).(*discord.Permit)
	if !ok {
		return errors.New("a request was forwarded without a permit")
	}
	var refused *discord.APIError
	if resp.StatusCode >= 400 {
		head, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
		if err != nil {
			return err
		}
		refused = discord.ParseError(resp.StatusCode, resp.Header, plain(resp.Header, head))
		resp.Body = rejoined{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	}
	permit.Done(resp.StatusCode, discord.ParseRateLimit(resp.Header), refused)
	return nil
}

// rejoined is a body whose beginning was read already.
type rejoined struct {
	io.Reader
	io.Closer
}

// failed answers when Discord did not.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		return // the client left
	case errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusGatewayTimeout, reasonTimeout, "Discord did not answer in time; the request may have been carried out.", 0)
	default:
		refuse(w, http.StatusBadGateway, reasonUnreachable, "Discord could not be reached, or the connection broke.", 0)
	}
	path, _ := apiPath(r.URL.EscapedPath())
	p.log.Warn("a REST request was not answered by Discord", "route", r.Method+" "+discord.RouteOf(r.Method, path, time.Now()).Template, "err", withoutURL(err))
}

// withoutURL drops the address from an error, since some paths hold tokens.
func withoutURL(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// bareToken is a token without the scheme of bots.
func bareToken(header string) string { return strings.TrimPrefix(header, "Bot ") }
