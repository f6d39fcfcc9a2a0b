package bus_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"splashtail/bus"
)

func TestParseConnectCode(t *testing.T) {
	for in, ok := range map[string]bool{
		"7F3A09C2": true, "abcdefgh": true, "00000000": true,
		"": false, "7F3A09C": false, "7F3A09C22": false, "7F3A.9C2": false, "7F3A*9C2": false,
		"7F3A>9C2": false, "7F3A 9C2": false, "7F3A\x009C2": false, "ÄÄÄÄ": false, "7F3A-9C2": false,
	} {
		code, err := bus.ParseConnectCode(in)
		if (err == nil) != ok {
			t.Errorf("ParseConnectCode(%q): %v", in, err)
		}
		if err != nil && !bus.IsCode(err, bus.CodeInvalid) {
			t.Errorf("ParseConnectCode(%q) has code %q", in, bus.AsError(err).Code)
		}
		if ok && code.String() != in {
			t.Errorf("ParseConnectCode(%q) = %q", in, code)
		}
	}
}

func TestParseSnowflake(t *testing.T) {
	for in, ok := range map[string]bool{
		"1": true, "812345678901234567": true, "18446744073709551615": true,
		"": false, "0": false, "007": false, "+7": false, "-7": false, "1e3": false, "18446744073709551616": false, "1.5": false, " 1": false,
	} {
		if _, err := bus.ParseGuildID(in); (err == nil) != ok {
			t.Errorf("ParseGuildID(%q): %v", in, err)
		}
		if _, err := bus.ParseUserID(in); (err == nil) != ok {
			t.Errorf("ParseUserID(%q): %v", in, err)
		}
	}
}

func TestConnectCodeIsNotLoggedInClear(t *testing.T) {
	code := mustCode(t, "7F3A09C2")
	var w strings.Builder
	slog.New(slog.NewTextHandler(&w, nil)).Info("x", "code", code, "event", fmt.Sprint(code.LogValue()))
	if strings.Contains(w.String(), "7F3A09C2") || !strings.Contains(w.String(), code.Hash8()) {
		t.Errorf("the log line is %q", w.String())
	}
}

func mustCode(t testing.TB, s string) bus.ConnectCode {
	t.Helper()
	c, err := bus.ParseConnectCode(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
