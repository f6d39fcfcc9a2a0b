package access

import (
	"context"
	"slices"
	"strings"
	"time"

	"splashtail/bus"
)

// Store reads and writes what guilds have set. It keeps nothing, so that what one process
// writes is in force in all of them with the next command.
type Store struct{ records *bus.Records[bus.Access] }

// Open opens the store.
func Open(ctx context.Context, b *bus.Bus) (*Store, error) {
	r, err := bus.OpenRecords(ctx, b, bus.Accesses())
	return &Store{r}, err
}

// Levels reads what a guild has set about a command and those it is part of, the command
// itself first. Errors: the bus cannot be read; nothing may be run then.
func (s *Store) Levels(ctx context.Context, g bus.GuildID, command string) ([]Level, error) {
	var out []Level
	for name := command; name != ""; name = parent(name) {
		e, err := s.records.Get(ctx, bus.AccessKey(g, name))
		switch {
		case bus.IsCode(err, bus.CodeNotFound):
		case err != nil:
			return nil, err
		default:
			out = append(out, Level{name, e.Value})
		}
	}
	return out, nil
}

func parent(command string) string {
	i := strings.LastIndexByte(command, ' ')
	return command[:max(i, 0)]
}

// ErrFull is that a list has reached its bound.
var ErrFull = bus.Errorf(bus.CodeInvalid, "too_many", "a command can name at most %d users and roles; nothing was changed", bus.MaxGrantees)

// Change reads a setting, lets change it and writes it; it begins again when somebody
// else wrote in between.
func (s *Store) Change(ctx context.Context, g bus.GuildID, command string, by bus.UserID, f func(*bus.Access)) error {
	key := bus.AccessKey(g, command)
	for {
		e, err := s.records.Get(ctx, key)
		missing := bus.IsCode(err, bus.CodeNotFound)
		if err != nil && !missing {
			return err
		}
		v := e.Value
		f(&v)
		v.V, v.By, v.At = 1, by, time.Now().UTC()
		switch {
		case len(v.Allow) > bus.MaxGrantees || len(v.Deny) > bus.MaxGrantees:
			return ErrFull
		case missing:
			_, err = s.records.Create(ctx, key, v)
		default:
			_, err = s.records.Update(ctx, key, v, e.Revision)
		}
		if !bus.IsCode(err, bus.CodeConflict) {
			return err
		}
	}
}

// Name puts somebody on one list and takes them off the other.
func Name(set *bus.Access, who bus.Grantee, allow bool) {
	same := func(g bus.Grantee) bool { return g == who }
	set.Allow, set.Deny = slices.DeleteFunc(set.Allow, same), slices.DeleteFunc(set.Deny, same)
	if allow {
		set.Allow = append(set.Allow, who)
	} else {
		set.Deny = append(set.Deny, who)
	}
}

// Reset removes what a guild has set about a command.
func (s *Store) Reset(ctx context.Context, g bus.GuildID, command string) error {
	err := s.records.Delete(ctx, bus.AccessKey(g, command), 0)
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	return err
}
