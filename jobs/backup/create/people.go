package create

import (
	"context"
	"fmt"

	"splashtail/bus"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// foundPeople is what the step people has found.
type foundPeople struct {
	Bans    []model.Ban    `json:"bans"`
	Members []model.Member `json:"members"`
	Report  report         `json:"report"`

	size int // of what the list that is being read takes in the archive, in bytes
}

// full says whether a backup holds no more of a list.
func (f *foundPeople) full(count int, lim Limits) bool {
	return count >= lim.People || f.size >= peopleBytes
}

// peopleBytes bounds bans, and members, in the archive: readers bound all of its structure.
const peopleBytes = 4 << 20

// peoplePage is how many bans or members Discord gives at once.
const peoplePage = 1000

// people reads bans, and who has which roles when that is asked for.
func (k *taking) people(ctx context.Context) error {
	var s found
	if err := k.load(ctx, "server", &s); err != nil {
		return err
	}
	var f foundPeople
	read := func(name, part, lacks string, one func(context.Context, string) (int, model.ID, error), count func() int) error {
		switch {
		case !k.wants(part):
			f.Report.not(name, leftOut)
			return nil
		case lacks != "":
			f.Report.not(name, lacks)
			return nil
		}
		k.r.Say(work.Info, "Reading %s", name)
		f.size = 0
		return k.allPeople(ctx, &f, name, one, count)
	}
	if err := read("bans", bus.PartBans, s.CanBans, f.bansAfter(k), func() int { return len(f.Bans) }); err != nil {
		return err
	}
	if err := read("members", bus.PartMembers, s.CanMembers, f.membersAfter(k), func() int { return len(f.Members) }); err != nil {
		return err
	}
	return k.keep(ctx, "people", f)
}

// allPeople reads page by page, in order of user ids, as many as a backup holds.
func (k *taking) allPeople(ctx context.Context, f *foundPeople, name string, one func(context.Context, string) (int, model.ID, error), count func() int) error {
	after := model.ID("")
	for {
		var n int
		last := after
		err := call(ctx, func(ctx context.Context) (err error) { n, last, err = one(ctx, string(after)); return err })
		if why, ok := refusal(err); ok {
			f.Report.not(name, why)
			return nil
		}
		if err != nil {
			return err
		}
		k.r.Progress(count(), 0)
		switch {
		case f.full(count(), k.lim) && n == peoplePage:
			f.Report.kept(name, count(), fmt.Sprintf("only the first %d: a backup holds no more", count()))
			return nil
		case n < peoplePage || !after.Before(last):
			f.Report.kept(name, count(), "")
			return nil
		}
		after = last
	}
}

// bansAfter reads one page of bans: how many there were and the last user's id.
func (f *foundPeople) bansAfter(k *taking) func(context.Context, string) (int, model.ID, error) {
	return func(ctx context.Context, after string) (int, model.ID, error) {
		var list []wireBan
		if err := k.t.Bot.ReadBans(ctx, k.guild, after, peoplePage, &list); err != nil || len(list) == 0 {
			return 0, "", err
		}
		for _, b := range list {
			if model.ID(after).Before(b.User.ID) && !f.full(len(f.Bans), k.lim) {
				f.size += 60
				if b.Reason != nil {
					f.size += len(*b.Reason)
				}
				f.Bans = append(f.Bans, model.Ban{User: b.User.ID, Reason: b.Reason})
			}
		}
		return len(list), list[len(list)-1].User.ID, nil
	}
}

// membersAfter reads one page of members; those without roles and nickname have nothing to keep.
func (f *foundPeople) membersAfter(k *taking) func(context.Context, string) (int, model.ID, error) {
	return func(ctx context.Context, after string) (int, model.ID, error) {
		var list []wireMember
		if err := k.t.Bot.ReadMembers(ctx, k.guild, after, peoplePage, &list); err != nil || len(list) == 0 {
			return 0, "", err
		}
		for _, m := range list {
			if model.ID(after).Before(m.User.ID) && (len(m.Roles) > 0 || m.Nick != nil) && !f.full(len(f.Members), k.lim) {
				f.size += 100 + 23*len(m.Roles)
				f.Members = append(f.Members, model.Member{User: m.User.ID, Nick: m.Nick, Roles: m.Roles})
			}
		}
		return len(list), list[len(list)-1].User.ID, nil
	}
}
