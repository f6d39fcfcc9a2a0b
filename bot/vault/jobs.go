package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/jobcard"
	"splashtail/bus"
)

// When a backup is made by itself.
const (
	whenOff    = "never"
	whenDaily  = "every_day"
	whenWeekly = "every_week"
)

// scheduleName is the schedule that /backup schedule sets; a server has one.
const scheduleName = "backup"

// keepDefault is how many backups of a schedule are kept unless a server says otherwise.
const keepDefault = 7

// schedule sets when backups are made by themselves, or shows it.
func (t Tools) schedule(ctx context.Context, u *command.Use) error {
	if !u.Given("when") {
		if u.Given("hour") || u.Given("zone") || u.Given("keep") {
			return command.Refuse("schedule.how_often")
		}
		return t.showSchedule(ctx, u)
	}
	s := bus.JobSchedule{V: 1, Guild: u.Guild, Name: scheduleName, Kind: bus.JobBackupScheduled, By: u.User, At: time.Now().UTC(), Zone: u.Text("zone")}
	hour := u.Number("hour", 4)
	switch u.Text("when") {
	case whenDaily:
		s.Cron = fmt.Sprintf("0 %d * * *", hour)
	case whenWeekly:
		s.Cron = fmt.Sprintf("0 %d * * 1", hour)
	}
	args, err := json.Marshal(bus.ScheduledArgs{Keep: u.Number("keep", keepDefault)})
	if err != nil {
		return err
	}
	s.Args = args
	_, err = t.Cards.Jobs().SetSchedule(ctx, s)
	if s.Cron == "" && bus.IsCode(err, bus.CodeNotFound) {
		err = nil // there was none
	}
	if err != nil {
		return jobcard.Explain(err)
	}
	return t.showSchedule(ctx, u)
}

func (t Tools) showSchedule(ctx context.Context, u *command.Use) error {
	all, err := t.Cards.Jobs().Schedules(ctx, u.Guild)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Name != scheduleName {
			continue
		}
		var args bus.ScheduledArgs
		_ = json.Unmarshal(s.Args, &args) // shown only
		zone := s.Zone
		if zone == "" {
			zone = "UTC"
		}
		return u.Say(ctx, "schedule.set", "cron", often(u, s.Cron), "zone", zone, "keep", args.Keep, "next", fmt.Sprintf("<t:%d:F>", s.Next.Unix()))
	}
	return u.Say(ctx, "schedule.none")
}

// often says in words when a schedule of this package is due; one that was set by other means is shown as it is.
func often(u *command.Use, cron string) string {
	var hour int
	for _, one := range []struct{ cron, key string }{{"0 %d * * *", "schedule.daily"}, {"0 %d * * 1", "schedule.weekly"}} {
		if _, err := fmt.Sscanf(cron, one.cron, &hour); err == nil && cron == fmt.Sprintf(one.cron, hour) {
			return u.T(one.key, "hour", fmt.Sprintf("%02d", hour))
		}
	}
	return cron
}

// shownJobs is how many jobs a list shows.
const shownJobs = 15

// jobs lists what is under way and what was.
func (t Tools) jobs(ctx context.Context, u *command.Use) error {
	list, err := t.Cards.Jobs().List(ctx, bus.JobQuery{Guild: u.Guild, Limit: shownJobs})
	if err != nil {
		return err
	}
	if len(list.Jobs) == 0 {
		return u.Reply(ctx, card.Card{Text: u.T("backup.job_none")})
	}
	var text strings.Builder
	for _, j := range list.Jobs {
		fmt.Fprintf(&text, "%s **%s** <t:%d:R>\n`%s`\n", u.T("jobcard.state."+string(j.State)), u.T("jobcard.kind."+string(j.Kind)), j.Submitted.Unix(), j.ID)
	}
	return u.Reply(ctx, card.Card{Title: u.T("backup.job_list"), Text: text.String(), Footer: u.T("backup.job_list_next")})
}

func (t Tools) job(ctx context.Context, u *command.Use) error {
	j, err := t.Cards.Jobs().Get(ctx, u.Guild, u.Text("job"))
	if bus.IsCode(err, bus.CodeInvalid) {
		return command.Refuse("backup.job_unknown")
	}
	if err != nil {
		return jobcard.Explain(err)
	}
	c, err := jobcard.Look(ctx, t.Cards.Jobs(), u.Words, j)
	if err != nil {
		return err
	}
	t.enclose(ctx, u, j)
	return u.Reply(ctx, c)
}

func (t Tools) cancel(ctx context.Context, u *command.Use) error {
	if _, err := bus.ParseJobID(u.Text("job")); err != nil {
		return command.Refuse("backup.job_unknown")
	}
	j, err := t.Cards.Jobs().Cancel(ctx, bus.JobRequest{Actor: u.Member.User.Username, Reason: "/" + u.Command.Name, Target: u.Text("job"), Guild: u.Guild})
	if err != nil {
		return jobcard.Explain(err)
	}
	return u.Say(ctx, "backup.job_cancelled", "job", u.T("jobcard.kind."+string(j.Kind)))
}
