package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Person is a user who acts in the app: whatever it does has the same checks, audit entries and events as a call of a bot,
// but no rate limit, no place in the log of requests, and no token.
type Person struct {
	d      *Discord
	user   ID
	reason string
}

// As lets a user, or a bot that a script drives, act.
func (d *Discord) As(user ID) Person { return Person{d: d, user: user} }

// Because gives the reason that the audit log shows for what follows.
func (p Person) Because(reason string) Person {
	p.reason = reason
	return p
}

// Refusal is Discord's no to what a person tried. Nothing was changed.
type Refusal struct {
	Status  int    `json:"status"`  // of HTTP
	Code    int    `json:"code"`    // Discord's error code
	Message string `json:"message"` // Discord's text
	Body    string `json:"body"`    // the whole answer
	What    string `json:"what"`    // method and path
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("sandbox: %s was refused with %d: %s", r.What, r.Code, r.Body)
}

// Do runs one route of the API as the person: a method, a path below /api/vN with its query, and a body that becomes JSON
// (nil: none). The answer is what a bot would get; the error is a *Refusal when Discord says no.
func (p Person) Do(method, path string, body any) (json.RawMessage, error) {
	what := method + " " + path
	at, rawQuery, _ := strings.Cut(path, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %s: %w; nothing was done", what, err)
	}
	c := &call{d: p.d, method: method, path: at, query: query, rawReason: url.PathEscape(p.reason), contentType: "application/json"}
	if body != nil {
		if c.body, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("sandbox: %s: %w; nothing was done", what, err)
		}
	}
	if c.route, c.params, _ = c.d.findRoute(method, at); c.route == nil {
		return nil, fmt.Errorf("sandbox: Discord has no %s here; nothing was done", what)
	}
	return p.run(c, what)
}

func (p Person) run(c *call, what string) (json.RawMessage, error) {
	d := p.d
	d.mu.Lock()
	defer d.mu.Unlock()
	c.at, c.now = time.Now(), time.Now()
	if c.app = d.apps[p.user]; c.app != nil {
		c.token = c.app.hash
	}
	c.guild, c.target = c.pathID("guild_id"), c.pathID("user_id")
	if c.me = d.users[p.user]; c.me == nil && !c.route.open {
		return nil, fmt.Errorf("sandbox: no user %s to act; %s was not done", p.user, what)
	}
	value, refused := c.run()
	if refused != nil {
		text := string(rawJSON(refused))
		return nil, &Refusal{refused.status, refused.Code, refused.Message, text, what}
	}
	d.changed()
	if r, ok := value.(result); ok {
		value = r.value
	}
	return json.Marshal(value)
}

// made runs a route that makes something and gives its id.
func (p Person) made(method, path string, body any) (ID, error) {
	raw, err := p.Do(method, path, body)
	if err != nil {
		return 0, err
	}
	var made idKey
	err = json.Unmarshal(raw, &made)
	return made.ID, err
}

// done runs a route whose answer does not matter.
func (p Person) done(method, path string, body any) error {
	_, err := p.Do(method, path, body)
	return err
}

func guildPath(guild ID, rest ...string) string {
	return "/guilds/" + guild.String() + strings.Join(rest, "")
}
func channelPath(channel ID, rest ...string) string {
	return "/channels/" + channel.String() + strings.Join(rest, "")
}

// Fields are keys of a request body, called as Discord calls them.
type Fields map[string]any

// CreateChannel makes a channel of a type, in a category or, with zero, in none.
func (p Person) CreateChannel(guild ID, name string, kind int, parent ID) (ID, error) {
	return p.made("POST", guildPath(guild, "/channels"), Fields{"name": name, "type": kind, "parent_id": nullableID(parent)})
}

// EditChannel changes keys of a channel.
func (p Person) EditChannel(channel ID, change Fields) error {
	return p.done("PATCH", channelPath(channel), change)
}

// DeleteChannel deletes a channel with everything in it.
func (p Person) DeleteChannel(channel ID) error { return p.done("DELETE", channelPath(channel), nil) }

// EditOverwrite sets what a role (kind 0) or a member (kind 1) may do in a channel.
func (p Person) EditOverwrite(channel, target ID, kind int, o Overwrite) error {
	body := Fields{"type": kind, "allow": o.Allow, "deny": o.Deny}
	return p.done("PUT", channelPath(channel, "/permissions/", target.String()), body)
}

