package sandbox

import "encoding/json"

// roleBody is the body of a new or changed role: only the keys that were sent are set.
type roleBody struct {
	name        field[string]
	permissions field[Permissions]
	color       field[int]
	secondary   field[int]
	tertiary    field[int]
	hoist       field[bool]
	mentionable field[bool]
	emoji       field[string]
	icon        field[picture]
}

const maxColor = 1<<24 - 1

func parseRole(keys map[string]json.RawMessage) (roleBody, *apiError) {
	var b roleBody
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(1, 100))
	read(&bad, keys, "permissions", &b.permissions, asPermissions)
	read(&bad, keys, "color", &b.color, asRange(0, maxColor))
	read(&bad, keys, "hoist", &b.hoist, asBool)
	read(&bad, keys, "mentionable", &b.mentionable, asBool)
	read(&bad, keys, "unicode_emoji", &b.emoji, asText(0, 100))
	read(&bad, keys, "icon", &b.icon, asRoleIcon)
	if raw, ok := keys["colors"]; ok && string(raw) != "null" {
		bad.nest([]string{"colors"}, func(bad *formErrors) {
			if inner, ok := asObject(bad, raw); ok {
				read(bad, inner, "primary_color", &b.color, asRange(0, maxColor))
				read(bad, inner, "secondary_color", &b.secondary, asRange(0, maxColor))
				read(bad, inner, "tertiary_color", &b.tertiary, asRange(0, maxColor))
			}
		})
	}
	return b, bad.err()
}

// maxRoleIcon is how large the picture of a role may be.
const maxRoleIcon = 256 << 10

func asRoleIcon(bad *formErrors, key string, raw json.RawMessage) picture {
	b := asData(maxRoleIcon, imageKind)(bad, key, raw)
	if b.kind == "" {
		return picture{}
	}
	return newPicture(b)
}

// needs says whether the guild has the boosts for what is wished: icons, and more than one colour. That the refusal is the
// same for both is a guess.
func (b roleBody) needs(g *guild) *apiError {
	icon := b.icon.value.hash != "" || b.emoji.value != ""
	gradient := b.secondary.set && !b.secondary.null || b.tertiary.set && !b.tertiary.null
	if icon && !g.has("ROLE_ICONS") || gradient && g.tier < 3 {
		return boostsNeeded()
	}
	return nil
}

// apply changes a role; null means the value of a fresh one.
func (b roleBody) apply(r *role) {
	set(&r.name, b.name)
	set(&r.permissions, b.permissions)
	set(&r.color, b.color)
	set(&r.hoist, b.hoist)
	set(&r.mentionable, b.mentionable)
	setPointer(&r.secondary, b.secondary)
	setPointer(&r.tertiary, b.tertiary)
	setPointer(&r.emoji, b.emoji)
	set(&r.icon, b.icon)
	if r.name == "" {
		r.name = "new role"
	}
}

// set takes over a value that was sent; null is the zero value.
func set[T any](at *T, f field[T]) {
	if f.set {
		*at = f.value
	}
}

// setPointer takes over a value that was sent; null and the empty text are none.
func setPointer[T comparable](at **T, f field[T]) {
	if !f.set {
		return
	}
	*at = nil
	if !f.null {
		v := f.value
		*at = &v
	}
}
