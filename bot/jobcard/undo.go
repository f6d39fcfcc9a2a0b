package jobcard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
)

// undoFields say what an undo did, what Discord refused, and what to do next.
func undoFields(w words.Language, data json.RawMessage) []card.Field {
	var done bus.UndoDone
	if len(data) == 0 || json.Unmarshal(data, &done) != nil {
		return nil
	}
	total := 0
	var text strings.Builder
	verbs := slices.SortedFunc(maps.Keys(done.Done), func(a, b string) int {
		return cmp.Or(done.Done[b]-done.Done[a], strings.Compare(a, b))
	})
	for _, v := range verbs {
		total += done.Done[v]
		fmt.Fprintf(&text, "%s: %d\n", w.T("step."+v), done.Done[v])
	}
	var fields []card.Field
	if total > 0 {
		fields = append(fields, card.Field{Name: w.T("undo.did", "count", total, "steps", done.Steps), Value: text.String()})
	}
	if len(done.Failed) > 0 {
		fields = append(fields, card.Field{Name: w.T("jobcard.failed", "count", len(done.Failed)), Value: Bullets(done.Failed, len(done.Failed))})
	}
	return append(fields, card.Field{Name: w.T("jobcard.next"), Value: w.T("undo.next")})
}
