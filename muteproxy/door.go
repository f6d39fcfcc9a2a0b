package muteproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/secret"

	"github.com/gofiber/fiber/v2"
)

// answerWithin is how long a caller waits at most: AutoMuteUs gives up after 10 s and
// then knows nothing.
const answerWithin = 9 * time.Second

// Bounds of what a caller may send.
const (
	maxBody  = 256 << 10
	maxUsers = 1000 // in one request; a voice channel has at most 99 seats
)

// door is the HTTP interface that every AutoMuteUs from 5 to 7 calls.
type door struct {
	m      *Muteproxy
	app    *fiber.App
	opened chan struct{}
	wishes *wishes
}

func newDoor(m *Muteproxy) *door {
	d := &door{m: m, opened: make(chan struct{})}
	d.app = fiber.New(fiber.Config{
		DisableStartupMessage: true, Immutable: true, Concurrency: 1024,
		// A body that is a little too large is read, so that its sender can be told; one
		// that is far too large is cut off.
		BodyLimit:   4 * maxBody,
		ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorHandler: d.problem,
	})
	d.app.Use(d.count)
	d.app.Get("/", func(c *fiber.Ctx) error { return c.SendString("ok") })
	guarded := d.app.Group("/", d.authorize, d.fits)
	d.route(guarded, "/modify/:guild/:code", d.modify)
	d.route(guarded, "/modify/:guild/:code/:user", d.modifyOne)
	d.route(guarded, "/addtoken", d.addToken)
	d.route(guarded, "/verify/:guild/:tier", d.verify)
	return d
}

// route takes POST and says of any other method that it is not allowed.
func (d *door) route(r fiber.Router, path string, h fiber.Handler) {
	r.Post(path, h)
	r.All(path, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAllow, http.MethodPost)
		return fiber.NewError(http.StatusMethodNotAllowed, "this path takes POST only; nothing was changed")
	})
}

func (d *door) serve(ln net.Listener) {
	if err := d.app.Listener(ln); err != nil && !errors.Is(err, net.ErrClosed) {
		d.m.log.Error("the door for AutoMuteUs closed by itself", "err", err)
	}
}

// open lets requests through that waited for the stored wishes.
func (d *door) open(w *wishes) {
	d.wishes = w
	close(d.opened)
}

// close takes no new requests, and closes the channel when those that are there have their
// answers, at the latest after most.
func (d *door) close(ln net.Listener, most time.Duration) (served <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.app.ShutdownWithTimeout(most); err != nil {
			d.m.log.Warn("requests at the door were cut", "err", err)
		}
		_ = ln.Close() // it is open still when it was not served yet
	}()
	return done
}

// awaitOpen waits until wishes are taken; false when that comes too late for ctx, or never.
func (d *door) awaitOpen(ctx context.Context) bool {
	select {
	case <-d.opened:
		return true
	case <-ctx.Done():
	case <-d.m.stopped:
	}
	return false
}

// fits refuses a body that is larger than any real one.
func (d *door) fits(c *fiber.Ctx) error {
	if len(c.Body()) > maxBody {
		return fiber.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d KiB; nothing was changed", maxBody>>10))
	}
	return c.Next()
}

// authorize asks for the bearer token if one is configured. GET / stays open: it says
// nothing, and AutoMuteUs ends itself without it.
func (d *door) authorize(c *fiber.Ctx) error {
	want := d.m.cfg.Secret
	if want.IsZero() {
		return c.Next()
	}
	got, isBearer := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
	if isBearer && want.Equal(got) {
		return c.Next()
	}
	c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	return fiber.NewError(http.StatusUnauthorized, "this door asks for a secret; nothing was changed; send it as a bearer token (GALACTUS_SECRET)")
}

func (d *door) modify(c *fiber.Ctx) error {
	begun := time.Now()
	guild, code, err := pathParams(c)
	if err != nil {
		return err
	}
	b, err := parseModify(c.Body())
	if err != nil {
		return err
	}
	return d.apply(c, begun, guild, code, b.tier, b.requests)
}

// modifyOne is the form of galactus 1.0, one user a call. It knew no premium tiers.
func (d *door) modifyOne(c *fiber.Ctx) error {
	begun := time.Now()
	guild, code, err := pathParams(c)
	if err != nil {
		return err
	}
	user, err := bus.ParseUserID(c.Params("user"))
	if err != nil {
		return fiber.NewError(http.StatusBadRequest, "the user id in the path is not a number; nothing was changed")
	}
	var state bus.VoiceState
	for name, flag := range map[string]*bool{"mute": &state.Mute, "deaf": &state.Deaf} {
		if text := c.Query(name); text != "" {
			if *flag, err = strconv.ParseBool(text); err != nil {
				return fiber.NewError(http.StatusBadRequest, name+" in the query is not true or false; nothing was changed")
			}
		}
	}
	return d.apply(c, begun, guild, code, tierSelfHost, []request{{user, state}})
}

const tierSelfHost = 5

