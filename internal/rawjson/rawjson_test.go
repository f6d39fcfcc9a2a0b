package rawjson_test

import (
	"encoding/json"
	"slices"
	"testing"

	"splashtail/internal/rawjson"
)

// FuzzReadsWhatEncodingJSONReads holds both readers against each other: the same members
// with the same bytes, whatever stands in the input.
func FuzzReadsWhatEncodingJSONReads(f *testing.F) {
	for _, seed := range []string{
		`{"t":"A","s":1,"op":0,"d":{"guild_id":"7","x":[1,{"guild_id":"8"}]}}`,
		` { "a\u0062" : "}\\\"]" , "a": null, "a": -1.5e3 } `,
		`[1, "2", [3], {"4":5}, true , null]`, `"\\"`, `{}`, `[]`, `7`, `{"a"`, `{"a":`, `["`, `{"a":1,}`, `[,]`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := map[string]json.RawMessage{}
		for k, v := range rawjson.Fields(data) {
			got[k] = v
		}
		var list []json.RawMessage
		for v := range rawjson.Elements(data) {
			list = append(list, v)
			_ = rawjson.Text(v)
		}
		if !json.Valid(data) {
			return // it has not panicked and has ended
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) == nil && len(want) > 0 {
			for k, v := range want {
				// Bytes that are no UTF-8 inside a key are replaced by the one and kept by the other.
				if g, ok := got[k]; ok && string(g) != string(v) {
					t.Errorf("%q: %q, want %q", k, g, v)
				} else if !ok && !slices.ContainsFunc([]rune(k), func(r rune) bool { return r == '\uFFFD' }) {
					t.Errorf("%q is missing", k)
				}
			}
		}
		var elements []json.RawMessage
		if json.Unmarshal(data, &elements) == nil && len(elements) != len(list) {
			t.Fatalf("%d elements, want %d", len(list), len(elements))
		}
		for i, e := range elements {
			if string(e) != string(list[i]) {
				t.Errorf("element %d: %q, want %q", i, list[i], e)
			}
		}
	})
}

func TestTextTakesBothFormsOfAnID(t *testing.T) {
	for in, want := range map[string]string{`"812345678901234567"`: "812345678901234567", `812345678901234567`: "812345678901234567", `null`: "", `{}`: "", ``: "", `"a\nb"`: "a\nb", `true`: ""} {
		if got := rawjson.Text(json.RawMessage(in)); got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}
