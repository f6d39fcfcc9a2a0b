package discord

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestRefusalIsWhatAnotherTryWouldGet: everybody who gives something up on Discord's word asks here.
func TestRefusalIsWhatAnotherTryWouldGet(t *testing.T) {
	for status, want := range map[int]bool{400: true, 403: true, 404: true, 401: false, 429: false, 500: false, 503: false, 302: false} {
		cause := &APIError{Status: status}
		if e, ok := Refusal(fmt.Errorf("a step: %w", cause)); ok != want || ok && e != cause {
			t.Errorf("%d is a refusal: %t, want %t", status, ok, want)
		}
	}
	for _, err := range []error{nil, context.Canceled, errors.New("the connection broke"), &LimitedError{Reason: ReasonForbidden}} {
		if _, ok := Refusal(err); ok {
			t.Errorf("%v counts as Discord's refusal", err)
		}
	}
}
