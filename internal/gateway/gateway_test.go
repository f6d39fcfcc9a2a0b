package gateway

import "testing"

// TestIntentsAreTheBitsThatExist: 0 to 16, 20, 21, 24 and 25, as Discord documents them.
func TestIntentsAreTheBitsThatExist(t *testing.T) {
	if want := 1<<17 - 1 | 1<<20 | 1<<21 | 1<<24 | 1<<25; KnownIntents != want {
		t.Errorf("%b, want %b", KnownIntents, want)
	}
	if FreeIntents&PrivilegedIntents != 0 {
		t.Error("an intent is both free and privileged")
	}
}

func TestWithoutNamesWhatAnApplicationLacks(t *testing.T) {
	for _, c := range []struct{ intents, flags, want uint64 }{
		{KnownIntents, 0, PrivilegedIntents},
		{FreeIntents, 0, 0},
		{KnownIntents, 1 << 14, IntentGuildPresences | IntentMessageContent},
		{KnownIntents, MayMembers | MayPresences | MayMessageContent, 0},
		{IntentGuildMembers, 1<<13 | 1<<19, IntentGuildMembers},
	} {
		if got := Without(c.intents, c.flags); got != c.want {
			t.Errorf("Without(%b, %b) = %b, want %b", c.intents, c.flags, got, c.want)
		}
	}
}
