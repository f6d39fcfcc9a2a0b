// Package settings reads and writes what guilds have set about the bot.
package settings

import (
	"context"
	"slices"
	"time"

	"splashtail/bus"
)

// Store keeps nothing: what one process writes is in force in all with the next reading.
type Store struct {
	records *bus.Records[bus.GuildSettings]
}

// Open opens the store.
func Open(ctx context.Context, b *bus.Bus) (*Store, error) {
	r, err := bus.OpenRecords(ctx, b, bus.AllSettings())
	return &Store{r}, err
}

// Of gives a guild's settings; zero ones when it has set nothing.
func (s *Store) Of(ctx context.Context, g bus.GuildID) (bus.GuildSettings, error) {
	e, err := s.records.Get(ctx, g.String())
	if bus.IsCode(err, bus.CodeNotFound) {
		return bus.GuildSettings{}, nil
	}
	return e.Value, err
}

// Change reads a guild's settings, lets f change them and writes them; it begins again
// when somebody else wrote in between. An error of f ends it and is returned.
func (s *Store) Change(ctx context.Context, g bus.GuildID, by bus.UserID, f func(*bus.GuildSettings) error) error {
	for {
		e, err := s.records.Get(ctx, g.String())
		missing := bus.IsCode(err, bus.CodeNotFound)
		if err != nil && !missing {
			return err
		}
		v := e.Value
		v.Exempt = slices.Clone(v.Exempt)
		if err := f(&v); err != nil {
			return err
		}
		v.V, v.By, v.At = 1, by, time.Now().UTC()
		if missing {
			_, err = s.records.Create(ctx, g.String(), v)
		} else {
			_, err = s.records.Update(ctx, g.String(), v, e.Revision)
		}
		if !bus.IsCode(err, bus.CodeConflict) {
			return err
		}
	}
}

// Exempt says whether a guild trusts somebody with a kind of action at an instant.
func Exempt(v bus.GuildSettings, user string, roles []string, kind bus.ActionKind, at time.Time) bool {
	return slices.ContainsFunc(v.Exempt, func(e bus.Exemption) bool {
		who := e.User != "" && e.User == user || e.Role != "" && slices.Contains(roles, e.Role)
		return who && (e.Kind == "" || e.Kind == kind) && Running(e, at)
	})
}

// Running says whether an exemption has not ended at an instant.
func Running(e bus.Exemption, at time.Time) bool { return e.Until.IsZero() || at.Before(e.Until) }
