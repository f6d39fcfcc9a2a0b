package ancestor

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"splashtail/jobs/backup/archive"
)

// TestTotal: once the attachments of a file have unpacked to as much as is allowed together, the others are named and left.
func TestTotal(t *testing.T) {
	w, err := archive.NewWriter(io.Discard, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &File{in: bytes.NewReader([]byte("hello")), sections: map[string]span{"attachments/4": {0, 5}}, total: maxTotal - 1}
	a := attachment{ID: "4", Storage: "uncompressed"}
	if u, err := f.unpack(w, a); err != nil || u.size != 5 || u.skipped != "" {
		t.Errorf("the last one: %+v, %v", u, err)
	}
	if u, err := f.unpack(w, a); err != nil || !strings.Contains(u.skipped, "the limit is 2147483648") {
		t.Errorf("one more: %+v, %v", u, err)
	}
}
