package limits

import (
	"testing"
	"time"

	"splashtail/bus"
)

func TestWhatIfCountsWhatWasBeforeTheLimit(t *testing.T) {
	var list []bus.Action
	for i := range 10 { // a minute in between after five
		list = append(list, act(bus.ActionChannelRemove, 7, i*100+i/5*60_000, uint64(i)))
	}
	r := limit(3, 10)
	r.At = time.Now().Add(time.Hour)
	hits := WhatIf([]bus.LimitRule{r}, list)
	if len(hits) != 2 || len(hits[0].Causes) != 3 || hits[0].Actor != 7 {
		t.Errorf("%+v", hits)
	}
	if again := WhatIf([]bus.LimitRule{r}, list); len(again) != 2 {
		t.Errorf("a second trial: %+v", again)
	}
	if none := WhatIf(nil, list); none != nil {
		t.Errorf("without limits: %+v", none)
	}
}
