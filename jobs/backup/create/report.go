package create

import "splashtail/jobs/backup/model"

const leftOut = "it was not asked for"

// report is what a step tells the manifest.
type report struct {
	Items   []model.Item    `json:"items,omitempty"`
	Missing []model.Missing `json:"missing,omitempty"`
	Dropped int             `json:"dropped,omitempty"`
}

// kept says that something is in the backup; remark says what is not quite whole.
func (r *report) kept(name string, count int, remark string) {
	r.Items = append(r.Items, model.Item{Name: name, Kept: true, Count: count, Reason: remark})
}

// not says that something is not in the backup.
func (r *report) not(name, reason string) {
	r.Items = append(r.Items, model.Item{Name: name, Reason: reason})
}

// miss names a single thing that is not in the backup.
func (r *report) miss(what string, id model.ID, why string) {
	if len(r.Missing) >= model.MaxMissing {
		r.Dropped++
		return
	}
	r.Missing = append(r.Missing, model.Missing{What: what, ID: id, Why: why})
}

// add takes over what another report says.
func (r *report) add(o report) {
	r.Items = append(r.Items, o.Items...)
	for _, m := range o.Missing {
		r.miss(m.What, m.ID, m.Why)
	}
	r.Dropped += o.Dropped
}
