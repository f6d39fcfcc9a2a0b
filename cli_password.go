package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"splashtail/internal/secret"
)

// maxPassword bounds a password, in bytes.
const maxPassword = 1024

// passwordFrom gives a password: asked for on the terminal, else what the file holds, else what the environment does; zero
// when there is none. No flag takes one, since flags are in the list of processes and in shells' histories.
func passwordFrom(env, file string, ask bool) (secret.Value, error) {
	text := os.Getenv(env)
	switch {
	case ask:
		typed, err := typePassword()
		if err != nil {
			return secret.Value{}, err
		}
		text = typed
	case file != "":
		read, err := passwordIn(file)
		if err != nil {
			return secret.Value{}, err
		}
		text = read
	}
	if len(text) > maxPassword {
		return secret.Value{}, fmt.Errorf("a password has at most %d bytes; nothing was done", maxPassword)
	}
	if text == "" {
		return secret.Value{}, nil
	}
	return secret.New(text), nil
}

// passwordIn gives what a file holds, without the end of its line. A file that is named and holds none is a mistake, after
// which something would be written in the clear.
func passwordIn(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("the file of the password cannot be read; nothing was done: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword+3)) // a line may end with two bytes, and one is too many
	if err != nil {
		return "", fmt.Errorf("the file of the password cannot be read; nothing was done: %w", err)
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s holds no password; nothing was done", line(file))
	}
	return text, nil
}

// typePassword asks on the terminal without showing what is typed.
func typePassword() (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", errors.New("--ask-password needs a terminal; nothing was done. Give the password in the environment or a file")
	}
	fmt.Fprint(os.Stderr, "Password: ")
	defer fmt.Fprintln(os.Stderr)
	typed, err := term.ReadPassword(in)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if len(typed) == 0 {
		return "", errors.New("no password was typed; nothing was done")
	}
	return string(typed), nil
}
