// Package formsecret keeps what people type into secret inputs of our forms, such as the password of a backup, out of the
// streams: Discord sends it as a part of an event, and events are stored as they come.
//
// What comes in at the gateway: an interaction whose secret inputs are named by Input. What goes out to the stream: the same
// with each of those values sealed (Hide). What the bot reads back (Reveal): the value, for this interaction only. Both ends take
// their key from the bot's token. Forms of other programs with the same token are left as they are.
package formsecret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"splashtail/internal/rawjson"
	"splashtail/internal/seal"
	"splashtail/internal/secret"
)

// mark begins the custom id of a secret input.
const mark = "splashtail.secret/"

// sealed begins a value that Hide has sealed.
const sealed = "sealed:"

// The only event that brings what people typed into forms, and its type then (MODAL_SUBMIT).
const (
	event     = "INTERACTION_CREATE"
	submitted = "5"
)

// Input is the custom id of the secret input of that name: at most 82 characters, since Discord takes 100.
func Input(name string) string { return mark + name }

// Name is the name of an input, and whether it is a secret one, by its custom id.
func Name(customID string) (name string, isSecret bool) { return strings.CutPrefix(customID, mark) }

// Keeper hides and reveals.
type Keeper struct{ sealer *seal.Sealer }

// New makes the Keeper of all who have the bot's token.
func New(token secret.Value) Keeper { return Keeper{seal.FromToken(token, "form")} }

// Hide gives the data of an event as it may be stored: that of a form with secret inputs has their values sealed, everything
// else is what it was, byte for byte. Errors: there is something to hide and it cannot be; then the event must not be stored.
func (k Keeper) Hide(name string, data json.RawMessage) (json.RawMessage, error) {
	if name != event || string(rawjson.Get(data, "type")) != submitted {
		return data, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil {
		return nil, fmt.Errorf("what was typed into a form cannot be read: %w", err)
	}
	n, err := k.hideIn(all, rawjson.Text(rawjson.Get(data, "id")))
	if err != nil {
		return nil, fmt.Errorf("what was typed into a form cannot be sealed: %w", err)
	}
	if n == 0 {
		return data, nil
	}
	return json.Marshal(all)
}

// hideIn seals the values of the secret inputs in v, at any depth, since Discord wraps them in rows and in labels, and says how many
// there were.
func (k Keeper) hideIn(v any, interaction string) (n int, err error) {
	var inside []any
	switch v := v.(type) {
	case []any:
		inside = v
	case map[string]any:
		id, _ := v["custom_id"].(string)
		value, typed := v["value"].(string)
		if _, isSecret := Name(id); isSecret && typed {
			closed, err := k.sealer.Close(value, record(interaction, id))
			if err != nil {
				return 0, err
			}
			v["value"] = sealed + base64.StdEncoding.EncodeToString(closed)
			n++
		}
		inside = slices.Collect(maps.Values(v))
	}
	for _, each := range inside {
		more, err := k.hideIn(each, interaction)
		if err != nil {
			return n, err
		}
		n += more
	}
	return n, nil
}

// record binds a value to its place, so that it opens nowhere else.
func record(interaction, customID string) string { return interaction + "/" + customID }

// Reveal gives back the value of a secret input of an interaction. Errors: it is not what Hide made for this input of this interaction
// with this token; the sentence has nothing of the value.
func (k Keeper) Reveal(interaction, customID, value string) (string, error) {
	text, ok := strings.CutPrefix(value, sealed)
	if !ok {
		return "", errors.New("what was typed came unsealed: the gatewayproxy that stored it is older than this bot")
	}
	closed, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		text, err = k.sealer.Open(closed, record(interaction, customID))
	}
	if err != nil {
		return "", errors.New("what was typed cannot be unsealed: it is of another form, or the gatewayproxy has another bot's token")
	}
	return text, nil
}
