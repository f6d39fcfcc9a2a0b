// Package discord talks to Discord's REST interface for the components.
//
// What comes in: a token, a route and a change. What goes out: the request, the
// answer with what its headers say about the rate limit, and an *APIError that tells
// whose fault a refusal is. Window is the learnt budget of one rate limit; it decides
// nothing by itself, its user asks it before a request.
//
// Read client.go first, then window.go.
package discord
