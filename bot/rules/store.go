package rules

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"splashtail/bus"
)

// Store reads and writes the limits of guilds. It keeps nothing.
type Store struct {
	records *bus.Records[bus.LimitRule]
}

// Open opens the store.
func Open(ctx context.Context, b *bus.Bus) (*Store, error) {
	r, err := bus.OpenRecords(ctx, b, bus.LimitRules())
	return &Store{r}, err
}

// ErrFull is that a guild has bus.MaxLimits limits.
var ErrFull = bus.Errorf(bus.CodeInvalid, "too_many", "a guild can have at most %d limits; the limit was not kept", bus.MaxLimits)

// Of lists a guild's limits by name.
func (s *Store) Of(ctx context.Context, g bus.GuildID) ([]bus.LimitRule, error) {
	all, err := s.records.All(ctx, g.String()+".>")
	if err != nil {
		return nil, err
	}
	out := make([]bus.LimitRule, len(all))
	for i, e := range all {
		out[i] = e.Value
	}
	slices.SortFunc(out, func(a, b bus.LimitRule) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Add keeps a new limit. Errors: ErrFull, those of LimitRule.Check, CodeConflict when its
// id is taken.
func (s *Store) Add(ctx context.Context, g bus.GuildID, r bus.LimitRule) error {
	r.V, r.At = 1, time.Now().UTC()
	if err := r.Check(); err != nil {
		return err
	}
	revision, err := s.records.Create(ctx, bus.LimitKey(g, r.ID), r)
	if err != nil {
		return err
	}
	// Counted afterwards, so that two who add at the same time cannot both take the last place.
	all, err := s.Of(ctx, g)
	if err != nil || len(all) <= bus.MaxLimits {
		return err
	}
	if err := s.records.Delete(ctx, bus.LimitKey(g, r.ID), revision); err != nil {
		return err
	}
	return ErrFull
}

// Change reads a limit, lets f change it and writes it; it begins again when somebody else
// wrote in between. Errors: CodeNotFound, those of f and of LimitRule.Check.
func (s *Store) Change(ctx context.Context, g bus.GuildID, id string, by bus.UserID, f func(*bus.LimitRule) error) error {
	for {
		e, err := s.records.Get(ctx, bus.LimitKey(g, id))
		if err != nil {
			return err
		}
		r := e.Value
		if err := f(&r); err != nil {
			return err
		}
		r.V, r.ID, r.By, r.At = 1, id, by, time.Now().UTC()
		if err := r.Check(); err != nil {
			return err
		}
		_, err = s.records.Update(ctx, e.Key, r, e.Revision)
		if !bus.IsCode(err, bus.CodeConflict) {
			return err
		}
	}
}

// Remove takes a limit away. Its last state names who did, so that the record's history
// tells. Errors: CodeNotFound.
func (s *Store) Remove(ctx context.Context, g bus.GuildID, id string, by bus.UserID) error {
	for {
		e, err := s.records.Get(ctx, bus.LimitKey(g, id))
		if err != nil {
			return err
		}
		r := e.Value
		r.By, r.At = by, time.Now().UTC()
		revision, err := s.records.Update(ctx, e.Key, r, e.Revision)
		if err == nil {
			err = s.records.Delete(ctx, e.Key, revision)
		}
		if !bus.IsCode(err, bus.CodeConflict) {
			return err
		}
	}
}

// newID makes an id that no other limit has.
func newID() string { return "l" + strings.ToLower(rand.Text()[:11]) }

// find gives the limit that is meant by an id or, in any case, a name that only one has.
func find(all []bus.LimitRule, text string) (bus.LimitRule, bool) {
	var named []bus.LimitRule
	for _, r := range all {
		if r.ID == text {
			return r, true
		}
		if strings.EqualFold(r.Name, text) {
			named = append(named, r)
		}
	}
	if len(named) != 1 {
		return bus.LimitRule{}, false
	}
	return named[0], true
}
