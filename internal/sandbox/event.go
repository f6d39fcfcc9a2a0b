package sandbox

// The payloads of gateway events that are not just an object of the API.

type roleEvent struct {
	GuildID ID       `json:"guild_id"`
	Role    wireRole `json:"role"`
}

type roleGoneEvent struct {
	GuildID ID `json:"guild_id"`
	RoleID  ID `json:"role_id"`
}

// memberEvent is GUILD_MEMBER_ADD and GUILD_MEMBER_UPDATE.
type memberEvent struct {
	GuildID ID `json:"guild_id"`
	wireMember
}

// memberGoneEvent is GUILD_MEMBER_REMOVE, and GUILD_BAN_ADD and GUILD_BAN_REMOVE, which look the same.
type memberGoneEvent struct {
	GuildID ID       `json:"guild_id"`
	User    wireUser `json:"user"`
}

type auditEvent struct {
	wireAudit
	GuildID ID `json:"guild_id"`
}

type webhooksEvent struct {
	GuildID   ID `json:"guild_id"`
	ChannelID ID `json:"channel_id"`
}

type inviteGoneEvent struct {
	ChannelID ID     `json:"channel_id"`
	GuildID   ID     `json:"guild_id"`
	Code      string `json:"code"`
}

// messageEvent is MESSAGE_CREATE and MESSAGE_UPDATE: in a guild with the author's membership.
type messageEvent struct {
	wireMessage
	GuildID ID          `json:"guild_id,omitzero"`
	Member  *wirePartly `json:"member,omitempty"`
}

// wirePartly is a member without its user.
type wirePartly struct {
	wireMember
	User struct{} `json:"user,omitzero"`
}

type messageGoneEvent struct {
	ID        ID `json:"id"`
	ChannelID ID `json:"channel_id"`
	GuildID   ID `json:"guild_id,omitzero"`
}

type messagesGoneEvent struct {
	IDs       []ID `json:"ids"`
	ChannelID ID   `json:"channel_id"`
	GuildID   ID   `json:"guild_id"`
}

// memberChanged tells that a member is not as before.
func (d *Discord) memberChanged(g *guild, m *member) {
	d.emit(g.id, "GUILD_MEMBER_UPDATE", memberEvent{g.id, newWireMember(m)})
}
