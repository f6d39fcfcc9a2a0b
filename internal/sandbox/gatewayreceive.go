package sandbox

import (
	"encoding/json"
	"time"

	"splashtail/internal/gateway"
)

// received handles one frame of a client: the checks that all frames share, in Discord's order, then its opcode.
func (d *Discord) received(c *gatewayConn, raw []byte) {
	now, g := time.Now(), &d.gateway
	if c.closing != nil {
		return
	}
	if c.silent || g.faults.Silent {
		g.counts.Unheard++
		return
	}
	if c.overRate(now, g.settings.FramesPerMinute) {
		c.close(gateway.CloseRateLimited, "You are being rate limited.")
		return
	}
	var f struct {
		Op *int            `json:"op"`
		D  json.RawMessage `json:"d"`
	}
	if len(raw) > maxFrame || json.Unmarshal(raw, &f) != nil || f.Op == nil {
		c.close(gateway.CloseDecode, "Error while decoding payload.")
		return
	}
	d.receivedOp(c, *f.Op, f.D, now)
	if c.session != nil {
		c.session.received[*f.Op]++
	}
}

func (d *Discord) receivedOp(c *gatewayConn, op int, data json.RawMessage, now time.Time) {
	switch op {
	case gateway.OpHeartbeat:
		d.heartbeat(c, data, now)
		return
	case gateway.OpIdentify:
		d.identify(c, data, now)
		return
	case gateway.OpResume:
		d.resume(c, data, now)
		return
	}
	handle, known := map[int]func(*gatewayConn, json.RawMessage, time.Time) bool{
		gateway.OpPresenceUpdate: d.presence, gateway.OpVoiceStateUpdate: d.joinVoice, gateway.OpRequestGuildMembers: d.requestMembers,
		gateway.OpRequestSoundboard: d.requestSounds, gateway.OpRequestChannelInfo: d.requestChannelInfo,
	}[op]
	switch {
	case !known:
		c.close(gateway.CloseUnknownOpcode, "Unknown opcode.")
	case c.session == nil:
		c.close(gateway.CloseNotAuthenticated, "Not authenticated.")
	case !handle(c, data, now):
		c.close(gateway.CloseDecode, "Error while decoding payload.")
	}
}

// heartbeat is answered before IDENTIFY too. Its number is only checked for its type: Discord does not say more.
func (d *Discord) heartbeat(c *gatewayConn, data json.RawMessage, now time.Time) {
	var seq *uint64
	if len(data) > 0 && json.Unmarshal(data, &seq) != nil {
		c.close(gateway.CloseDecode, "Error while decoding payload.")
		return
	}
	c.beat = now
	d.gateway.counts.Heartbeats++
	if !d.gateway.faults.DropAcks {
		c.push(gateway.OpHeartbeatACK, nil)
	}
}

// appFor finds the application of a token, with "Bot " before it or not; nil when nobody has it.
func (d *Discord) appFor(token string) *application {
	if len(token) > 4 && token[:4] == "Bot " {
		token = token[4:]
	}
	if a := d.tokens[hashToken(token)]; a != nil && !a.revoked {
		return a
	}
	return nil
}
