package broker

import (
	"context"
	"net/http"

	"github.com/zishang520/engine.io/v2/engine"
	"github.com/zishang520/engine.io/v2/transports"
	"github.com/zishang520/engine.io/v2/types"
)

// engineServer is the library's Engine.IO server with our transports.
type engineServer struct{ engine.Server }

func newEngineServer(opts any) *engineServer {
	s := &engineServer{engine.MakeServer()}
	s.Prototype(s)
	s.Construct(opts)
	return s
}

// CreateTransport is called by the library's handshake.
func (s *engineServer) CreateTransport(name string, ctx *types.HttpContext) (transports.Transport, error) {
	if t := ticketOf(ctx).transport; t != nil {
		return t, nil
	}
	return transports.NewPolling(ctx), nil // never JSONP, whatever the query says
}

// ticket travels with a request through the library, which has no other way to tell
// its callbacks what we know about it.
type ticket struct {
	addr      string       // of the client, as the door sees it
	admitted  bool         // counted as a connection of that address
	transport *wsTransport // of a websocket request
	sock      *sock        // what the handshake made
}

type ticketKey struct{}

func withTicket(r *http.Request, t *ticket) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), ticketKey{}, t))
}

func ticketOf(ctx *types.HttpContext) *ticket {
	if t, ok := ctx.Request().Context().Value(ticketKey{}).(*ticket); ok {
		return t
	}
	return &ticket{}
}
