package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Application is a bot: what it is called and the token that it calls with.
type Application struct {
	ID   ID // of the application and of its bot user
	Name string
	// Token is what stands after "Bot " in its Authorization header. It opens nothing outside this sandbox.
	Token string
}

// ApplicationSpec says which bot to make; only Name is required.
type ApplicationSpec struct {
	Name string
	// Token is the token to accept; empty means a random one in Discord's shape.
	Token string
	// MembersIntent is the privileged switch that GET /guilds/{id}/members needs. It, PresenceIntent and MessageContentIntent
	// let the bot ask for those intents on the gateway.
	MembersIntent, PresenceIntent, MessageContentIntent bool
	// WithoutMFA says that the bot's owner has no second factor: guilds that ask for one (SetMFA) refuse the bot's moderation.
	WithoutMFA bool
}

type tokenHash [sha256.Size]byte

// hashToken is how the sandbox knows tokens: it keeps no token that it is sent.
func hashToken(token string) tokenHash { return sha256.Sum256([]byte(token)) }

// TokenHash is how logs and Request.Token name a token: the first 8 hex digits of its SHA-256.
func TokenHash(token string) string { return hashToken(token).short() }

func (h tokenHash) short() string { return hex.EncodeToString(h[:4]) }

type application struct {
	user          *user
	hash          tokenHash
	membersIntent bool
	presences     bool // the privileged switch
	contentIntent bool
	noFactor      bool // the owner has no second one
	revoked       bool
	commands      map[ID]*command
	creates       map[ID]creates // by guild; zero = global
}

type user struct {
	id         ID
	name       string
	globalName string
	bot        bool
	avatar     *string
}

// AddApplication makes a bot with its user. It fails when the token is taken, holds white space, or the sandbox is full.
func (d *Discord) AddApplication(spec ApplicationSpec) (Application, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.apps) >= maxApplications {
		return Application{}, fmt.Errorf("sandbox: no more than %d applications; none was added", maxApplications)
	}
	id := d.newID()
	if spec.Token == "" {
		spec.Token = newToken(id)
	}
	if strings.ContainsAny(spec.Token, " \t\r\n") {
		return Application{}, errors.New("sandbox: a bot token holds no white space; no application was added")
	}
	a := &application{
		hash: hashToken(spec.Token), membersIntent: spec.MembersIntent, presences: spec.PresenceIntent,
		contentIntent: spec.MessageContentIntent, noFactor: spec.WithoutMFA, commands: map[ID]*command{}, creates: map[ID]creates{},
	}
	if d.tokens[a.hash] != nil {
		return Application{}, fmt.Errorf("sandbox: token %s belongs to another application; none was added", a.hash.short())
	}
	a.user = &user{id: id, name: spec.Name, bot: true}
	d.users[id], d.apps[id], d.tokens[a.hash] = a.user, a, a
	d.changed()
	return Application{ID: id, Name: spec.Name, Token: spec.Token}, nil
}

// newToken makes a token of Discord's three parts: the bot's id, a time, a secret.
func newToken(id ID) string {
	secret := make([]byte, 28)
	rand.Read(secret) // never fails since Go 1.24
	enc := base64.RawURLEncoding
	at := time.Now().Unix()
	return enc.EncodeToString([]byte(id.String())) + "." +
		enc.EncodeToString([]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)}) + "." + enc.EncodeToString(secret)
}

// Revoke makes an application's token invalid (401 from now on), or valid again.
func (d *Discord) Revoke(app ID, revoked bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.apps[app]
	if a == nil {
		return fmt.Errorf("sandbox: no application %s; no token was revoked", app)
	}
	a.revoked = revoked
	if revoked {
		d.endSessions(a, "Authentication failed.")
	}
	d.changed()
	return nil
}

// AddUser makes a person. Name is the user name; the display name is the same.
func (d *Discord) AddUser(name string) (ID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.users) >= maxUsers {
		return 0, fmt.Errorf("sandbox: no more than %d users; none was added", maxUsers)
	}
	id := d.newID()
	d.users[id] = &user{id: id, name: strings.ToLower(name), globalName: name}
	d.changed()
	return id, nil
}
