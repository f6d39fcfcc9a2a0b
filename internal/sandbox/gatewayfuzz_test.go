package sandbox

import (
	"encoding/json"
	"testing"
	"time"

	"splashtail/internal/gateway"
)

// FuzzGatewayFrame feeds frames of strangers to a connection, before and after IDENTIFY. Whatever comes, the connection is
// open or has a code that Discord knows, and all that it would be sent is JSON.
func FuzzGatewayFrame(f *testing.F) {
	for _, seed := range []string{
		`{"op":1,"d":null}`, `{"op":1,"d":251}`, `{"op":2,"d":{"token":"fuzz","intents":513,"properties":{"os":"x"},"shard":[0,1],"compress":true}}`,
		`{"op":2,"d":{"token":"Bot fuzz","intents":33281,"properties":{"$os":"x"},"large_threshold":250,"presence":{"activities":null}}}`,
		`{"op":3,"d":{"since":null,"activities":[{"name":"x","type":0}],"status":"online","afk":false}}`,
		`{"op":4,"d":{"guild_id":"1","channel_id":null,"self_mute":false,"self_deaf":false}}`,
		`{"op":6,"d":{"token":"fuzz","session_id":"x","seq":7}}`, `{"op":8,"d":{"guild_id":["1"],"query":"","limit":0}}`,
		`{"op":8,"d":{"guild_id":1,"user_ids":["1",2],"nonce":"n","presences":true}}`, `{"op":31,"d":{"guild_ids":["1"]}}`,
		`{"op":43,"d":{"guild_id":"1","fields":["status"]}}`, `{"op":99}`, `[]`, `{"op":1e3}`, `{"op":8,"d":{"guild_id":18446744073709551616}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := New(Config{Gateway: patient()})
		app := must(d.AddApplication(ApplicationSpec{Name: "bot", Token: "fuzz", MembersIntent: true, PresenceIntent: true, MessageContentIntent: true}))(t)
		owner := must(d.AddUser("Olga"))(t)
		guild := must(d.AddGuild("Skeld", owner))(t)
		if err := d.AddMember(guild, app.ID); err != nil {
			t.Fatal(err)
		}
		for _, first := range [][]byte{nil, rawJSON(map[string]any{"op": gateway.OpIdentify, "d": identity(app, allIntents)})} {
			c := &gatewayConn{version: 10, host: "x", wake: make(chan struct{}, 1), cut: func() {}}
			d.mu.Lock()
			if first != nil {
				d.received(c, first)
			}
			d.received(c, raw)
			due, _ := c.take(time.Now(), d.gateway.settings)
			d.mu.Unlock()
			if e := c.closing; e != nil && (e.code < gateway.CloseUnknown || e.code > gateway.CloseDisallowedIntents) {
				t.Errorf("closed with %d %s", e.code, e.reason)
			}
			for _, fr := range due {
				if b := fr.append(nil); !json.Valid(b) {
					t.Errorf("not JSON: %s", b)
				}
			}
		}
	})
}
