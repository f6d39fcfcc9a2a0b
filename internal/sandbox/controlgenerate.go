package sandbox

import (
	"fmt"
	"net/http"
)

// The part of the control surface that makes guilds, damages them and says what is in them.

// generateWish is a GuildSpec: one of the usual sizes, with numbers of its own where they are not zero.
type generateWish struct {
	Seed     uint64 `json:"seed"`
	Size     string `json:"size"` // small, medium or large
	Name     string `json:"name"`
	Bot      ID     `json:"bot"`
	Messages int    `json:"messages"`
}

func (d *Discord) controlGenerate(_ *http.Request, q generateWish) (any, error) {
	var s GuildSpec
	switch q.Size {
	case "small":
		s = SmallGuild(q.Seed)
	case "medium":
		s = MediumGuild(q.Seed)
	case "large":
		s = LargeGuild(q.Seed)
	default:
		return nil, fmt.Errorf("sandbox: size %.20q is none of small, medium and large; no guild was made", q.Size)
	}
	s.Name, s.Bot = q.Name, q.Bot
	if q.Messages != 0 {
		s.Messages = q.Messages
	}
	return d.Generate(s)
}

type wreckWish struct {
	Seed     uint64  `json:"seed"`
	Actor    ID      `json:"actor"`
	Delete   float64 `json:"delete"`
	Change   float64 `json:"change"`
	Add      float64 `json:"add"`
	Members  bool    `json:"members"`
	Messages bool    `json:"messages"`
}

func (d *Discord) controlWreck(r *http.Request, q wreckWish) (any, error) {
	g, err := ParseID(r.PathValue("guild"))
	if err != nil {
		return nil, err
	}
	return d.Wreck(g, Wreckage(q))
}

func (d *Discord) controlHistory(r *http.Request, _ struct{}) (any, error) {
	g, err := ParseID(r.PathValue("guild"))
	if err != nil {
		return nil, err
	}
	h, ok := d.History(g)
	if !ok {
		return nil, fmt.Errorf("sandbox: no guild %s", g)
	}
	return h, nil
}
