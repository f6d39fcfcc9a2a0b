package restore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// maxReason is how long a reason may be, in characters.
const maxReason = 512

// madeBy finds the operation at the end of a reason.
var madeBy = regexp.MustCompile(`\s*·?\s*\bop=\S+$`)

// banReason is what the list of bans will say: the reason that a ban had, and the operation in place of that of an earlier act.
func (x *run) banReason(s plan.Step, saved string) string {
	tail := " · op=" + x.Job().Operation(s.Key())
	return cutTo(madeBy.ReplaceAllString(strings.TrimSpace(saved), ""), maxReason-utf8.RuneCountInString(tail)) + tail
}

// savedReason is a ban's reason; empty when it has none but that of an earlier restore.
func savedReason(b model.Ban) string {
	if b.Reason == nil || strings.HasPrefix(*b.Reason, restored) {
		return ""
	}
	return strings.TrimSpace(*b.Reason)
}

// How many bans of one reason are made together, and how many at most one by one, to keep their reasons: banning together has
// one reason for all and is counted more strictly.
const (
	manyBans   = 6
	maxReasons = 1000
)

// ban bans those who have a reason in common, or none, in one call for every 200, and the others one by one. Banning somebody
// twice changes nothing.
func (x *run) ban(ctx context.Context, s plan.Step) (result, error) {
	var users []string
	s.Get("user_ids", &users)
	groups, err := x.byReason(s, users)
	if err != nil {
		return result{}, err
	}
	failed, alone, unreasoned := 0, 0, 0
	none := x.reason(s)
	for _, reason := range slices.Sorted(maps.Keys(groups)) {
		list := groups[reason]
		if reason == none || len(list) >= manyBans {
			continue
		}
		delete(groups, reason)
		if alone += len(list); alone > maxReasons {
			groups[none] = append(groups[none], list...)
			unreasoned += len(list)
			continue
		}
		n, err := x.banEach(ctx, list, reason)
		if err != nil {
			return result{}, err
		}
		failed += n
	}
	for _, reason := range slices.Sorted(maps.Keys(groups)) {
		for some := range slices.Chunk(groups[reason], discord.MaxBulkBan) {
			n, err := x.bulkBan(ctx, some, reason)
			if err != nil {
				return result{}, err
			}
			failed += n
		}
	}
	var res result
	if failed > 0 {
		res.Left = append(res.Left, fmt.Sprintf("%d bans: out of the bot's reach, or not there any more", failed))
	}
	if unreasoned > 0 {
		res.Left = append(res.Left, fmt.Sprintf("the reasons of %d bans: more than %d differ from all others", unreasoned, maxReasons))
	}
	return res, nil
}

// byReason groups users by what the list of bans will say of them.
func (x *run) byReason(s plan.Step, users []string) (map[string][]string, error) {
	saved, err := x.structure()
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	for _, b := range saved.Bans {
		if why := savedReason(b); why != "" {
			reasons[string(b.User)] = x.banReason(s, why)
		}
	}
	groups := map[string][]string{}
	for _, u := range users {
		why := orText(reasons[u], x.reason(s))
		groups[why] = append(groups[why], u)
	}
	return groups, nil
}

// banEach bans users one by one and tells how many could not be.
func (x *run) banEach(ctx context.Context, users []string, reason string) (failed int, err error) {
	for _, user := range users {
		err := x.call(ctx, func(ctx context.Context) error { return x.Bot.Ban(ctx, x.guild, user, 0, reason) })
		if _, refused := refusal(err); refused {
			failed++
		} else if err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// bulkBan bans some users at once and tells how many could not be. Who is banned was looked up when Discord did not say it: an
// answer that was lost, or an attempt that died behind the call, leaves nobody out and counts nobody as missing.
func (x *run) bulkBan(ctx context.Context, users []string, reason string) (failed int, err error) {
	for try := 1; ; try++ {
		var banned discord.BulkBanned
		err := x.call(ctx, func(ctx context.Context) (err error) {
			banned, err = x.Bot.BulkBan(ctx, x.guild, users, 0, reason)
			return err
		})
		var refused *discord.APIError
		nobody := discord.HasCode(err, discord.CodeNobodyBanned) || errors.As(err, &refused) && refused.Status == http.StatusBadRequest
		switch {
		case err == nil && len(banned.Failed) == 0:
			return 0, nil
		case err == nil:
			users = banned.Failed
		case !nobody && !unsure(ctx, err):
			return 0, err
		case !nobody:
			if err := wait(ctx, x.settle()); err != nil {
				return 0, err
			}
		}
		free, lookErr := x.unbanned(ctx, users)
		if lookErr != nil || len(free) == 0 || err == nil || nobody {
			return len(free), lookErr
		}
		if try == tries {
			return 0, err
		}
		users = free
	}
}

// unbanned gives those of some users that are not banned.
func (x *run) unbanned(ctx context.Context, users []string) ([]string, error) {
	const page = 1000
	free := map[string]bool{}
	for _, u := range users {
		free[u] = true
	}
	for after := ""; len(free) > 0; {
		var list []struct {
			User struct{ ID string } `json:"user"`
		}
		err := x.call(ctx, func(ctx context.Context) error { return x.Bot.ReadBans(ctx, x.guild, after, page, &list) })
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			delete(free, b.User.ID)
			after = b.User.ID
		}
		if len(list) < page {
			break
		}
	}
	return slices.Sorted(maps.Keys(free)), nil
}
