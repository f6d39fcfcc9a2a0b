package access

import (
	"math/rand/v2"
	"testing"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
)

// model is the rule written out: split at every "or", and one part must hold in full.
func model(met, and []bool) bool {
	for from := 0; from < len(met); {
		to := from
		for to < len(met)-1 && and[to] {
			to++
		}
		all := true
		for i := from; i <= to; i++ {
			all = all && met[i]
		}
		if all {
			return true
		}
		from = to + 1
	}
	return false
}

// TestMetInAllMixes tries 0 to 4 checks with every result and every AND and OR between.
func TestMetInAllMixes(t *testing.T) {
	a := Asker{User: "1", Permissions: 2}
	for n := range 5 {
		for bits := range 1 << (2 * n) {
			checks, met, and := make([]Check, n), make([]bool, n), make([]bool, n)
			none := true
			for i := range n {
				met[i], and[i] = bits>>i&1 == 1, bits>>(n+i)&1 == 1
				none = none && !met[i]
				checks[i] = Check{Permissions: 4, And: and[i]}
				if met[i] {
					checks[i].Permissions = 2
				}
			}
			got := Met(checks, a)
			if want := model(met, and); got != want {
				t.Fatalf("%v joined by %v: %v", met, and, got)
			}
			if none && got {
				t.Fatalf("%v joined by %v: met although none is", met, and)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	const admin = discordgo.PermissionAdministrator
	for _, c := range []struct {
		name  string
		check Check
		have  int64
		want  bool
	}{
		{"asks for nothing", Check{}, admin, false},
		{"everyone", Check{Everyone: true}, 0, true},
		{"all of two", Check{Permissions: 6}, 6, true},
		{"one of two", Check{Permissions: 6}, 2, false},
		{"any of two", Check{Permissions: 6, Any: true}, 2, true},
		{"none of two", Check{Permissions: 6, Any: true}, 1, false},
		{"administrators have all", Check{Permissions: 6}, admin, true},
	} {
		if got := Met([]Check{c.check}, Asker{Permissions: c.have}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestDecide(t *testing.T) {
	user, role := bus.Grantee{User: "1"}, bus.Grantee{Role: "9"}
	at := func(command string, set bus.Access) Level { return Level{command, set} }
	asker := Asker{User: "1", Roles: []string{"9"}}
	for _, c := range []struct {
		name   string
		checks []Check
		levels []Level
		want   Decision
	}{
		{"nothing set, no checks", nil, nil, Decision{Why: WhyMissing}},
		{"checks", Everyone(), nil, Decision{true, WhyChecks, ""}},
		{"disabled above", Everyone(), []Level{at("a", bus.Access{Disabled: true})}, Decision{false, WhyDisabled, "a"}},
		{"denied to a role", Everyone(), []Level{at("a", bus.Access{Deny: []bus.Grantee{role}})}, Decision{false, WhyDenied, "a"}},
		{"user before role", nil, []Level{at("a", bus.Access{Allow: []bus.Grantee{user}, Deny: []bus.Grantee{role}})}, Decision{true, WhyAllowed, "a"}},
		{"deny before allow", nil, []Level{at("a", bus.Access{Allow: []bus.Grantee{role}, Deny: []bus.Grantee{role}})}, Decision{false, WhyDenied, "a"}},
		{"the nearest decides", nil, []Level{at("a b", bus.Access{Allow: []bus.Grantee{role}}), at("a", bus.Access{Deny: []bus.Grantee{user}})}, Decision{true, WhyAllowed, "a b"}},
		{"others are not meant", nil, []Level{at("a", bus.Access{Allow: []bus.Grantee{{User: "2"}, {Role: "8"}, {}}})}, Decision{Why: WhyMissing}},
	} {
		if got := Decide(c.checks, c.levels, asker); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		owner := asker
		owner.Owner = true
		if !Decide(c.checks, c.levels, owner).Allowed {
			t.Errorf("%s: the owner is locked out", c.name)
		}
	}
}

// TestNobodyIsAllowedByAccident: whoever no setting names and whose checks all fail is denied.
func TestNobodyIsAllowedByAccident(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var checks []Check
		for range r.IntN(8) {
			checks = append(checks, Check{Permissions: int64(r.IntN(2)) << 1, Any: r.IntN(2) == 0, And: r.IntN(2) == 0})
		}
		var levels []Level
		for range r.IntN(3) {
			levels = append(levels, Level{"x", bus.Access{Disabled: r.IntN(5) == 0, Allow: []bus.Grantee{{User: "2"}, {Role: "3"}}, Deny: []bus.Grantee{{User: "4"}}}})
		}
		if d := Decide(checks, levels, Asker{User: "1", Roles: []string{"9"}, Permissions: 1}); d.Allowed {
			t.Fatalf("%+v with %+v: %+v", checks, levels, d)
		}
	}
}
