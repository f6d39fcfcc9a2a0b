package muteproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"splashtail/bus"

	"github.com/gofiber/fiber/v2"
)

// batch is a parsed body of /modify.
type batch struct {
	tier     int
	requests []request
}

// parseModify reads {"premium":5,"users":[{"userID":1,"mute":true,"deaf":false}]}. As
// in galactus a user id is a bare number, a missing flag is false, a missing tier 0. A
// user who is named twice gets the last state, in the place of the first.
func parseModify(body []byte) (batch, error) {
	var in struct {
		Premium int16 `json:"premium"`
		Users   []struct {
			UserID uint64 `json:"userID"`
			Mute   bool   `json:"mute"`
			Deaf   bool   `json:"deaf"`
		} `json:"users"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return batch{}, fiber.NewError(http.StatusBadRequest, "the body is not a batch of users: "+err.Error()+"; nothing was changed")
	}
	if len(in.Users) > maxUsers {
		return batch{}, fiber.NewError(http.StatusBadRequest, fmt.Sprintf("the body names %d users, at most %d are taken at once; nothing was changed", len(in.Users), maxUsers))
	}
	out := batch{tier: int(in.Premium)}
	place := map[bus.UserID]int{}
	for _, u := range in.Users {
		id := bus.UserID(u.UserID)
		if id == 0 {
			return batch{}, fiber.NewError(http.StatusBadRequest, "a user has no userID; nothing was changed")
		}
		state := bus.VoiceState{Mute: u.Mute, Deaf: u.Deaf}
		if i, twice := place[id]; twice {
			out.requests[i].state = state
			continue
		}
		place[id] = len(out.requests)
		out.requests = append(out.requests, request{id, state})
	}
	return out, nil
}

// modifyAnswer is galactus' answer, which bots add to their counters, and more fields,
// which they pass over.
type modifyAnswer struct {
	Worker    int `json:"worker"`
	Capture   int `json:"capture"`
	Official  int `json:"official"`
	RateLimit int `json:"ratelimit"` // galactus has been sending 0 since 2.4

	Pending    int          `json:"pending"`    // accepted, and applied after this answer
	Superseded int          `json:"superseded"` // a newer request wished otherwise meanwhile
	Failed     []failedUser `json:"failed,omitempty"`
}

type failedUser struct {
	UserID bus.UserID `json:"userID"`
	Code   int        `json:"code,omitempty"` // Discord's
	Reason string     `json:"reason"`
}

// collect waits for every waiter until ctx ends or the process stops, and counts.
func collect(ctx context.Context, stopped <-chan struct{}, waiters []*waiter) modifyAnswer {
	var a modifyAnswer
	for _, wt := range waiters {
		select {
		case o := <-wt.done:
			a.add(wt.who.user, o)
			continue
		default:
		}
		select {
		case o := <-wt.done:
			a.add(wt.who.user, o)
		case <-ctx.Done():
			a.Pending++
		case <-stopped:
			a.Pending++
		}
	}
	return a
}

func (a *modifyAnswer) add(user bus.UserID, o outcome) {
	switch {
	case o.failed != nil:
		a.Failed = append(a.Failed, failedUser{user, o.failed.Code, o.failed.Reason})
	case o.superseded:
		a.Superseded++
	case o.lane == laneWorker.String():
		a.Worker++
	case o.lane == laneCapture.String():
		a.Capture++
	default:
		a.Official++
	}
}
