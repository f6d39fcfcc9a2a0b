package create

import (
	"context"
	"fmt"
	"time"

	"splashtail/bus"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// foundPins is what the step pins has found.
type foundPins struct {
	Pins   []model.Pins `json:"pins"`
	Report report       `json:"report"`
}

// maxPins is how many messages of a channel can be pinned.
const maxPins = 250

// pins lists the pinned messages of every place where something was ever pinned.
func (k *taking) pins(ctx context.Context) error {
	var f foundPins
	if !k.wants(bus.PartMessages) {
		f.Report.not("pins", leftOut)
		return k.keep(ctx, "pins", f)
	}
	channels, threads, err := k.places(ctx)
	if err != nil {
		return err
	}
	var at []place
	for _, p := range append(channels, threads...) {
		if p.Pinned && p.Why == "" && holdsText(p.Type) {
			at = append(at, p)
		}
	}
	if len(at) > 0 {
		k.r.Say(work.Info, "Looking for pinned messages in %d channels and threads", len(at))
	}
	got := make([][]model.ID, len(at))
	whys := make([]string, len(at))
	err = each(ctx, len(at), k.lim.Parallel, func(ctx context.Context, i int) (err error) {
		got[i], whys[i], err = k.pinsOf(ctx, at[i].ID)
		return err
	})
	if err != nil {
		return err
	}
	n := 0
	for i, p := range at {
		n += len(got[i])
		if whys[i] != "" {
			f.Report.miss(fmt.Sprintf("the pins of the channel %s", p.ID), p.ID, whys[i])
		} else if len(got[i]) > 0 {
			f.Pins = append(f.Pins, model.Pins{Channel: p.ID, Messages: got[i]})
		}
	}
	f.Report.kept("pins", n, "")
	return k.keep(ctx, "pins", f)
}

// pinsOf lists the pinned messages of one place, the newest pin first.
func (k *taking) pinsOf(ctx context.Context, channel model.ID) (ids []model.ID, why string, err error) {
	var before time.Time
	for len(ids) < maxPins {
		var page wirePins
		err := call(ctx, func(ctx context.Context) error { return k.t.Bot.ReadPins(ctx, string(channel), before, &page) })
		if why, ok := refusal(err); ok {
			return nil, why, nil
		}
		if err != nil {
			return nil, "", err
		}
		for _, item := range page.Items {
			ids = append(ids, item.Message.ID)
		}
		if !page.More || len(page.Items) == 0 {
			break
		}
		last := page.Items[len(page.Items)-1].At
		if !before.IsZero() && !last.Before(before) {
			break
		}
		before = last
	}
	return ids, "", nil
}

// places are the channels and the threads that earlier steps have found.
func (k *taking) places(ctx context.Context) (channels, threads []place, err error) {
	var s struct {
		Places []place `json:"places"`
	}
	var t struct {
		Places []place `json:"places"`
	}
	if err = k.load(ctx, "server", &s); err == nil {
		err = k.load(ctx, "threads", &t)
	}
	return s.Places, t.Places, err
}
