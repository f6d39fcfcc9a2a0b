package openapi

import (
	"encoding/json"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// Component checks a value against one of the description's component schemas, for objects that no route answers with: the
// description knows no gateway events, but what is inside of them.
func (s *Spec) Component(name string, value []byte) error {
	ref := s.doc.Components.Schemas[name]
	if ref == nil {
		return fmt.Errorf("openapi: the description has no component %q", name)
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("openapi: %s: %w", name, err)
	}
	if err := s.doc.ValidateSchemaJSON(ref.Value, v, openapi3.VisitAsResponse()); err != nil {
		return fmt.Errorf("openapi: %s: %w", name, err)
	}
	return nil
}
