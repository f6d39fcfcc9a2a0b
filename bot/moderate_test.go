package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// banned says whether a user is banned now.
func (o *office) banned(user sandbox.ID) bool {
	s, _ := o.Discord.Snapshot(o.Guild)
	_, yes := s.Bans[user]
	return yes
}

// TestPunish kicks, bans and silences, and refuses who stands as high.
func TestPunish(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.has(o.asks(o.Owner, "settings set", map[string]any{"log": o.Text, "language": "de"}), "Saved")
	at := func(who sandbox.ID) map[string]any { return map[string]any{"user": who, "reason": "spam *and* more"} }
	o.has(o.asks(o.Mod, "kick", at(o.OtherMod)), "as high as you")
	o.has(o.asks(o.Mod, "kick", at(o.Mod)), "That is you")
	o.has(o.asks(o.Mod, "ban", at(o.App.ID)), "That is me")
	o.has(o.asks(o.Mod, "ban", at(o.Owner)), "as high as you")
	span := at(o.Member)
	span["for"] = "1h"
	o.has(o.asks(o.Mod, "timeout", span), "silenced until")
	o.has(o.asks(o.Mod, "untimeout", at(o.Member)), "may speak again")
	o.has(o.asks(o.Mod, "kick", at(o.Member)), "thrown out")
	o.has(o.asks(o.Mod, "kick", at(o.Member)), "not a member")
	o.has(o.asks(o.Mod, "ban", at(o.Member)), "banned for good")
	o.has(o.asks(o.Mod, "tempban", span), "already")
	o.has(o.asks(o.Mod, "unban", at(o.Member)), "is lifted")
	o.has(o.asks(o.Mod, "unban", at(o.Member)), "is not banned")
	reason := ""
	for _, e := range o.Discord.AuditLog(o.Guild) {
		if strings.Contains(e.Reason, "spam") {
			reason = e.Reason
		}
	}
	if !strings.Contains(reason, o.Mod.String()) || !strings.Contains(reason, "op=") {
		t.Errorf("the audit log says %q", reason)
	}
	log := ""
	for _, m := range o.Discord.Messages(o.Text) {
		log += textOf(t, m)
	}
	if !strings.Contains(log, "hinausgeworfen") || !strings.Contains(log, `\*and\*`) {
		t.Errorf("the log channel says %q", log)
	}
}

// TestBotHierarchy: who stands above the bot is told so, and nothing is tried.
func TestBotHierarchy(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	high := o.ID(o.Discord.AddRole(o.Guild, "high", 0)) // above the bot's
	o.OK(o.Discord.As(o.Owner).AddRole(o.Guild, o.Member, high))
	o.has(o.asks(o.Owner, "kick", map[string]any{"user": o.Member}), "my role")
}

// end is one submission of a job that ends a ban, and the record that asks for it.
type end struct {
	bus.JobSubmit
	bus.PunishmentArgs
}

// takesEnds stands in for the component jobs: it takes jobs in, and does not do them.
func (o *office) takesEnds() <-chan end {
	o.T.Helper()
	ends := make(chan end, 16)
	stop, err := bus.Serve(o.T.Context(), o.Bus, bus.JobSubmitCall(), func(_ context.Context, s bus.JobSubmit) (bus.Job, error) {
		e := end{JobSubmit: s}
		if err := json.Unmarshal(s.Args, &e.PunishmentArgs); err != nil {
			return bus.Job{}, err
		}
		ends <- e
		return bus.Job{V: 1, ID: bus.NewJobID(time.Now()), Kind: s.Kind, Guild: s.Guild, State: bus.JobWaiting}, nil
	})
	o.OK(err)
	o.T.Cleanup(stop)
	return ends
}

func (o *office) next(ends <-chan end) end {
	o.T.Helper()
	select {
	case e := <-ends:
		return e
	case <-time.After(30 * time.Second):
		o.T.Fatal("no job was asked for within 30 s")
		return end{}
	}
}

