package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RouteCDN is the row that stands for all files, for Fault.Route and Request.Route.
const RouteCDN = "GET cdn/{path}"

// signedFor is how long the URL of an attachment is good; Discord signs anew with every message object that it sends.
const signedFor = 24 * time.Hour

// cdn gives out and checks the URLs of files. Pictures, emojis, stickers and sounds are public under the paths that they have
// at Discord; attachments need a signature.
type cdn struct {
	base  string // without a slash at the end; empty until a listener or a request names it
	key   []byte
	ahead time.Duration // see AgeFiles
}

func newCDN(base string) *cdn {
	key := make([]byte, 32)
	rand.Read(key) // never fails since Go 1.24
	return &cdn{base: strings.TrimSuffix(base, "/"), key: key}
}

// CDNURL is where files are, without a slash at the end: what a client puts in place of https://cdn.discordapp.com. It is
// known from Config.CDN, from Run, or from the host of the first request.
func (d *Discord) CDNURL() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cdn.url()
}

// AgeFiles lets time pass for the URLs of attachments, and for nothing else: those that were given out run out so much earlier,
// and what is signed from now on is good for a day again.
func (d *Discord) AgeFiles(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cdn.ahead += by
}

func (c *cdn) url() string {
	if c.base == "" {
		return "https://cdn.discordapp.com"
	}
	return c.base
}

// learn takes a host as the base when there is none yet.
func (c *cdn) learn(host string) {
	if c.base == "" && host != "" {
		c.base = "http://" + host
	}
}

// sign gives the URL of an attachment, good until a day from now. The time is cut to the hour, so that two message objects
// of the same hour have the same URLs.
func (c *cdn) sign(path string, now time.Time) string {
	from := now.Add(c.ahead).Truncate(time.Hour)
	ex, is := strconv.FormatInt(from.Add(signedFor).Unix(), 16), strconv.FormatInt(from.Unix(), 16)
	escaped := (&url.URL{Path: path}).EscapedPath()
	return fmt.Sprintf("%s%s?ex=%s&is=%s&hm=%s&", c.url(), escaped, ex, is, c.mac(path, ex, is))
}

func (c *cdn) mac(path, ex, is string) string {
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%s\n%s\n%s", path, ex, is)
	return hex.EncodeToString(h.Sum(nil))
}

// signed says whether a query has a signature of ours for that path that has not run out.
func (c *cdn) signed(path string, q url.Values, now time.Time) bool {
	ex, is := q.Get("ex"), q.Get("is")
	until, err := strconv.ParseInt(ex, 16, 64)
	return err == nil && now.Add(c.ahead).Unix() < until && hmac.Equal([]byte(q.Get("hm")), []byte(c.mac(path, ex, is)))
}

// cdnRoutes are the one row for files, which no path below /api matches but isCDN does, and the one for their URLs.
func cdnRoutes() []route {
	return []route{
		{method: "GET", pattern: "cdn/{path}", open: true, handle: getFile},
		{method: "POST", pattern: "/attachments/refresh-urls", bucket: "refresh-urls", limit: per(5, 5*time.Second), handle: refreshURLs},
	}
}

// maxRefresh is how many URLs one request renews.
const maxRefresh = 50

type refreshedURL struct {
	Original  string `json:"original"`
	Refreshed string `json:"refreshed"`
}

// refreshURLs signs URLs of attachments anew, whether they have run out or not. Discord has the route and does not document
// it; that there are at most 50 is what clients have seen.
func refreshURLs(c *call) (any, *apiError) {
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var urls field[[]string]
	var bad formErrors
	read(&bad, keys, "attachment_urls", &urls, asTexts(maxRefresh, 2048))
	required(&bad, "attachment_urls", urls)
	list := []refreshedURL{}
	for i, text := range urls.value {
		u, err := url.Parse(text)
		if err != nil || !strings.HasPrefix(u.Path, "/attachments/") {
			bad.add("ATTACHMENT_URL_INVALID", "Not the URL of an attachment", "attachment_urls", strconv.Itoa(i))
			continue
		}
		list = append(list, refreshedURL{text, c.d.cdn.sign(u.Path, c.now)})
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	return map[string][]refreshedURL{"refreshed_urls": list}, nil
}

// cdnFolders are the first parts of the paths of files.
func cdnFolders() []string {
	return []string{
		"attachments", givenFolder, "icons", "splashes", "discovery-splashes", "banners", "role-icons", "avatars", "emojis", "stickers",
		"soundboard-sounds", "guild-events",
	}
}

func isCDN(r *http.Request) bool {
	folder, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return ok && r.Method == http.MethodGet && slices.Contains(cdnFolders(), folder)
}

// fileNotFound is the CDN's no. Its real body is no JSON; nobody should read it.
func fileNotFound() *apiError { return fail(http.StatusNotFound, 0, "404: Not Found") }

// contentGone is the CDN's no to a URL whose signature has run out or is not its own.
func contentGone() *apiError {
	return fail(http.StatusNotFound, 0, "This content is no longer available.")
}

// getFile serves one file as it was uploaded; the ending of the path does not convert it, as it would at Discord.
func getFile(c *call) (any, *apiError) {
	parts := strings.Split(strings.TrimPrefix(c.path, "/"), "/")
	if parts[0] == "attachments" || parts[0] == givenFolder {
		if !c.d.cdn.signed(c.path, c.query, c.now) {
			return nil, contentGone()
		}
		if parts[0] == givenFolder {
			return asFile(c.d.givenAt(c.path))
		}
		if len(parts) == 4 {
			return asFile(c.d.attachmentAt(parts[1], parts[2], parts[3]))
		}
		return nil, fileNotFound()
	}
	last := len(parts) - 1
	parts[last], _, _ = strings.Cut(parts[last], ".")
	id, _ := ParseID(parts[1])
	switch {
	case len(parts) == 2:
		return asFile(c.d.expression(parts[0], id))
	case len(parts) == 3:
		p := c.d.pictureOf(parts[0], id)
		if p.hash == parts[2] && p.hash != "" {
			return p.blob, nil
		}
	}
	return nil, fileNotFound()
}

func asFile(b blob, ok bool) (any, *apiError) {
	if !ok {
		return nil, fileNotFound()
	}
	return b, nil
}

// pictureOf finds the picture that an object has now; hashes of earlier ones lead nowhere.
func (d *Discord) pictureOf(folder string, id ID) picture {
	if g := d.guilds[id]; g != nil {
		switch folder {
		case "icons":
			return g.set.icon
		case "splashes":
			return g.set.splash
		case "discovery-splashes":
			return g.set.discovery
		case "banners":
			return g.set.banner
		}
	}
	if g := d.guilds[d.places[id]]; g != nil && folder == "avatars" && g.webhooks[id] != nil {
		return g.webhooks[id].avatar
	}
	if folder == "guild-events" {
		for _, g := range d.guilds {
			if e := g.scheduled[id]; e != nil {
				return e.image
			}
		}
	}
	if folder == "role-icons" {
		for _, g := range d.guilds {
			if r := g.roles[id]; r != nil {
				return r.icon
			}
		}
	}
	return picture{}
}

// blob is a file: its bytes, or how to make them when somebody asks.
type blob struct {
	kind string // of content
	data []byte
	make func() []byte
}

func (b blob) bytes() []byte {
	if b.make != nil {
		return b.make()
	}
	return b.data
}

// digest names the bytes, for comparing.
func (b blob) digest() string {
	data := b.bytes()
	if data == nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
