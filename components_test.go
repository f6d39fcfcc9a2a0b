package main

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/secret"
)

// TestSettingsReachTheirComponents builds the components as `up` does, from settings that
// are all different from their defaults, and looks what each of them was given.
func TestSettingsReachTheirComponents(t *testing.T) {
	var h house
	probe := fakeComponent("probe", 0, untilAsked)
	made := probe.make
	probe.make = func(got house, b *bus.Bus, log *slog.Logger) (service, error) { h = got; return made(got, b, log) }
	p := launch(t, 0, []component{probe}, "up",
		"--max-workers=3", "--max-req-5-sec=4", "--ack-timeout-ms=1111", "--task-timeout-ms=2222",
		"--galactus-port=15858", "--galactus-bind=127.0.0.2", "--galactus-secret=hush hush hush",
		"--broker-port=18123", "--broker-bind=127.0.0.3",
		"--redis-addr=127.0.0.1:1", "--redis-user=someone", "--redis-pass=quiet", "--discord-bot-token=a.b.c")
	p.out.wait(t, `is up`)

	b, log := bustest.New(t), slog.New(slog.DiscardHandler)
	want := map[string]map[string]any{
		"broker": {"Addr": "127.0.0.3:18123", "RedisAddr": "127.0.0.1:1", "RedisUser": "someone", "RedisPass": "quiet",
			"AckTimeout": 1111 * time.Millisecond, "TaskTimeout": 2222 * time.Millisecond},
		"muteproxy": {"Addr": "127.0.0.2:15858", "Secret": "hush hush hush", "Primary": "a.b.c", "MaxWorkers": 3, "MaxReq5Sec": 4,
			"AckTimeout": 1111 * time.Millisecond, "TaskTimeout": 2222 * time.Millisecond, "RedisUser": "someone", "RedisPass": "quiet"},
	}
	for _, k := range components() {
		fields := want[k.name]
		if fields == nil {
			continue
		}
		svc, err := k.make(h, b, log)
		if err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		cfg := reflect.ValueOf(svc).Elem().FieldByName("cfg")
		for name, value := range fields {
			got := cfg.FieldByName(name)
			if !got.IsValid() || plain(got) != value {
				t.Errorf("%s was not given %v as %s", k.name, value, name)
			}
		}
		delete(want, k.name)
	}
	if len(want) > 0 {
		t.Errorf("there is no component for %v", want)
	}
}

// plain is the value of a field that this package cannot see, a secret as its text.
func plain(v reflect.Value) any {
	switch {
	case v.Type() == reflect.TypeFor[secret.Value]():
		return v.FieldByName("text").Elem().String()
	case v.Type() == reflect.TypeFor[time.Duration]():
		return time.Duration(v.Int())
	case v.Kind() == reflect.Int:
		return int(v.Int())
	}
	return v.String()
}
