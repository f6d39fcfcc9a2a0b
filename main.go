// Command splashtail mutes and protects Discord communities on one durable event bus.
//
// Read components.go for what runs, cli.go for how it is called, config.go for what can be set.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

// version is set by the Makefile (-ldflags -X main.version=...); see buildVersion for what an unset one means.
var version string

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	p := program{args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr, signals: signals, components: components()}
	os.Exit(p.run())
}
