package create

import (
	"context"
	"fmt"
	"slices"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// foundThreads is what the step threads has found.
type foundThreads struct {
	Threads []model.Thread `json:"threads"`
	Places  []place        `json:"places"`
	Report  report         `json:"report"`
}

// threadPages bounds the pages of archived threads of one channel.
const threadPages = 50

// threads lists the threads and posts of all channels: those in use with one call, archived ones channel by channel.
func (k *taking) threads(ctx context.Context) error {
	var f foundThreads
	if !k.wants(bus.PartThreads) && !k.wants(bus.PartMessages) {
		f.Report.not("threads", leftOut)
		return k.keep(ctx, "threads", f)
	}
	k.r.Say(work.Info, "Looking for threads")
	var s found
	if err := k.load(ctx, "server", &s); err != nil {
		return err
	}
	var active wireThreads
	err := call(ctx, func(ctx context.Context) error { return k.t.Bot.ReadActiveThreads(ctx, k.guild, &active) })
	if why, ok := refusal(err); ok {
		f.Report.not("threads", why)
		return k.keep(ctx, "threads", f)
	} else if err != nil {
		return err
	}
	all, err := k.archived(ctx, &s, &f.Report, active.Threads)
	if err != nil {
		return err
	}
	k.sortThreads(&s, &f, all)
	return k.keep(ctx, "threads", f)
}

// archived adds the archived threads of all channels, some channels at a time, until there are as many as a backup holds.
func (k *taking) archived(ctx context.Context, s *found, rep *report, all []wireThread) ([]wireThread, error) {
	var parents []place
	for _, p := range s.Places {
		switch {
		case !holdsThreads(p.Type):
		case p.Why != "":
			rep.miss(fmt.Sprintf("the threads of the channel %s", p.ID), p.ID, p.Why)
		default:
			parents = append(parents, p)
		}
	}
	for start := 0; start < len(parents); start += k.lim.Parallel {
		if len(all) > k.lim.Threads {
			rep.miss(fmt.Sprintf("the archived threads of %d channels", len(parents)-start), "", fmt.Sprintf("a backup holds %d threads", k.lim.Threads))
			break
		}
		batch := parents[start:min(start+k.lim.Parallel, len(parents))]
		got := make([][]wireThread, len(batch))
		whys := make([]string, len(batch))
		err := each(ctx, len(batch), len(batch), func(ctx context.Context, i int) (err error) {
			got[i], whys[i], err = k.archivedOf(ctx, batch[i], s.Private[batch[i].ID])
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, p := range batch {
			all = append(all, got[i]...)
			if whys[i] != "" {
				rep.miss(fmt.Sprintf("some threads of the channel %s", p.ID), p.ID, whys[i])
			}
		}
		k.r.Progress(start+len(batch), len(parents))
	}
	return all, nil
}

// archivedOf lists the archived threads of one channel; why says what it could not see.
func (k *taking) archivedOf(ctx context.Context, p place, allPrivate bool) (all []wireThread, why string, err error) {
	lists := []discord.Archive{discord.ArchivePublic}
	if p.Type == model.TypeText {
		if allPrivate {
			lists = append(lists, discord.ArchivePrivate)
		} else {
			lists = append(lists, discord.ArchiveJoined)
		}
	}
	for _, list := range lists {
		got, bad, err := k.archive(ctx, p.ID, list)
		if err != nil {
			return nil, "", err
		}
		all = append(all, got...)
		if bad != "" {
			why = bad
		}
	}
	return all, why, nil
}

// archive pages through one list. Its cursor is when the last thread of a page was archived, or that thread's id.
func (k *taking) archive(ctx context.Context, channel model.ID, list discord.Archive) (all []wireThread, why string, err error) {
	before := ""
	for range threadPages {
		var page wireThreads
		err := call(ctx, func(ctx context.Context) error {
			return k.t.Bot.ReadArchivedThreads(ctx, string(channel), list, before, &page)
		})
		if why, ok := refusal(err); ok {
			return all, why, nil
		}
		if err != nil {
			return nil, "", err
		}
		all = append(all, page.Threads...)
		if !page.More || len(page.Threads) == 0 || len(all) > k.lim.Threads {
			return all, "", nil
		}
		last := page.Threads[len(page.Threads)-1]
		next := last.State.ArchivedAt
		if list == discord.ArchiveJoined {
			next = string(last.ID)
		}
		if next == before {
			return all, "Discord's list of archived threads did not go on", nil
		}
		before = next
	}
	return all, fmt.Sprintf("only %d pages of archived threads are read of a channel", threadPages), nil
}

// sortThreads keeps each thread once, in order of age, the newest ones when there are too many.
func (k *taking) sortThreads(s *found, f *foundThreads, all []wireThread) {
	parents := map[model.ID]place{}
	for _, p := range s.Places {
		parents[p.ID] = p
	}
	slices.SortFunc(all, func(a, b wireThread) int { return byID(a.ID, b.ID) })
	all = slices.CompactFunc(all, func(a, b wireThread) bool { return a.ID == b.ID })
	if over := len(all) - k.lim.Threads; over > 0 {
		f.Report.miss(fmt.Sprintf("the oldest %d threads", over), "", fmt.Sprintf("a backup holds %d threads", k.lim.Threads))
		all = all[over:]
	}
	for _, w := range all {
		why := "the channel that it belongs to does not show"
		if p, ok := parents[w.Parent]; ok {
			why = p.Why
		}
		f.Places = append(f.Places, place{ID: w.ID, Type: w.Type, Parent: w.Parent, Pinned: w.LastPin != nil, Why: why})
		if k.wants(bus.PartThreads) {
			f.Threads = append(f.Threads, w.thread())
		}
	}
	if k.wants(bus.PartThreads) {
		f.Report.kept("threads", len(f.Threads), "")
	} else {
		f.Report.not("threads", leftOut)
	}
}