// apply stores the wishes and waits for what becomes of them. It works on when the
// caller has gone: AutoMuteUs remembers the states as set, so the newest wish stands.
func (d *door) apply(c *fiber.Ctx, begun time.Time, guild bus.GuildID, code string, tier int, requests []request) error {
	ctx, cancel := context.WithDeadline(context.Background(), begun.Add(answerWithin))
	defer cancel()
	if !d.awaitOpen(ctx) {
		return fiber.NewError(http.StatusServiceUnavailable, "muteproxy is starting and took no wish; nothing was changed; try again")
	}
	waiters := d.wishes.post(ctx, guild, code, tier, requests)
	defer d.wishes.forget(waiters)
	r := collect(ctx, d.m.stopped, waiters)
	if len(r.Failed) > 0 {
		c.Status(http.StatusInternalServerError)
	}
	return c.JSON(r)
}

func (d *door) addToken(c *fiber.Ctx) error {
	tok, err := parseToken(c.Body())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	if !d.awaitOpen(ctx) {
		return fiber.NewError(http.StatusServiceUnavailable, "muteproxy is starting; the token was not stored; try again")
	}
	user, err := d.m.api.CurrentUser(ctx, tok)
	if err != nil {
		return tokenProblem(err)
	}
	if !user.Bot {
		return fiber.NewError(http.StatusBadRequest, "this is the token of a person, not of a bot; it was not stored")
	}
	switch err := d.m.tokens.add(ctx, tok, "addtoken"); {
	case errors.Is(err, errKnown):
		return fiber.NewError(http.StatusAlreadyReported, "Token already exists on the server") // galactus' words
	case err != nil:
		return err
	}
	d.m.log.Info("worker token accepted", "token", tok.Hash8(), "bot", user.Username)
	return c.SendStatus(http.StatusOK)
}

func tokenProblem(err error) error {
	var api *discord.APIError
	if errors.As(err, &api) && api.Status == http.StatusUnauthorized {
		return fiber.NewError(http.StatusUnauthorized, "Discord does not know this token; it was not stored")
	}
	return fiber.NewError(http.StatusServiceUnavailable, "Discord could not be asked whether the token is valid; it was not stored; try again")
}

// verify answers galactus 3.0's membership check. There it made worker bots leave
// guilds; here it has no effect.
func (d *door) verify(c *fiber.Ctx) error {
	if _, err := bus.ParseGuildID(c.Params("guild")); err != nil {
		return fiber.NewError(http.StatusBadRequest, "the guild id in the path is not a number; nothing was changed")
	}
	if tier, err := strconv.Atoi(c.Params("tier")); err != nil || tier < 0 || tier > tierSelfHost {
		return fiber.NewError(http.StatusBadRequest, "the premium tier in the path is not 0 to 5; nothing was changed")
	}
	// SendStatus would put the word OK into the body, where galactus has none.
	c.Status(http.StatusOK)
	return nil
}

// count keeps the metric of requests by route and status.
func (d *door) count(c *fiber.Ctx) error {
	err := c.Next()
	if err != nil {
		err = d.problem(c, err) // turns it into an answer, so that its status is known
	}
	d.m.metrics.requests.WithLabelValues(c.Route().Path, strconv.Itoa(c.Response().StatusCode())).Inc()
	return err
}

// statuses says which HTTP status each code of an error has.
var statuses = map[bus.Code]int{
	bus.CodeInvalid: http.StatusBadRequest, bus.CodeNotFound: http.StatusNotFound, bus.CodeConflict: http.StatusConflict,
	bus.CodeDenied: http.StatusForbidden, bus.CodeLimited: http.StatusTooManyRequests,
	bus.CodeUnavailable: http.StatusServiceUnavailable, bus.CodeInternal: http.StatusInternalServerError,
}

// problem answers with an error as JSON: AutoMuteUs 7 decodes a body before it looks at
// the status.
func (d *door) problem(c *fiber.Ctx, err error) error {
	var f *fiber.Error
	if errors.As(err, &f) {
		return c.Status(f.Code).JSON(fiber.Map{"error": f.Message, "reason": reasonOf(f.Code)})
	}
	e := bus.AsError(err)
	text := e.Message
	if e.Code == bus.CodeInternal || text == "" {
		d.m.log.Error("a request failed", "err", err)
		text = "the request failed inside; the log has the cause"
	}
	return c.Status(statuses[e.Code]).JSON(fiber.Map{"error": text, "reason": e.Reason})
}

func reasonOf(status int) string {
	return strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
}

// pathParams reads the guild and the connect code of a path. The code is any text that
// can be kept: old bots are not held to eight characters here.
func pathParams(c *fiber.Ctx) (bus.GuildID, string, error) {
	guild, err := bus.ParseGuildID(c.Params("guild"))
	if err != nil {
		return 0, "", fiber.NewError(http.StatusBadRequest, "Invalid guildID received. Query should be of the form POST `/modify/<guildID>/<conncode>` ")
	}
	code := c.Params("code")
	if len(code) > maxCode {
		return 0, "", fiber.NewError(http.StatusBadRequest, fmt.Sprintf("the connect code in the path is longer than %d bytes; nothing was changed", maxCode))
	}
	return guild, code, nil
}

const maxCode = 64

// parseToken reads the body of /addtoken: the token and nothing else.
func parseToken(body []byte) (secret.Value, error) {
	text := strings.TrimSpace(string(body))
	text = strings.TrimSpace(strings.TrimPrefix(text, "Bot "))
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '{' }
	if text == "" || len(text) > 256 || strings.IndexFunc(text, bad) >= 0 {
		return secret.Value{}, fiber.NewError(http.StatusBadRequest, "the body is not a bot token; nothing was stored; send the token as plain text and nothing else")
	}
	return secret.New(text), nil
}
