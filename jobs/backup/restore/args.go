package restore

import (
	"bytes"
	"encoding/json"
)

// UnmarshalJSON reads the arguments of the job. A name that is not an argument is refused.
func (w *Planner) UnmarshalJSON(data []byte) error { return strictly(data, &w.Args) }

// UnmarshalJSON reads the arguments of the job. A name that is not an argument is refused.
func (w *Restorer) UnmarshalJSON(data []byte) error { return strictly(data, &w.Args) }

func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
