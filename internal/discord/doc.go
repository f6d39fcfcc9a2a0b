// Package discord talks to Discord's REST interface for the components.
//
// What comes in: a token, a route and a change. What goes out: the request, when its turn
// has come, the answer with what its headers say about the rate limit, and an *APIError
// that tells whose fault a refusal is.
//
// Two ways lead through it. Client.EditVoice with a Window is for muteproxy, which plans
// over many tokens itself: a Window is the learnt budget of one rate limit and decides
// nothing. Everybody else uses a Client with a Limiter, or a Bot of one: guild.go,
// member.go, ban.go … name the calls. One Limiter serves all that one address sends, the
// pass-through of the gateway proxy included.
//
// permission.go and hierarchy.go compute who may do what, on discordgo's types, without
// a request.
//
// Read client.go and request.go first. The limiter: limiter.go says what it is asked,
// route.go which requests share a limit, bucket.go and window.go one limit, global.go
// and invalid.go what holds for all routes, queue.go who goes next, permit.go what
// answers teach, memory.go what is kept and forgotten.
package discord
