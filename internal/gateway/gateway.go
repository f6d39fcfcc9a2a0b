// Package gateway holds the numbers of Discord's gateway protocol: opcodes, close codes
// and intents. It decides nothing. Whoever speaks the protocol, to Discord, to bots, or in
// Discord's place, takes them from here. opcode.go, closecode.go and intent.go each hold
// one kind.
package gateway
