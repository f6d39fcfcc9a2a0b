package main

import (
	"errors"
	"fmt"
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
		b, err := os.ReadFile(file)
		if err != nil {
			return secret.Value{}, fmt.Errorf("read the password: %w", err)
		}
		text = strings.TrimRight(string(b), "\r\n")
	}
	if len(text) > maxPassword {
		return secret.Value{}, fmt.Errorf("a password has at most %d bytes; nothing was done", maxPassword)
	}
	if text == "" {
		return secret.Value{}, nil
	}
	return secret.New(text), nil
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
