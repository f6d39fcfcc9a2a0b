package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/coder/websocket"
)

// TestMembersThroughTheProxy: a bot asks our gateway for the members of a guild, Discord answers, and the answer comes back
// under the bot's own name for its question.
func TestMembersThroughTheProxy(t *testing.T) {
	w := newGatewayWorld(t)
	s := onFreePorts(t).with(w.discord)
	start(t, "gatewayproxy", s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+s["GATEWAYPROXY_ADDR"]+"/?v=10&encoding=json", nil)
	noError(t, err)
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(-1)
	say := func(format string, args ...any) {
		t.Helper()
		noError(t, ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, format, args...)))
	}
	await := func(event string) json.RawMessage {
		t.Helper()
		for {
			_, text, err := ws.Read(ctx)
			noError(t, err)
			var f struct {
				T string
				D json.RawMessage
			}
			noError(t, json.Unmarshal(text, &f))
			if f.T == event {
				return f.D
			}
		}
	}
	say(`{"op":2,"d":{"token":"Bot %s","intents":3,"properties":{}}}`, s["DISCORD_BOT_TOKEN"])
	await("GUILD_CREATE")
	say(`{"op":8,"d":{"guild_id":[%d],"query":"","limit":0,"nonce":"mine"}}`, w.burst.Guild)
	var chunk struct {
		Guild   string `json:"guild_id"`
		Nonce   string
		Members []json.RawMessage
	}
	noError(t, json.Unmarshal(await("GUILD_MEMBERS_CHUNK"), &chunk))
	if chunk.Nonce != "mine" || chunk.Guild != fmt.Sprint(w.burst.Guild) || len(chunk.Members) != 2 {
		t.Errorf("the answer is %+v", chunk)
	}
}
