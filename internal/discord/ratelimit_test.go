package discord

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

func limitHeader(limit, remaining, after string) http.Header {
	h := http.Header{}
	h.Set("X-RateLimit-Limit", limit)
	h.Set("X-RateLimit-Remaining", remaining)
	h.Set("X-RateLimit-Reset-After", after)
	h.Set("X-RateLimit-Bucket", "80c17d2f203122d936070c88c8d10f33")
	return h
}

func TestParseRateLimit(t *testing.T) {
	for _, c := range []struct {
		limit, remaining, after string
		want                    RateLimit
	}{
		{"5", "4", "4.925", RateLimit{Known: true, Limit: 5, Remaining: 4, ResetAfter: 4925 * time.Millisecond}},
		{"1", "0", "0", RateLimit{Known: true, Limit: 1}},
		{"250", "249", "172800", RateLimit{Known: true, Limit: 250, Remaining: 249, ResetAfter: 48 * time.Hour}},
		{"5", "4", "1e300", RateLimit{Known: true, Limit: 5, Remaining: 4, ResetAfter: maxReset}},
		{"5", "4", "+Inf", RateLimit{Known: true, Limit: 5, Remaining: 4, ResetAfter: maxReset}},
		{"5", "6", "1", RateLimit{}},
		{"0", "0", "1", RateLimit{}},
		{"5", "-1", "1", RateLimit{}},
		{"5", "4", "-1", RateLimit{}},
		{"5", "4", "NaN", RateLimit{}},
		{"5", "", "1", RateLimit{}},
		{"", "", "", RateLimit{}},
	} {
		if c.want.Known {
			c.want.Bucket = "80c17d2f203122d936070c88c8d10f33"
		}
		if got := ParseRateLimit(limitHeader(c.limit, c.remaining, c.after)); got != c.want {
			t.Errorf("%s, %s, %s: %+v, want %+v", c.limit, c.remaining, c.after, got, c.want)
		}
	}
}

// FuzzParseRateLimit holds that headers say a budget that can be, or none, and that what
// was read can be written and read again.
func FuzzParseRateLimit(f *testing.F) {
	f.Add("5", "4", "4.925")
	f.Add("1", "2", "0")
	f.Add("9223372036854775807", "1", "1e309")
	f.Add("+5", "-0", "0x1p-2")
	f.Fuzz(func(t *testing.T, limit, remaining, after string) {
		r := ParseRateLimit(limitHeader(limit, remaining, after))
		if !r.Known {
			if r != (RateLimit{}) {
				t.Errorf("unknown, and yet %+v", r)
			}
			return
		}
		if r.Limit < 1 || r.Remaining < 0 || r.Remaining > r.Limit || r.ResetAfter < 0 || r.ResetAfter > maxReset {
			t.Errorf("%q, %q, %q gave %+v", limit, remaining, after, r)
		}
		again := ParseRateLimit(limitHeader(strconv.Itoa(r.Limit), strconv.Itoa(r.Remaining), strconv.FormatFloat(r.ResetAfter.Seconds(), 'f', -1, 64)))
		if d := (again.ResetAfter - r.ResetAfter).Abs(); d > time.Microsecond {
			t.Errorf("%+v came back as %+v", r, again)
		}
		again.ResetAfter = r.ResetAfter
		if again != r {
			t.Errorf("%+v came back as %+v", r, again)
		}
	})
}

// FuzzAPIError holds that a refusal keeps its status whatever its body is, that its wait
// is within bounds, and that a 429 which does not say how long waits a second.
func FuzzAPIError(f *testing.F) {
	f.Add(429, "user", "3", []byte(`{"message":"You are being rate limited.","retry_after":0.3,"global":false}`))
	f.Add(429, "", "60", []byte(`<html>error code: 1015</html>`))
	f.Add(429, "global", "", []byte(`{"retry_after":"5"}`))
	f.Add(429, "shared", "-1", []byte(`{"retry_after":-1}`))
	f.Add(403, "", "", []byte(`{"message":"Missing Permissions","code":50013}`))
	f.Add(400, "", "", []byte(`{"code":"40032","message":7}`))
	f.Add(500, "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, status int, scope, after string, body []byte) {
		h := http.Header{}
		h.Set("X-RateLimit-Scope", scope)
		h.Set("Retry-After", after)
		e := parseAPIError(&http.Response{StatusCode: status, Header: h}, body)
		if e.Status != status || e.RetryAfter < 0 || e.RetryAfter > maxReset || e.Error() == "" {
			t.Errorf("%d %q gave %+v", status, body, e)
		}
		if status != http.StatusTooManyRequests {
			if e.RetryAfter != 0 {
				t.Errorf("a %d waits %s", status, e.RetryAfter)
			}
			return
		}
		var said struct {
			After any `json:"retry_after"`
		}
		inBody, bodySays := 0.0, json.Unmarshal(body, &said) == nil
		if bodySays {
			inBody, bodySays = said.After.(float64)
		}
		inHeader, err := strconv.ParseFloat(after, 64)
		want := time.Second
		if bodySays {
			want = seconds(inBody)
		} else if err == nil {
			want = seconds(inHeader)
		}
		if e.RetryAfter != want {
			t.Errorf("it waits %s, want %s: %q %q", e.RetryAfter, want, after, body)
		}
	})
}

func TestAPIErrorNamesStatusAndCode(t *testing.T) {
	e := parseAPIError(&http.Response{StatusCode: 400, Header: http.Header{}}, []byte(`{"message":"Target user is not connected to voice.","code":40032}`))
	if want := "Discord answered 400 (code 40032): Target user is not connected to voice."; e.Error() != want || e.Code != CodeNotInVoice {
		t.Errorf("%s, code %s", e, fmt.Sprint(e.Code))
	}
}
