package main

import (
	"encoding/json"
	"maps"
	"testing"

	"splashtail/bus"
)

// TestSignaturesAreNoArguments: what Discord signed an address with is a secret of a job that runs here, too; what is refused later stays
// as it was given.
func TestSignaturesAreNoArguments(t *testing.T) {
	const plain = `{"source":{"url":"https://cdn.discordapp.com/attachments/1/2/a"},"mode":"merge"}`
	const signed = `{"source":{"url":"https://cdn.discordapp.com/attachments/1/2/a?ex=1\u0026hm=2"},"mode":"merge"}`
	const unknown = `{"source":{"url":"https://cdn.discordapp.com/a?ex=1"},"mode":"merge","wipe":true}`
	for name, c := range map[string]struct {
		kind       bus.JobKind
		args, want string
		secrets    bus.JobSecrets
	}{
		"signed":            {bus.JobRestorePlan, signed, plain, bus.JobSecrets{bus.SignatureSecret: "ex=1&hm=2"}},
		"not signed":        {bus.JobRestorePlan, plain, plain, nil},
		"another kind":      {bus.JobBackupCreate, signed, signed, nil},
		"an unknown option": {bus.JobRestorePlan, unknown, unknown, nil},
		"not JSON":          {bus.JobRestorePlan, `{"source":`, `{"source":`, nil},
	} {
		if got, secrets := unsigned(c.kind, json.RawMessage(c.args)); string(got) != c.want || !maps.Equal(secrets, c.secrets) {
			t.Errorf("%s: %s with %v, want %s with %v", name, got, secrets, c.want, c.secrets)
		}
	}
}
