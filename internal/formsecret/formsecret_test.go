package formsecret

import (
	"encoding/json"
	"strings"
	"testing"

	"splashtail/internal/secret"
)

func form(id, customID, value string) json.RawMessage {
	quoted, _ := json.Marshal(value)
	return json.RawMessage(`{"id":"` + id + `","type":5,"guild_id":"12345678901234567890","n":1.50,"data":{"custom_id":"x","components":[` +
		`{"type":1,"components":[{"type":4,"custom_id":"note","value":"a <note>"},{"type":4,"custom_id":"` + customID + `","value":` + string(quoted) + `}]},` +
		`{"type":18,"component":{"type":4,"custom_id":"` + Input("deep") + `","value":` + string(quoted) + `}}]}}`)
}

// values gives the value of each input by its custom id.
func values(t *testing.T, data json.RawMessage) map[string]string {
	t.Helper()
	type input struct {
		ID    string `json:"custom_id"`
		Value string
	}
	var it struct {
		Data struct {
			Components []struct {
				Components []input
				Component  input
			}
		}
	}
	if err := json.Unmarshal(data, &it); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, row := range it.Data.Components {
		for _, i := range append(row.Components, row.Component) {
			out[i.ID] = i.Value
		}
	}
	return out
}

func TestWhatIsHiddenComesBackForItsPlaceOnly(t *testing.T) {
	t.Parallel()
	k := New(secret.New("token"))
	for _, typed := range []string{"correct horse", "", `"quoted" <b> & sealed:AAAA`, strings.Repeat("ü", 2000)} {
		data := form("1", Input("password"), typed)
		hidden, err := k.Hide("INTERACTION_CREATE", data)
		if err != nil {
			t.Fatal(err)
		}
		got := values(t, hidden)
		if typed != "" && strings.Contains(string(hidden), typed) {
			t.Errorf("the hidden event has %q", typed)
		}
		if got["note"] != "a <note>" || !strings.Contains(string(hidden), "1.50") || !strings.Contains(string(hidden), "12345678901234567890") {
			t.Errorf("what is not secret was changed: %s", hidden)
		}
		for _, id := range []string{Input("password"), Input("deep")} {
			if plain, err := k.Reveal("1", id, got[id]); err != nil || plain != typed {
				t.Errorf("%s: %q, %v, want %q", id, plain, err, typed)
			}
		}
		value := got[Input("password")]
		for name, reveal := range map[string]func() (string, error){
			"another interaction": func() (string, error) { return k.Reveal("2", Input("password"), value) },
			"another input":       func() (string, error) { return k.Reveal("1", Input("deep"), value) },
			"another token":       func() (string, error) { return New(secret.New("other")).Reveal("1", Input("password"), value) },
			"in the clear":        func() (string, error) { return k.Reveal("1", Input("password"), typed) },
			"cut":                 func() (string, error) { return k.Reveal("1", Input("password"), value[:len(value)/2]) },
		} {
			if plain, err := reveal(); err == nil {
				t.Errorf("%s: it gave %q", name, plain)
			}
		}
	}
}

// TestWhatIsNotOursStaysAsItIs: other programs with this token read their events as Discord sent them.
func TestWhatIsNotOursStaysAsItIs(t *testing.T) {
	t.Parallel()
	k := New(secret.New("token"))
	plain := json.RawMessage(`{"id":"1", "type":5,"data":{"components":[{"components":[{"custom_id":"password","value":"x"}]}]}}`)
	for name, c := range map[string]struct {
		event string
		data  json.RawMessage
	}{
		"a form of another program": {"INTERACTION_CREATE", plain},
		"another event":             {"MESSAGE_CREATE", form("1", Input("password"), "x")},
	} {
		if got, err := k.Hide(c.event, c.data); err != nil || string(got) != string(c.data) {
			t.Errorf("%s was changed to %s, %v", name, got, err)
		}
	}
}

// FuzzHide: whatever Discord sends is hidden or refused, and stays JSON.
func FuzzHide(f *testing.F) {
	k := New(secret.New("token"))
	f.Add([]byte(form("1", Input("password"), "hunter2")))
	f.Add([]byte(`{"type":5,"custom_id":"splashtail.secret/","value":"hunter2"}`))
	f.Add([]byte(`{"type":5,"id":1,"data":[[{"custom_id":"splashtail\u002esecret/","value":"hunter2"}]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := k.Hide("INTERACTION_CREATE", data)
		if err != nil || !json.Valid(data) {
			return
		}
		again, err := k.Hide("INTERACTION_CREATE", got)
		if !json.Valid(got) || err != nil || len(again) < len(got) {
			t.Errorf("%q became %q, and that %q (%v)", data, got, again, err)
		}
	})
}
