package incident

import (
	"context"

	"splashtail/bus"
)

// Follow opens an incident for every hit of a limit, until ctx ends. Errors: the bus cannot be used.
func (k *Book) Follow(ctx context.Context) error {
	return bus.Consume(ctx, k.b, bus.Durable{Name: "bot-incidents", Workers: 4}, bus.AllLimitHits(),
		func(d bus.Delivery[bus.LimitHit]) string { return d.Value.Guild.String() },
		func(ctx context.Context, d bus.Delivery[bus.LimitHit]) error {
			_, err := k.OfHit(ctx, d.Value)
			return err
		})
}
