package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"splashtail/internal/gateway"
)

// TestGatewayControl drives everything as another process would.
func TestGatewayControl(t *testing.T) {
	w := newGatewayWorld(t, patient())
	base := "http" + strings.TrimPrefix(w.url, "ws") + "/sandbox"
	call := func(method, path, body string, into any) int {
		t.Helper()
		req := must(http.NewRequest(method, base+path, strings.NewReader(body)))(t)
		resp := must(http.DefaultClient.Do(req))(t)
		defer resp.Body.Close()
		if into != nil {
			w.ok(json.NewDecoder(resp.Body).Decode(into))
		}
		return resp.StatusCode
	}
	c := w.dial("/?v=10")
	c.ready(identity(w.all, allIntents))
	c.event("GUILD_CREATE")
	var v gatewayView
	if code := call("GET", "/gateway", "", &v); code != 200 || v.Counts.Identifies != 1 || len(v.Sessions) != 1 || v.Sessions[0].ID != c.id ||
		v.Sessions[0].Received[gateway.OpIdentify] != 1 || v.Settings.IdentifyEveryMS >= 0 || v.Settings.KeepSessionMS != 180_000 {
		t.Errorf("%d %+v", code, v)
	}
	w.controlActions(c, call)
	var records []GatewayRecord
	if code := call("GET", "/gateway/records", "", &records); code != 200 || len(records) != 2 || records[0].Kind != GatewayIdentified ||
		records[1].Kind != GatewayClosed || records[1].Code != gateway.CloseUnknown {
		t.Errorf("records: %d %+v", code, records)
	}
}

func (w *gatewayWorld) controlActions(c *gatewayClient, call func(method, path, body string, into any) int) {
	t := w.t
	t.Helper()
	var n struct{ Sessions int }
	if code := call("POST", "/gateway/reconnect", `{"session":"`+c.id+`"}`, &n); code != 200 || n.Sessions != 1 {
		t.Errorf("reconnect: %d %+v", code, n)
	}
	c.expect(gateway.OpReconnect)
	burst := fmt.Sprintf(`{"guild_id":"%s","channel_id":"%s","author_id":"%s","count":3,"rate":1000,"window":10}`, w.guild, w.text, w.ana)
	if code := call("POST", "/burst", burst, nil); code != 204 {
		t.Errorf("burst: %d", code)
	}
	for range 3 {
		c.event("MESSAGE_CREATE")
	}
	if code := call("PUT", "/users/"+w.cat.String()+"/presence", `{"status":"idle"}`, nil); code != 204 {
		t.Errorf("presence: %d", code)
	}
	c.event("PRESENCE_UPDATE")
	for _, up := range []string{"true", "false"} {
		if code := call("PUT", "/guilds/"+w.guild.String()+"/outage", `{"unavailable":`+up+`}`, nil); code != 204 {
			t.Errorf("outage: %d", code)
		}
	}
	c.event("GUILD_DELETE")
	c.event("GUILD_CREATE")
	for action, body := range map[string]string{"nothing": "{}", "close": `{"code":5}`, "cut": `{"typo":1}`} {
		var e struct{ Error string }
		if code := call("POST", "/gateway/"+action, body, &e); code != 400 || e.Error == "" {
			t.Errorf("%s %s: %d %q", action, body, code, e.Error)
		}
	}
	if code := call("PUT", "/gateway/settings", `{"identify_every_ms":-1,"shards":7}`, nil); code != 204 || w.GatewaySettings().Shards != 7 {
		t.Errorf("settings: %d %+v", code, w.GatewaySettings())
	}
	if code := call("PUT", "/gateway/faults", `{"drop_acks":true}`, nil); code != 204 || !w.GatewayFaults().DropAcks {
		t.Errorf("faults: %d %+v", code, w.GatewayFaults())
	}
	call("POST", "/gateway/close", `{"code":4000}`, nil)
	if code := c.closed(); code != gateway.CloseUnknown {
		t.Errorf("closed with %d", code)
	}
}
