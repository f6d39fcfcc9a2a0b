package downstream

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"splashtail/internal/gateway"
)

// FuzzFrames gives the readers what strangers may send: none panics, what is passed on to
// Discord is a JSON object of few bytes, and an IDENTIFY that is taken makes sense.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{
		`{"op":2,"d":{"token":"Bot x","intents":"513","shard":["0",1],"presence":{"game":{"name":"x"},"status":""}}}`,
		`{"op":8,"d":{"guild_id":["1",2],"user_ids":"3","limit":"7","query":"\u0000","nonce":"n"}}`,
		`{"op":3,"d":{"since":1e99,"activities":[{"name":"a"}],"status":"dnd"}}`,
		`{"op":6,"d":{"token":"x","session_id":"y","seq":18446744073709551616}}`,
		`{"op":1,"d":null}`, `[]`, `{"op":{},"d":`, `{"op":4,"d":{"guild_id":null,"guild_id":"1","self_mute":"true"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := readFrame(data)
		if err != nil {
			return
		}
		if id, refused := readIdentify(fr.d); refused == nil && (id.shard < 0 || id.shard >= id.shards || id.intents&^gateway.KnownIntents != 0) {
			t.Errorf("%s was taken as %+v", data, id)
		} else if refused != nil && (len(refused.reason) > 123 || refused.code < 4000) {
			t.Errorf("%d %q", refused.code, refused.reason)
		}
		readResume(fr.d)
		if ids, err := guildIDs(fr.d); err == nil && len(ids) > maxGuildsOnce {
			t.Errorf("%d guilds", len(ids))
		}
		passed, _, err := readMembers(fr.d)
		checkPassed(t, passed, err)
		p, err := readPresence(fr.d)
		checkPassed(t, p, err)
		if out := redactMessage(fr.d, selfID, false); len(fr.d) > 0 && !json.Valid(out) {
			t.Errorf("%s became %s", fr.d, out)
		}
	})
}

func checkPassed(t *testing.T, passed []byte, err error) {
	t.Helper()
	if err != nil {
		return
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(passed, &object) != nil {
		t.Errorf("passed on would be %s", passed)
	}
}

// FuzzQueries gives the address that a bot connects to: what is taken is a version, an
// encoding and a compression that we have.
func FuzzQueries(f *testing.F) {
	for _, s := range []string{"v=10&encoding=json", "encoding=json&v=9&compress=zlib-stream", "%", "v=10;x", "compress=zstd-stream&compress=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = &url.URL{Path: "/", RawQuery: query}
		r.Header.Set("Upgrade", "websocket")
		w, no := readWish(r)
		if no == nil && (w.version != 9 && w.version != 10 || w.compress != plain && w.compress != zlibStream && w.compress != zstdStream) {
			t.Errorf("%q was taken as %+v", query, w)
		}
		if no != nil && (no.status < 400 || strings.TrimSpace(no.text) == "") {
			t.Errorf("%+v", no)
		}
	})
}