// DeleteOverwrite takes away what EditOverwrite set.
func (p Person) DeleteOverwrite(channel, target ID) error {
	return p.done("DELETE", channelPath(channel, "/permissions/", target.String()), nil)
}

// CreateRole makes a role at the bottom.
func (p Person) CreateRole(guild ID, name string, permissions Permissions) (ID, error) {
	return p.made("POST", guildPath(guild, "/roles"), Fields{"name": name, "permissions": permissions})
}

// EditRole changes keys of a role.
func (p Person) EditRole(guild, role ID, change Fields) error {
	return p.done("PATCH", guildPath(guild, "/roles/", role.String()), change)
}

// DeleteRole deletes a role.
func (p Person) DeleteRole(guild, role ID) error {
	return p.done("DELETE", guildPath(guild, "/roles/", role.String()), nil)
}

// AddRole gives a member a role.
func (p Person) AddRole(guild, member, role ID) error {
	return p.done("PUT", guildPath(guild, "/members/", member.String(), "/roles/", role.String()), nil)
}

// RemoveRole takes a role from a member.
func (p Person) RemoveRole(guild, member, role ID) error {
	return p.done("DELETE", guildPath(guild, "/members/", member.String(), "/roles/", role.String()), nil)
}

// EditMember changes keys of a member: nick, roles, mute, deaf, channel_id, communication_disabled_until.
func (p Person) EditMember(guild, member ID, change Fields) error {
	return p.done("PATCH", guildPath(guild, "/members/", member.String()), change)
}

// Kick takes a member out.
func (p Person) Kick(guild, member ID) error {
	return p.done("DELETE", guildPath(guild, "/members/", member.String()), nil)
}

// Ban bans a user and deletes what it wrote within wipe.
func (p Person) Ban(guild, user ID, wipe time.Duration) error {
	return p.done("PUT", guildPath(guild, "/bans/", user.String()), Fields{"delete_message_seconds": int(wipe / time.Second)})
}

// Unban lifts a ban.
func (p Person) Unban(guild, user ID) error {
	return p.done("DELETE", guildPath(guild, "/bans/", user.String()), nil)
}

// Prune kicks everybody without a role who was away that many days.
func (p Person) Prune(guild ID, days int) error {
	return p.done("POST", guildPath(guild, "/prune"), Fields{"days": days})
}

// EditGuild changes keys of a guild.
func (p Person) EditGuild(guild ID, change Fields) error {
	return p.done("PATCH", guildPath(guild), change)
}

// CreateWebhook makes a webhook and gives its id and token.
func (p Person) CreateWebhook(channel ID, name string) (ID, string, error) {
	raw, err := p.Do("POST", channelPath(channel, "/webhooks"), Fields{"name": name})
	if err != nil {
		return 0, "", err
	}
	var w struct {
		ID    ID
		Token string
	}
	err = json.Unmarshal(raw, &w)
	return w.ID, w.Token, err
}

// DeleteWebhook deletes a webhook.
func (p Person) DeleteWebhook(webhook ID) error {
	return p.done("DELETE", "/webhooks/"+webhook.String(), nil)
}

// CreateInvite makes an invite to a channel and gives its code.
func (p Person) CreateInvite(channel ID) (string, error) {
	raw, err := p.Do("POST", channelPath(channel, "/invites"), Fields{"max_age": 0})
	if err != nil {
		return "", err
	}
	var i struct{ Code string }
	err = json.Unmarshal(raw, &i)
	return i.Code, err
}

// Send writes a message.
func (p Person) Send(channel ID, text string) (ID, error) {
	return p.made("POST", channelPath(channel, "/messages"), Fields{"content": text})
}

// DeleteMessage deletes a message.
func (p Person) DeleteMessage(channel, message ID) error {
	return p.done("DELETE", channelPath(channel, "/messages/", message.String()), nil)
}

// Leave leaves a guild.
func (p Person) Leave(guild ID) error { return p.done("DELETE", "/users/@me"+guildPath(guild), nil) }

// RunWebhook sends a message as a webhook, as whoever has its token can.
func (d *Discord) RunWebhook(webhook ID, token, text string) (ID, error) {
	return Person{d: d}.made("POST", "/webhooks/"+webhook.String()+"/"+token+"?wait=true", Fields{"content": text})
}
