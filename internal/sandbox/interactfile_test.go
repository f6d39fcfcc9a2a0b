package sandbox

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFilesOfCommands: a file goes with a command as Discord sends it, and is there for who has its signed address.
func TestFilesOfCommands(t *testing.T) {
	d := newDesk(t)
	if got := d.say("PUT", "/applications/{app}/commands", `[{"name":"take","description":"d","options":[{"type":11,"name":"file","description":"d","required":true}]}]`); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	spec := InteractionSpec{App: d.w.bot.ID, Guild: d.w.guild, Channel: d.w.text, User: d.w.ana, Command: "take"}
	for name, bad := range map[string]any{"text": "x", "no name": File{Data: []byte("x")}, "too large": File{Name: "a", Data: make([]byte, maxFile+1)}} {
		spec.Options = map[string]any{"file": bad}
		if _, err := d.w.Interact(spec); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	spec.Options = map[string]any{"file": map[string]any{"name": "a b.bin", "data": "ZGF0YQ=="}} // as scripts in JSON give it
	if _, err := d.w.Interact(spec); err != nil {
		t.Fatal(err)
	}
	r := newWireResolve()
	d.w.mu.Lock()
	id, err := d.w.give(d.w.bot.ID, &r, rawJSON(File{Name: "a b.bin", Type: "application/octet-stream", Data: []byte("data")}))
	d.w.mu.Unlock()
	a := r.Attachments[id]
	if err != nil || a.Size != 4 || !a.Ephemeral || !strings.HasSuffix(strings.Split(a.URL, "?")[0], "/a%20b.bin") {
		t.Fatalf("%+v %v", r.Attachments, err)
	}
	get := func(url string) (int, string) {
		rec := httptest.NewRecorder()
		d.w.ServeHTTP(rec, httptest.NewRequest("GET", url, nil))
		return rec.Code, rec.Body.String()
	}
	if status, body := get(a.URL); status != 200 || body != "data" {
		t.Errorf("%d %s", status, body)
	}
	bare, _, _ := strings.Cut(a.URL, "?")
	if status, _ := get(bare); status != 404 {
		t.Errorf("without a signature: %d", status)
	}
	for range maxGiven {
		if _, err := d.w.Interact(spec); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := get(a.URL); status != 404 || len(d.w.given) != maxGiven {
		t.Errorf("it is kept for ever: %d, %d files", status, len(d.w.given))
	}
}
