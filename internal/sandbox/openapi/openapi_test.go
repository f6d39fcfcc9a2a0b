package openapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tiny is a description with one of each thing that the pre-pass changes.
const tiny = `{"openapi":"3.1.0","info":{"title":"t","version":"10"},"servers":[{"url":"https://discord.com/api/v10"}],
"paths":{
 "/things/@me":{"get":{"operationId":"get_mine","responses":{"200":{"description":"ok"}}}},
 "/things/{id}":{"patch":{"operationId":"patch_thing","security":[{"BotToken":[]}],
  "parameters":[{"name":"kind","in":"query","schema":{"$ref":"#/components/schemas/Kind"}}],
  "requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Patch"}}}},
  "responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}},
   "4XX":{"description":"no"}}},
  "parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string","pattern":"^[0-9]+$"}}]}},
"components":{"securitySchemes":{"BotToken":{"type":"apiKey","name":"Authorization","in":"header"}},
 "schemas":{
  "Kind":{"type":"integer","oneOf":[{"title":"A","const":1},{"title":"B","const":22}]},
  "Patch":{"type":"object","properties":{"mute":{"type":["boolean","null"]},
   "permissions":{"type":["integer","null"],"minimum":0,"maximum":9007199254740991,"format":"int64"},
   "mix":{"allOf":[{"type":"object","properties":{"a":{"type":"integer"}}},{"type":"object","properties":{"b":{"type":"integer"}}}]}}},
  "Thing":{"type":"object","required":["id"],"properties":{"id":{"type":"string"}}}}}}`

func load(t *testing.T, text string) *Spec {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spec.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type answerFunc func(*http.Request) (*http.Response, error)

func (f answerFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRoundTripperReportsEachMismatch(t *testing.T) {
	for _, tc := range []struct {
		name, method, url, body, auth, reason string
		status                                int
		answer                                string
		want                                  string // part of the only report; empty = none
	}{
		{name: "fits", body: `{"mute":true}`, status: 200, answer: `{"id":"1"}`},
		{name: "permission as string", body: `{"permissions":"8"}`, status: 200, answer: `{"id":"1"}`},
		{name: "permission as number", body: `{"permissions":8}`, status: 200, answer: `{"id":"1"}`},
		{name: "permission not a number", body: `{"permissions":"eight"}`, status: 200, answer: `{"id":"1"}`, want: "permissions"},
		{name: "allOf keeps both sides' keys", body: `{"mix":{"a":1,"b":2}}`, status: 200, answer: `{"id":"1"}`},
		{name: "query constant", url: "/api/v9/things/7?kind=22", body: `{}`, status: 200, answer: `{"id":"1"}`},
		{name: "unknown query constant", url: "/api/things/7?kind=3", body: `{}`, status: 200, answer: `{"id":"1"}`, want: "kind"},
		{name: "misspelt key", body: `{"mut":true}`, status: 200, answer: `{"id":"1"}`, want: "mut"},
		{name: "wrong type", body: `{"mute":"yes"}`, status: 200, answer: `{"id":"1"}`, want: "mute"},
		{name: "no such operation", url: "/api/v10/nothing", body: `{}`, status: 404, answer: `{}`, want: "no such operation"},
		{name: "wrong scheme", auth: "Bearer x", body: `{}`, status: 401, answer: `{}`, want: "scheme"},
		{name: "reason not encoded", reason: "naïve", body: `{}`, status: 200, answer: `{"id":"1"}`, want: "X-Audit-Log-Reason"},
		{name: "reason too long", reason: strings.Repeat("x", 513), body: `{}`, status: 200, answer: `{"id":"1"}`, want: "X-Audit-Log-Reason"},
		{name: "reason encoded", reason: "na%C3%AFve", body: `{}`, status: 200, answer: `{"id":"1"}`},
		{name: "answer lacks a key", body: `{}`, status: 200, answer: `{}`, want: "answer 200"},
		{name: "answer of unknown status", body: `{}`, status: 201, answer: `{}`, want: "answer 201"},
		{name: "429 is exempt", body: `{}`, status: 429, answer: `error code: 1015`},
		{name: "5xx is exempt", body: `{}`, status: 502, answer: `<html>`},
		{name: "static path wins", method: "GET", url: "/api/v10/things/@me", status: 200, answer: ``},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := load(t, tiny)
			var reports []error
			rt := spec.RoundTripper(answerFunc(func(r *http.Request) (*http.Response, error) {
				var got []byte
				if r.Body != nil {
					got, _ = io.ReadAll(r.Body)
				}
				if string(got) != tc.body {
					t.Errorf("base saw body %q, want %q", got, tc.body)
				}
				return &http.Response{StatusCode: tc.status, Header: http.Header{"Content-Type": {"application/json"}},
					Body: io.NopCloser(strings.NewReader(tc.answer)), Request: r}, nil
			}), func(err error) { reports = append(reports, err) })
			method, url, auth := tc.method, tc.url, tc.auth
			if method == "" {
				method = "PATCH"
			}
			if url == "" {
				url = "/api/v10/things/7"
			}
			if auth == "" {
				auth = "Bot x"
			}
			req, err := http.NewRequest(method, "http://127.0.0.1:9"+url, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", auth)
			if tc.reason != "" {
				req.Header.Set("X-Audit-Log-Reason", tc.reason)
			}
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(resp.Body); string(got) != tc.answer {
				t.Errorf("client saw %q, want %q", got, tc.answer)
			}
			switch {
			case tc.want == "" && len(reports) > 0:
				t.Errorf("reports %v, want none", reports)
			case tc.want != "" && (len(reports) != 1 || !strings.Contains(reports[0].Error(), tc.want)):
				t.Errorf("reports %v, want one about %q", reports, tc.want)
			}
		})
	}
}

func TestOperationsAreRecorded(t *testing.T) {
	spec := load(t, tiny)
	rt := spec.RoundTripper(answerFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("down") }), func(error) {})
	req, _ := http.NewRequest("GET", "http://h/api/v10/things/@me", nil)
	if _, err := rt.RoundTrip(req); err == nil {
		t.Error("the fault of base got lost")
	}
	if got := spec.Operations(); !slices.Equal(got, []string{"get_mine"}) {
		t.Errorf("operations %v", got)
	}
}

func TestLoadFailsClearly(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "spec.json")
	os.WriteFile(path, []byte("nonsense"), 0o600)
	var syntax *json.SyntaxError
	if _, err := Load(path); !errors.As(err, &syntax) {
		t.Errorf("nonsense: %v", err)
	}
	t.Setenv("DISCORD_OPENAPI", path+".not")
	if _, err := Find(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Find: %v", err)
	}
	t.Setenv("DISCORD_OPENAPI", path)
	if got, err := Find(); got != path || err != nil {
		t.Errorf("Find = %q, %v", got, err)
	}
}

// The real file has the counts that were found when the pre-pass was made; a new one may differ, which is worth a look.
func TestPublishedDescription(t *testing.T) {
	path, err := Find()
	if err != nil {
		t.Logf("not checked against the published description: %v", err)
		return
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Fatal(err)
	}
	prepared, err := prepare(raw)
	if err != nil {
		t.Fatal(err)
	}
	closed := strings.Count(string(prepared), `"additionalProperties":false`) - strings.Count(strings.ReplaceAll(string(raw), " ", ""), `"additionalProperties":false`)
	if closed < 200 {
		t.Errorf("%d request objects were closed, want at least 200", closed)
	}
}
