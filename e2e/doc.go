// Package e2e tests splashtail from outside: the real binary, started as an operator starts it, with a real redis-server
// beside it, capture clients of npm and one that is written down byte by byte, and a Discord on loopback.
//
// What comes in: the environment variables, sockets and HTTP paths that users have. What is looked at: what arrives at the
// other side, in Redis, at Discord and at the clients. Nothing inside is called, except package bus for reading a stream and
// for jobs, and package archive for reading a backup.
//
// Read program_test.go, redis_test.go and npm_test.go for what is started, then clients_test.go (what AutoMuteUs sees of a
// capture client), session_test.go (the session of the C# client, frame by frame, in testdata) and kill_*_test.go (what
// survives kill -9). Before the first run: make test-deps.
package e2e
