package sandbox

import "strconv"

// intQuery reads a whole number within bounds from the query, with a default when it is absent.
func (c *call) intQuery(key string, fallback, lowest, highest int) (int, *apiError) {
	raw := c.query.Get(key)
	if raw == "" {
		return fallback, nil
	}
	var bad formErrors
	n, err := strconv.Atoi(raw)
	switch {
	case err != nil:
		bad.add("NUMBER_TYPE_COERCE", "Value "+quoted([]byte(raw))+" is not int.", key)
	case n < lowest:
		bad.add("NUMBER_TYPE_MIN", "int value should be greater than or equal to "+strconv.Itoa(lowest)+".", key)
	case n > highest:
		bad.add("NUMBER_TYPE_MAX", "int value should be less than or equal to "+strconv.Itoa(highest)+".", key)
	}
	return n, bad.err()
}

// snowflakeQuery reads an id from the query; absent or 0 is the id before all.
func (c *call) snowflakeQuery(key string) (ID, *apiError) {
	raw := c.query.Get(key)
	if raw == "" || raw == "0" {
		return 0, nil
	}
	id, err := ParseID(raw)
	if err != nil {
		var bad formErrors
		bad.add("NUMBER_TYPE_COERCE", "Value "+quoted([]byte(raw))+" is not snowflake.", key)
		return 0, bad.err()
	}
	return id, nil
}

// boolQuery reads a truth value from the query; absent is false.
func (c *call) boolQuery(key string) (bool, *apiError) {
	raw := c.query.Get(key)
	if raw == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(raw)
	if err != nil {
		var bad formErrors
		bad.add("BOOLEAN_TYPE_CONVERT", "Must be either true or false.", key)
		return false, bad.err()
	}
	return v, nil
}