// TestBanForATime: a job is asked for that lifts the ban when its time is over, as the record
// says (that it does is shown where jobs are), until somebody lifts it before.
func TestBanForATime(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	ends := o.takesEnds()
	before := time.Now()
	o.has(o.asks(o.Mod, "tempban", map[string]any{"user": o.Member, "for": "1h", "reason": "spam"}), "banned until")
	if !o.banned(o.Member) {
		t.Fatal("nobody was banned")
	}
	e := o.next(ends)
	records, err := bus.OpenRecords(t.Context(), o.Bus, bus.Punishments())
	o.OK(err)
	rec, err := records.Get(t.Context(), bus.PunishmentKey(o.GuildID(), bus.UserID(o.Member)))
	o.OK(err)
	p := rec.Value
	if e.Kind != bus.JobPunishmentEnd || e.Guild != o.GuildID() || e.By != bus.UserID(o.Mod) || e.User != bus.UserID(o.Member) || e.Op != p.Op || e.Key != p.Op || p.Op == "" {
		t.Errorf("asked for %+v, and the record is %+v", e, p)
	}
	if !e.At.Equal(p.Until) || e.At.Before(before.Add(time.Hour)) || e.At.After(time.Now().Add(time.Hour)) {
		t.Errorf("the job is for %v, the ban until %v", e.At, p.Until)
	}
	o.OK(o.Discord.As(o.Owner).Unban(o.Guild, o.Member))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	gone := errors.New("the record is gone")
	err = records.Watch(ctx, rec.Key, func(e bus.Entry[bus.Punishment], live bool) error {
		if live || !e.Deleted {
			return nil
		}
		return gone
	})
	if !errors.Is(err, gone) {
		t.Errorf("somebody lifted the ban, and the record stays: %v", err)
	}
}

// TestPrune deletes what was shown and confirmed, once, and nothing newer.
func TestPrune(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	member := o.Discord.As(o.Member)
	for i := range 7 {
		_, err := member.Send(o.Text, fmt.Sprint("spam ", i))
		o.OK(err)
	}
	_, err := o.Discord.As(o.Owner).Send(o.Text, "good")
	o.OK(err)
	asked := o.asks(o.Mod, "prune", map[string]any{"limit": 100, "user": o.Member, "reason": "spam"})
	o.has(asked, "7 messages")
	if n := len(o.Discord.Messages(o.Text)); n != 8 {
		t.Fatalf("%d messages before anybody confirmed", n)
	}
	_, err = member.Send(o.Text, "newer")
	o.OK(err)
	done := o.presses(o.Mod, asked.Original, "Delete 7")
	o.has(done, "7 messages")
	left := ""
	for _, m := range o.Discord.Messages(o.Text) {
		left += m.Content + ";"
	}
	if left != "good;newer;" && left != "newer;good;" {
		t.Errorf("left: %s", left)
	}
	// What is gone by the time of the confirmation is not made up for by older ones.
	asked = o.asks(o.Mod, "prune", map[string]any{"limit": 1})
	o.has(asked, "1 message")
	messages := o.Discord.Messages(o.Text)
	newest := messages[0]
	for _, m := range messages {
		if m.ID > newest.ID {
			newest = m
		}
	}
	o.OK(o.Discord.As(o.Owner).DeleteMessage(o.Text, newest.ID))
	o.presses(o.Mod, asked.Original, "Delete 1")
	if n := len(o.Discord.Messages(o.Text)); n != 1 {
		t.Errorf("%d messages are left, want the one that nobody was shown", n)
	}
	dropped := o.asks(o.Mod, "prune", map[string]any{"limit": 1})
	o.has(o.presses(o.Mod, dropped.Original, "Cancel"), "Dropped")
	if n := len(o.Discord.Messages(o.Text)); n != 1 {
		t.Errorf("%d messages after it was dropped", n)
	}
}
