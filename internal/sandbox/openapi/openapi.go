// Package openapi checks HTTP calls against Discord's own description of its API, so that neither our clients nor our
// sandbox drift from it.
//
// What comes in: the published OpenAPI 3.1 file, which is not part of this repository (Find says where it is looked for),
// and requests through a RoundTripper. What goes out: one report per mismatch of a request or a response, and the set of
// operations that were called. Only tests import it. Read this file first; prepass.go says what the published file needs
// before a validator can be exact.
//
// Left unchecked, because the description leaves it open: rate-limit headers and the body of a 429 (real ones omit a key
// that the description demands), answers with 5xx, which permissions a call needs.
package openapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Spec is the loaded description. It may be used by many goroutines.
type Spec struct {
	doc     *openapi3.T
	router  routers.Router
	version *regexp.Regexp // the part of a path before the description's

	mu   sync.Mutex
	seen map[string]int
}

// Find looks for the description: the file that DISCORD_OPENAPI names, else ../shared/data/discord-openapi.json beside the
// module's root. The error says where it looked.
func Find() (string, error) {
	if path := os.Getenv("DISCORD_OPENAPI"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("openapi: DISCORD_OPENAPI: %w", err)
		}
		return path, nil
	}
	root, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("openapi: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			return "", errors.New("openapi: no go.mod above the working directory; set DISCORD_OPENAPI")
		}
		root = up
	}
	path := filepath.Join(root, "..", "shared", "data", "discord-openapi.json")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("openapi: no description of Discord's API at hand (%w); set DISCORD_OPENAPI", err)
	}
	return path, nil
}

// Load reads a description and prepares it.
func Load(path string) (*Spec, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	prepared, err := prepare(raw)
	if err != nil {
		return nil, fmt.Errorf("openapi: %s: %w", path, err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(prepared)
	if err != nil {
		return nil, fmt.Errorf("openapi: %s: %w", path, err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("openapi: %s: %w", path, err)
	}
	doc.Servers = openapi3.Servers{{URL: specBase}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("openapi: %s: %w", path, err)
	}
	return &Spec{doc: doc, router: router, version: regexp.MustCompile(`^/api(/v\d+)?/`), seen: map[string]int{}}, nil
}

// Fresh gives a Spec of the same description that has seen no operations yet. Loading takes far longer.
func (s *Spec) Fresh() *Spec {
	return &Spec{doc: s.doc, router: s.router, version: s.version, seen: map[string]int{}}
}

// Operations lists the operation ids that were called so far, sorted.
func (s *Spec) Operations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.seen))
	for id := range s.seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// RoundTripper passes requests on to base and reports every request that Discord's description does not allow and every
// answer that it does not promise. It alters neither. Report may be called from several goroutines.
func (s *Spec) RoundTripper(base http.RoundTripper, report func(error)) http.RoundTripper {
	return &checker{spec: s, base: base, report: report}
}

type checker struct {
	spec   *Spec
	base   http.RoundTripper
	report func(error)
}

func (c *checker) RoundTrip(r *http.Request) (*http.Response, error) {
	input, err := c.spec.request(r)
	if err != nil {
		c.report(fmt.Errorf("request %s %s: %w", r.Method, r.URL.Path, err))
	}
	resp, fault := c.base.RoundTrip(r)
	if fault != nil || input == nil {
		return resp, fault
	}
	if err := c.spec.response(input, resp); err != nil {
		c.report(fmt.Errorf("answer %d to %s %s: %w", resp.StatusCode, r.Method, r.URL.Path, err))
	}
	return resp, nil
}

// specBase is where the description's paths start, whatever host was really called.
const specBase = "https://discord.com/api/v10"

// request checks a request. The input is for the response and nil when there is no such operation.
func (s *Spec) request(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	body, err := drain(&r.Body)
	if err != nil {
		return nil, err
	}
	seen := r.Clone(r.Context())
	seen.Body = io.NopCloser(bytes.NewReader(body))
	seen.Host = ""
	path := s.version.ReplaceAllString(r.URL.Path, "/")
	if seen.URL, err = url.Parse(specBase + path + "?" + r.URL.RawQuery); err != nil {
		return nil, err
	}
	found, params, err := s.router.FindRoute(seen)
	if err != nil {
		return nil, fmt.Errorf("no such operation: %w", err)
	}
	s.mu.Lock()
	s.seen[found.Operation.OperationID]++
	s.mu.Unlock()
	input := &openapi3filter.RequestValidationInput{
		Request: seen, PathParams: params, Route: found,
		Options: &openapi3filter.Options{
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			IncludeResponseStatus: true,
		},
	}
	err = errors.Join(
		openapi3filter.ValidateRequest(r.Context(), input),
		checkAuthorization(found.Operation, r.Header.Get("Authorization")),
		checkReason(r.Header.Values("X-Audit-Log-Reason")),
	)
	return input, err
}

func (s *Spec) response(input *openapi3filter.RequestValidationInput, resp *http.Response) error {
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
		return nil
	}
	body, err := drain(&resp.Body)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: resp.StatusCode, Header: resp.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
}

// drain reads a body and puts an equal one in its place.
func drain(body *io.ReadCloser) ([]byte, error) {
	if *body == nil || *body == http.NoBody {
		return nil, nil
	}
	defer (*body).Close()
	b, err := io.ReadAll(*body)
	*body = io.NopCloser(bytes.NewReader(b))
	return b, err
}

// checkAuthorization wants the scheme of one of the operation's ways to log in.
func checkAuthorization(op *openapi3.Operation, header string) error {
	if op.Security == nil || len(*op.Security) == 0 {
		return nil
	}
	for _, way := range *op.Security {
		_, bot := way["BotToken"]
		_, user := way["OAuth2"]
		if len(way) == 0 || bot && strings.HasPrefix(header, "Bot ") || user && strings.HasPrefix(header, "Bearer ") {
			return nil
		}
	}
	scheme, _, _ := strings.Cut(header, " ")
	return fmt.Errorf("authorization scheme %q fits none of the operation's", scheme)
}

// checkReason wants one reason, percent-encoded, of 1 to 512 characters when decoded.
func checkReason(values []string) error {
	if len(values) == 0 {
		return nil
	}
	reason, err := url.PathUnescape(values[0])
	n := utf8.RuneCountInString(reason)
	ascii := !strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r > '~' })
	if len(values) > 1 || err != nil || !ascii || !utf8.ValidString(reason) || n < 1 || n > 512 {
		return fmt.Errorf("X-Audit-Log-Reason: want one percent-encoded text of 1 to 512 characters, have %d of %d characters (%v)", len(values), n, err)
	}
	return nil
}
