package sandbox

import (
	"encoding/json"
	"fmt"
)

// maxGiven bounds the files that people gave to commands; older ones are gone, as they are at Discord after some days.
const maxGiven = 100

// givenFolder is where Discord keeps such files: they belong to no channel.
const givenFolder = "ephemeral-attachments"

// give takes a file that somebody gives to a command and notes it among what ids stand for.
func (d *Discord) give(app ID, r *wireResolve, value json.RawMessage) (ID, error) {
	var f File
	if err := json.Unmarshal(value, &f); err != nil || f.Name == "" {
		return 0, fmt.Errorf(`sandbox: a file is given as {"name": …, "type": …, "data": base64}, not as %.60s; nothing was used`, value)
	}
	if len(f.Data) > maxFile {
		return 0, fmt.Errorf("sandbox: the file %q has %d bytes, and people can upload %d; nothing was used", f.Name, len(f.Data), maxFile)
	}
	id := d.newID()
	a := d.newAttachment(app, id, f.Name, len(f.Data), "", blob{kind: f.Type, data: f.Data})
	a.path = "/" + givenFolder + "/" + app.String() + "/" + id.String() + "/" + a.Filename
	a.Ephemeral = true
	d.given = append(d.given, a)
	if len(d.given) > maxGiven {
		d.given = append(d.given[:0:0], d.given[len(d.given)-maxGiven:]...)
	}
	r.Attachments[id] = a.wire()
	return id, nil
}

// givenAt finds such a file by its path.
func (d *Discord) givenAt(path string) (blob, bool) {
	for _, a := range d.given {
		if a.path == path {
			return a.blob, true
		}
	}
	return blob{}, false
}
