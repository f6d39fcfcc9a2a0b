package bus_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
)

var update = flag.Bool("update", false, "write golden files and generated pages")

func TestPayloadsKeepTheirWireForm(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 30, 15, 250_000_000, time.UTC)
	code := mustCode(t, "7F3A09C2")
	free, silent := bus.VoiceState{}, bus.VoiceState{Deaf: true, Mute: true}
	for name, v := range map[string]any{
		"capture_event": bus.CaptureEvent{V: 1, Code: code, Kind: bus.CaptureLobby, Payload: `{"LobbyCode":"QWERTY","Region":0,"Map":2}`, Room: "QWERTY", Session: "s1", At: at, Cause: "x"},
		"modify_task":   bus.ModifyTask{Guild: 812345678901234567, User: 234567890123456789, Parameters: bus.VoiceState{Mute: true}, TaskID: "585eaca788"},
		"modify_result": bus.ModifyResult{V: 1, Done: true},
		"voice_record": bus.VoiceRecord{V: 1,
			Wish:    bus.VoiceWish{VoiceState: silent, ID: "w2", Tier: 5, Code: "7F3A09C2", At: at},
			Applied: &bus.VoiceApplied{VoiceState: free, WishID: "w1", Lane: "worker", At: at, GameSeen: true},
			Failed:  &bus.VoiceFailed{WishID: "w2", Code: 40032, Reason: "not_in_voice", At: at, RetryAt: at.Add(time.Minute), Tries: 1}},
		"mute_applied":     bus.MuteApplied{V: 1, Guild: 812345678901234567, User: 234567890123456789, State: silent, Lane: "worker", Took: 61, At: at},
		"mute_failed":      bus.MuteFailed{V: 1, Guild: 812345678901234567, User: 234567890123456789, State: free, Code: 10007, Reason: "unknown_member", At: at},
		"parked":           bus.Parked{V: 1, Stream: "S", Durable: "d", Subject: "a.b", Sequence: 9, Tries: 5, Code: bus.CodeInvalid, Reason: "bad_payload", Message: "m", At: at, Data: []byte("{}")},
		"command":          bus.Command{V: 1, ID: "c1", Component: "broker", Verb: "drain", Actor: "ann", Reason: "deploy", Outcome: "done", At: at},
		"status":           bus.Status{V: 1, Component: "broker", Instance: "i", Version: "1.0.0", Since: at, Ready: true, Details: map[string]any{"clients": 2.0}},
		"owner":            bus.Owner{V: 1, Instance: "i", Session: "s", Since: at},
		"sealed_token":     bus.SealedToken{V: 1, Sealed: []byte("xyz"), Source: "addtoken", At: at},
		"position":         bus.Position{V: 1, Epoch: "abc", Seq: 7, At: at},
		"upstream_session": bus.UpstreamSession{V: 1, Session: "s", ResumeURL: "wss://h", Seq: 7, At: at},
		"shard_ready":      bus.ShardReady{V: 1, Epoch: "abc", Stream: 9, Data: json.RawMessage(`{}`), At: at},
		"identify_budget":  bus.IdentifyBudget{V: 1, Total: 1000, Remaining: 990, ResetAt: at, MaxConcurrency: 1},
		"downstream_session": bus.DownstreamSession{V: 1, Shard: 0, Shards: 1, Ours: 1, Intents: 513, Version: 10, Token: "hash", Epoch: "abc", Base: 5, Since: at, Burst: 3,
			Parts: []bus.DownstreamPart{{Session: "s", From: 7, Base: 4}}, Mark: bus.DownstreamMark{Sent: 9, Number: 11, Place: 14}, Turn: bus.DownstreamTurn{Place: 15, Number: 12},
			Order: &bus.DownstreamOrder{After: 15, Sessions: []string{"s"}, Events: []bus.Ordered{{16, 0, 8}}}, Had: map[string]int64{"s": 8}, Voice: []bus.GuildID{1}, Asked: []bus.DownstreamNonce{{Ours: "o", Theirs: "t"}}},
		"gateway_send":   bus.GatewaySend{V: 1, Op: 4, Data: json.RawMessage(`{}`), From: "ab12"},
		"guild_snapshot": bus.GuildSnapshot{V: 1, Shard: 0, Epoch: "abc", Stream: 9, Created: 5, Unavailable: true, Data: []byte("zstd"), Gone: []byte("zstd"), Roster: []byte("zstd")},
		"deed":           bus.Deed{V: 1, ID: 5, Guild: 1, Actor: 2, Type: 12, Target: "3", Changes: json.RawMessage(`[]`), Options: json.RawMessage(`{}`), Reason: "r", Before: json.RawMessage(`{}`), Members: []string{"4"}, Overwrites: map[string]json.RawMessage{"6": json.RawMessage(`{}`)}, Children: []string{"7"}, Settings: []string{"9"}, Order: []string{"8"}, At: at},
		"incident": bus.Incident{V: 1, ID: "i1", Guild: 1, Actor: 2, Since: at, Until: at, Cause: "c", By: 3, At: at,
			Undo: &bus.Undo{By: 3, At: at, Job: "j", Plan: json.RawMessage(`[]`), Hash: "h", Made: map[string]string{"5": "6"}, Fails: []string{"f"}, Done: at}},
		"action":     bus.Action{V: 1, ID: 812345678901234567, Guild: 1, Actor: 2, Kind: bus.ActionChannelRemove, Target: "3", At: at},
		"limit_rule": bus.LimitRule{V: 1, ID: "x1", Name: "No nukes", Kind: bus.ActionChannelRemove, Count: 3, Window: 30, Respond: bus.RespondTimeout, Timeout: 3600, By: 2, At: at},
		"limit_hit":  bus.LimitHit{V: 1, Guild: 1, Limit: "x1", Name: "No nukes", Kind: bus.ActionChannelRemove, Actor: 2, Causes: []uint64{5, 6}, Count: 2, Window: 30, Respond: bus.RespondAlert, Result: "ok", At: at},
		"raid":       bus.Raid{V: 1, Guild: 1, Began: at, Joins: 9, Usual: 0.5, Over: true, Until: at, Result: "ok", At: at},
		"silent":     bus.Silent{V: 1, Guild: 1, Count: 3, At: at},
		"job": bus.Job{V: 1, ID: "01JDTKX5P8W1T0ZC9WJ3B2M4QA", Kind: bus.JobBackupCreate, Guild: 1, By: 2, Actor: "ann", Schedule: "nightly", Lane: "guild", Queue: bus.JobsLow, Sole: true, Place: 1, Args: json.RawMessage(`{}`), Secrets: []string{"password"},
			State: bus.JobWaiting, Generation: 2, Attempt: 3, Failures: 1, Takeovers: 1, Worker: "w", Submitted: at, Started: at, Finished: at, Changed: at, Deadline: at, Expires: at,
			Wait: &bus.JobWait{Until: at, Why: "y", For: "j", Pause: true, InRun: true, Held: true}, Cancel: &bus.JobCancel{By: "ann", Reason: "r", At: at}, Error: &bus.JobError{Code: bus.CodeInternal, Reason: "r", Message: "m", Step: "s"},
			Outcome: json.RawMessage(`{}`), Files: []bus.JobFile{{Name: "f", Size: 5, Digest: "d", Key: "k"}}, Tries: []bus.JobTry{{Attempt: 1, Worker: "w", Begun: at, Ended: at, Result: "failed"}}},
		"job_line":     bus.JobLine{V: 1, Seq: 4, Attempt: 1, Level: "info", Text: "t", State: bus.JobRunning, At: at, Step: &bus.JobProgress{Phase: "p", Done: 1, Total: 2, Wait: &bus.JobWait{Until: at, Why: "y"}, At: at}},
		"job_note":     bus.JobNote{V: 1, Attempt: 2, Key: "k", Value: json.RawMessage(`{}`)},
		"job_item":     bus.JobItem{V: 1, Guild: 1, ID: "i", Generation: 2, Schedule: "s", At: "a"},
		"job_once":     bus.JobOnce{V: 1, ID: "i"},
		"job_pause":    bus.JobPause{V: 1, By: "ann", Reason: "r", At: at},
		"job_sealed":   bus.JobSealed{V: 1, Sealed: []byte("xyz")},
		"job_schedule": bus.JobSchedule{V: 1, Guild: 1, Name: "nightly", Kind: bus.JobBackupScheduled, Args: json.RawMessage(`{}`), Cron: "0 3 * * *", Zone: "Europe/Berlin", Paused: true, By: 2, At: at, Next: at, Last: "i"},
		"job_submit":   bus.JobSubmit{Kind: bus.JobMessagePrune, Guild: 1, By: 2, Args: json.RawMessage(`{}`), Secrets: bus.JobSecrets{"password": "p"}, Key: "k", At: at, Actor: "ann", Reason: "r", Queued: true, Hold: "execute_task", Schedule: "s"},
		"job_request":  bus.JobRequest{Actor: "ann", Reason: "r", Target: "i", Guild: 1},
		"job_query":    bus.JobQuery{Guild: 1, Kind: bus.JobMessagePrune, State: bus.JobFailed, Limit: 5},
		"lease_holder": bus.LeaseHolder{V: 1, Holder: "h", Since: at},
	} {
		t.Run(name, func(t *testing.T) { checkGolden(t, name, v) })
	}
}

// checkGolden compares v's JSON with its file, reads the file back, and reads it
// once more with fields that a later version might add.
func checkGolden(t *testing.T, name string, v any) {
	path := filepath.Join("testdata", name+".json")
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the wire form changed:\n%s\nwant:\n%s", got, want)
	}
	later := strings.Replace(string(want), "{", `{"a_field_of_tomorrow": [1, {"x": null}],`, 1)
	for _, text := range []string{string(want), later} {
		back := reflect.New(reflect.TypeOf(v))
		if err := json.Unmarshal([]byte(text), back.Interface()); err != nil {
			t.Fatalf("reading it back: %v", err)
		}
		if !reflect.DeepEqual(back.Elem().Interface(), v) {
			t.Errorf("read back as %+v, want %+v", back.Elem(), v)
		}
	}
}
