package gatewayproxy

import (
	"context"
	"encoding/json"
)

// AskMembers asks for members as the guilds do some time after a session has begun.
func (p *Proxy) AskMembers(ctx context.Context, shard int, request json.RawMessage) error {
	return p.askMembers(ctx, shard, request)
}
