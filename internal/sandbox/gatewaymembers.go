package sandbox

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"splashtail/internal/gateway"
)

const (
	membersPerChunk = 1000
	// maxMembersAsked is how many members a search or a list of ids gives at most.
	maxMembersAsked = 100
	maxNonce        = 32 // bytes; a longer one is ignored
)

// membersKey names the requests that share a limit.
type membersKey struct{ app, guild ID }

// requestMembers is op 8 as it comes: ids as text, numbers or lists, by library.
type requestMembers struct {
	Guild     json.RawMessage `json:"guild_id"`
	Query     *string         `json:"query"`
	Limit     *int            `json:"limit"`
	Presences bool            `json:"presences"`
	Users     json.RawMessage `json:"user_ids"`
	Nonce     *string         `json:"nonce"`
}

// membersChunk is one answer of several to op 8.
type membersChunk struct {
	GuildID   ID             `json:"guild_id"`
	Members   []wireMember   `json:"members"`
	Index     int            `json:"chunk_index"`
	Count     int            `json:"chunk_count"`
	NotFound  []ID           `json:"not_found,omitempty"`
	Presences []wirePresence `json:"presences,omitempty"`
	Nonce     *string        `json:"nonce,omitempty"`
}

// requestMembers answers with chunks. All members need the members intent, presences the presence intent; Discord does not
// say what happens without them, so the sandbox does the loud thing and closes with 4014.
func (d *Discord) requestMembers(c *gatewayConn, data json.RawMessage, now time.Time) bool {
	var q requestMembers
	if json.Unmarshal(data, &q) != nil {
		return false
	}
	guildIDs, ok := someIDs(q.Guild)
	users, usersOK := someIDs(q.Users)
	if !ok || len(guildIDs) != 1 || !usersOK || q.Query == nil && users == nil || q.Query != nil && users != nil {
		return false
	}
	s, g := c.session, d.guilds[guildIDs[0]]
	if !s.sees(g) {
		return true
	}
	if q.Nonce != nil && len(*q.Nonce) > maxNonce {
		q.Nonce = nil
	}
	limit := 0
	if q.Limit != nil {
		limit = *q.Limit
	}
	all := q.Query != nil && *q.Query == "" && limit == 0
	if all && s.intents&IntentGuildMembers == 0 || q.Presences && s.intents&IntentGuildPresences == 0 {
		c.close(gateway.CloseDisallowedIntents, "Disallowed intent(s).")
		return true
	}
	if all && !d.mayList(s, g, q.Nonce, now) {
		return true
	}
	chunk := membersChunk{GuildID: g.id, Nonce: q.Nonce}
	var found []*member
	if users != nil {
		found, chunk.NotFound = g.membersByID(users)
	} else {
		found = g.membersByPrefix(*q.Query, limit, all)
	}
	d.sendChunks(s, chunk, found, q.Presences)
	return true
}

// someIDs reads one id or a list of them; absent is none.
func someIDs(raw json.RawMessage) ([]ID, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, true
	}
	items := []json.RawMessage{raw}
	if bytes.HasPrefix(raw, []byte("[")) && json.Unmarshal(raw, &items) != nil {
		return nil, false
	}
	ids := make([]ID, 0, len(items))
	for _, item := range items {
		id, ok := snowflake(item)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// mayList allows one request for all members of a guild per bot and wait; another gets RATE_LIMITED.
func (d *Discord) mayList(s *gatewaySession, g *guild, nonce *string, now time.Time) bool {
	key, wait := membersKey{s.app.user.id, g.id}, d.gateway.settings.MembersEvery
	if until := d.gateway.asked[key].Add(wait); wait > 0 && now.Before(until) {
		type meta struct {
			GuildID ID      `json:"guild_id"`
			Nonce   *string `json:"nonce,omitempty"`
		}
		s.add("RATE_LIMITED", rawJSON(struct {
			Op         int     `json:"opcode"`
			RetryAfter float64 `json:"retry_after"` // s
			Meta       meta    `json:"meta"`
		}{gateway.OpRequestGuildMembers, until.Sub(now).Seconds(), meta{g.id, nonce}}))
		return false
	}
	d.gateway.asked[key] = now
	return true
}

func (g *guild) membersByID(ids []ID) (found []*member, missing []ID) {
	for _, id := range ids[:min(len(ids), maxMembersAsked)] {
		if m := g.members[id]; m != nil {
			found = append(found, m)
		} else {
			missing = append(missing, id)
		}
	}
	return found, missing
}

// membersByPrefix compares with names and nicknames, in the order of ids.
func (g *guild) membersByPrefix(prefix string, limit int, all bool) []*member {
	if limit <= 0 || limit > maxMembersAsked {
		limit = maxMembersAsked
	}
	prefix = strings.ToLower(prefix)
	var found []*member
	for _, id := range sortedIDs(g.members) {
		m := g.members[id]
		if !all && len(found) >= limit {
			break
		}
		for _, name := range []string{m.user.name, m.user.globalName, m.nick} {
			if strings.HasPrefix(strings.ToLower(name), prefix) {
				found = append(found, m)
				break
			}
		}
	}
	return found
}

// sendChunks splits an answer; one without members is one empty chunk.
func (d *Discord) sendChunks(s *gatewaySession, chunk membersChunk, found []*member, presences bool) {
	chunk.Count = max((len(found)+membersPerChunk-1)/membersPerChunk, 1)
	for i := range chunk.Count {
		part := found[i*membersPerChunk : min((i+1)*membersPerChunk, len(found))]
		chunk.Index, chunk.Members, chunk.Presences = i, make([]wireMember, 0, len(part)), nil
		for _, m := range part {
			chunk.Members = append(chunk.Members, newWireMember(m))
			if p, online := d.gateway.presences[m.user.id]; online && presences {
				chunk.Presences = append(chunk.Presences, newWirePresence(chunk.GuildID, m.user.id, p))
			}
		}
		s.add("GUILD_MEMBERS_CHUNK", rawJSON(chunk))
		chunk.NotFound = nil
	}
}
