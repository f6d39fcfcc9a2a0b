package broker

import "splashtail/bus"

// The keys and channels that AutoMuteUs shares with us in Redis. Its sources fix their
// names; the script in redis_edge.go has those that it writes.

// ackChannel is where AutoMuteUs asks whether a client is there, when it starts or
// resumes a game.
func ackChannel(c bus.ConnectCode) string { return "automuteus:jobs:" + c.String() + ":ack" }

// notifyChannel is where AutoMuteUs hears that its list has something.
func notifyChannel(c bus.ConnectCode) string { return "automuteus:jobs:" + c.String() + ":notify" }

// oldTaskChannel brings mute tasks of galactus up to 2.4.1.
func oldTaskChannel(c bus.ConnectCode) string { return "automuteus:tasks:subscribe:" + c.String() }

// taskChannel brings mute tasks of later ones and of AutoMuteUs 8. It is a channel, in
// spite of its name.
func taskChannel(c bus.ConnectCode) string { return "automuteus:tasks:list:" + c.String() }

// broadcastChannel is where the asker of an old task hears that somebody has it.
func broadcastChannel(taskID string) string { return "automuteus:tasks:broadcast:ack:" + taskID }

// completeChannel is where the asker of a task hears how it went.
func completeChannel(taskID string) string { return "automuteus:tasks:complete:ack:" + taskID }

// noticesChannel is where bots hear that the games of a stopping broker end.
const noticesChannel = "automuteus:notices"

// roomCodeKey holds the lobby code of a game.
func roomCodeKey(c bus.ConnectCode) string { return "automuteus:roomcode:" + c.String() }

// Keys that AutoMuteUs writes and the page at / shows.
const (
	keyVersion    = "automuteus:version"
	keyCommit     = "automuteus:commit"
	keyGuilds     = "automuteus:count:guilds"
	keyGames      = "automuteus:games"
	keyTotalUsers = "automuteus:users:total"
	keyTotalGames = "automuteus:games:total"
)
