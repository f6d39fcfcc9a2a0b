package ipc

import (
	"encoding/json"
	"strings"

	"splashtail/bus"
)

// kindOf gives the kind that a task of the earlier server is; our own names are taken too.
func kindOf(name string) bus.JobKind {
	switch name {
	case "guild_create_backup", "server_backup_create":
		return bus.JobBackupCreate
	case "guild_restore_backup", "server_backup_restore":
		return bus.JobBackupRestore
	case "message_prune":
		return bus.JobMessagePrune
	}
	return bus.JobKind(strings.ReplaceAll(name, "_", "-"))
}

// submission reads the data of a task: ServerID says for which guild it is, Options are the arguments of the kind in our
// names, and Constraints are ours to set. Passwords among the options become secrets.
func submission(name string, data json.RawMessage) (bus.JobSubmit, error) {
	bad := func(text string) (bus.JobSubmit, error) {
		return bus.JobSubmit{}, bus.Errorf(bus.CodeInvalid, "bad_data", "%s; no task was created", text)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return bad("data is no JSON object")
	}
	s := bus.JobSubmit{Kind: kindOf(name)}
	var options map[string]json.RawMessage
	for field, v := range fields {
		var err error
		switch field {
		case "ServerID":
			var id string
			if json.Unmarshal(v, &id) != nil {
				return bad("ServerID is no text")
			}
			s.Guild, err = bus.ParseGuildID(id)
		case "UserID", "By":
			var id string
			if json.Unmarshal(v, &id) != nil {
				return bad(field + " is no text")
			}
			s.By, err = bus.ParseUserID(id)
		case "Options":
			if json.Unmarshal(v, &options) != nil {
				return bad("Options is no JSON object")
			}
		case "Constraints": // set by the server
		default:
			return bad("data has a field that is not known: " + clip(field))
		}
		if err != nil {
			return bus.JobSubmit{}, err
		}
	}
	if s.Guild == 0 {
		return bad("data has no ServerID")
	}
	for field, v := range options {
		if !isPassword(field) {
			continue
		}
		delete(options, field)
		var text string
		if json.Unmarshal(v, &text) != nil {
			return bad(clip(field) + " is no text")
		}
		if text != "" && s.Secrets != nil && s.Secrets["password"] != text {
			return bad("Options has two different passwords")
		}
		if text != "" {
			s.Secrets = bus.JobSecrets{"password": text}
		}
	}
	args, err := json.Marshal(options)
	if err != nil {
		return bad("Options cannot be read")
	}
	if options != nil {
		s.Args = args
	}
	return s, nil
}

func isPassword(field string) bool {
	f := strings.ToLower(field)
	return f == "encrypt" || f == "decrypt" || f == "password"
}

func clip(s string) string { return s[:min(len(s), 64)] }
