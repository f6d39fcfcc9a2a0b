package incident

import (
	"context"
	"maps"

	"splashtail/bus"
)

// StepThatIsForgotten does the next step as a process that dies before it can keep that.
func (k *Book) StepThatIsForgotten(ctx context.Context, guild bus.GuildID, id string) error {
	key := bus.IncidentKey(guild, id)
	before, err := k.all.Get(ctx, key)
	if err != nil {
		return err
	}
	before.Value.Undo.Made = maps.Clone(before.Value.Undo.Made)
	if err := k.Step(ctx, guild, id); err != nil {
		return err
	}
	_, err = k.all.Put(ctx, key, before.Value)
	return err
}

// Step does the next step as a process that has just begun, and no other.
func (k *Book) Step(ctx context.Context, guild bus.GuildID, id string) error {
	cut, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := k.load(cut, guild, id)
	if err != nil {
		return err
	}
	return r.next(cut, true)
}
