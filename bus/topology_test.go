package bus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
)

func TestTopologyHasNoFault(t *testing.T) {
	if err := bus.Topology().Check(); err != nil {
		t.Error(err)
	}
}

func TestTopologyPageIsFresh(t *testing.T) {
	path := filepath.Join("..", "docs", "topology.md")
	want := bus.Topology().Markdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/topology.md is stale (%v); run `make docs`", err)
	}
}

func TestPlanCheckFindsFaults(t *testing.T) {
	good := bus.Stream{Name: "A", Takes: []string{"a.*"}, MaxBytes: 1, MaxAge: time.Hour}
	for name, c := range map[string]struct {
		plan bus.Plan
		want string
	}{
		"overlap":   {bus.Plan{Streams: []bus.Stream{good, {Name: "B", Takes: []string{"*.b"}, MaxBytes: 1}}}, "both take"},
		"same name": {bus.Plan{Streams: []bus.Stream{good}, Buckets: []bus.Bucket{{Name: "A", MaxBytes: 1}}}, "twice"},
		"no bound":  {bus.Plan{Streams: []bus.Stream{{Name: "A", Takes: []string{"a"}}}}, "bound"},
		"bucket":    {bus.Plan{Buckets: []bus.Bucket{{Name: "K"}}}, "bound"},
	} {
		if err := c.plan.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.*", "a.c", true}, {"a.*", "a.c.d", false},
		{"a.>", "a.c.d", true}, {"a.>", "a", false}, {">", "x", true}, {"*.b", "a.*", true}, {"*.b", "a.*.c", false}, {"a.*.c", "a.>", true},
	} {
		if bus.Overlap(c.a, c.b) != c.want || bus.Overlap(c.b, c.a) != c.want {
			t.Errorf("Overlap(%q, %q) is not %v", c.a, c.b, c.want)
		}
	}
}
