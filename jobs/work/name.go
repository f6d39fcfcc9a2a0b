package work

import "strings"

// maxName bounds keys of notes and names of files, in bytes.
const maxName = 128

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// GoodKey says whether a text can be the key of a note.
func GoodKey(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, plain+"/") == ""
}

// GoodName says whether a text can be the name of a job's file: it leads into no other directory.
func GoodName(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, plain) == "" && strings.Trim(s, ".") != ""
}
