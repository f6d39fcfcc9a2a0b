package discord

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// DefaultCDN is where Discord keeps files.
const DefaultCDN = "https://cdn.discordapp.com"

// Bounds of one download.
const (
	cdnStall = 20 * time.Second // until the headers, and for one read
	cdnMost  = 5 * time.Minute  // in all
	maxURL   = 4 << 10
)

// cdnHosts are Discord's hosts of files.
func cdnHosts() []string { return []string{"cdn.discordapp.com", mediaHost} }

const mediaHost = "media.discordapp.net"

// CDN downloads files from Discord's hosts and from nowhere else: it follows no redirect, opens no private address and
// reads no more than it is told to. What it gives is as it was uploaded; nothing is decoded.
type CDN struct {
	base  *url.URL
	http  *http.Client
	stall time.Duration
}

// NewCDN makes a CDN for a base address such as DefaultCDN. Another base is for stand-ins: files at it are then read in
// addition to those on Discord's own hosts, and on loopback if the base is there.
func NewCDN(base string) (*CDN, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address of Discord's files %q is not an http or https URL with a host", base)
	}
	c := &CDN{base: u, stall: cdnStall}
	transport := NewTransport()
	transport.DialContext = c.dial
	transport.DisableCompression = true // a small answer must not become a large file
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxConnsPerHost = 16
	c.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Patient gives the same CDN with another time that it waits for an answer, and for more of it; the usual is 20 seconds.
func (c *CDN) Patient(stall time.Duration) *CDN {
	other := *c
	other.stall = stall
	return &other
}

// Media is the address of a file that Discord keeps at its other host, such as animated stickers; path begins with a slash.
func (c *CDN) Media(path string) string {
	if c.base.String() == DefaultCDN {
		return "https://" + mediaHost + path
	}
	return c.base.String() + path
}

// Close lets go of idle connections.
func (c *CDN) Close() { c.http.CloseIdleConnections() }

// CDNReason is one closed word for why a file was not downloaded.
type CDNReason string

// The reasons.
const (
	CDNForeign  CDNReason = "foreign" // it is not on Discord's hosts; nothing was sent
	CDNRefused  CDNReason = "refused" // the host answered no, or with a redirect
	CDNTooLarge CDNReason = "large"   // it has more bytes than it may
	CDNEncoded  CDNReason = "encoded" // the answer is compressed, which nobody asked for
	CDNBroken   CDNReason = "broken"  // the connection failed or stalled, or the answer was cut
	CDNFailing  CDNReason = "failing" // the host has a fault, or wants us to come later
)

// CDNError says why a file was not downloaded.
type CDNError struct {
	Reason CDNReason
	Status int    // of the answer; 0 when there was none
	Why    string // a sentence for people, without the address, which can be a secret
	Err    error
}

func (e *CDNError) Error() string { return e.Why }

func (e *CDNError) Unwrap() error { return e.Err }

// Again says whether another try can help.
func (e *CDNError) Again() bool { return e.Reason == CDNBroken || e.Reason == CDNFailing }

// Check says whether an address is one that Open would ask, and gives it in full. One that begins with a slash is a path
// below the base.
func (c *CDN) Check(address string) (string, error) {
	if strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && len(address) <= maxURL {
		return c.base.String() + address, nil
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > maxURL || u.User != nil || u.Opaque != "":
	case u.Scheme == c.base.Scheme && u.Host == c.base.Host, u.Scheme == "https" && slices.Contains(cdnHosts(), u.Host):
		return u.String(), nil
	}
	return "", &CDNError{Reason: CDNForeign, Why: "the file is not on Discord's own hosts; it was not fetched"}
}

// Download is a file on its way. Its errors are *CDNError, but io.EOF and those of the context it was opened with.
type Download struct {
	Type string // the Content-Type of the answer, as it came
	Size int64  // what the answer said of its length in bytes; -1: nothing

	ctx     context.Context
	body    io.ReadCloser
	left    int64 // bytes that may still come
	most    int64
	n       int64
	stalled *time.Timer
	stall   time.Duration
	cancel  context.CancelFunc
}

// Open begins to read a file of at most so many bytes; what is longer ends in an error. It must be closed. A file that takes
// longer than five minutes, or of which nothing comes for a while (Patient), ends in an error, too.
func (c *CDN) Open(ctx context.Context, address string, most int64) (*Download, error) {
	full, err := c.Check(address)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, cdnMost)
	req, err := http.NewRequestWithContext(within, http.MethodGet, full, nil)
	if err != nil {
		cancel()
		return nil, &CDNError{Reason: CDNForeign, Why: "the address of the file is none; it was not fetched", Err: err}
	}
	req.Header.Set("User-Agent", userAgent)
	stalled := time.AfterFunc(c.stall, cancel)
	resp, err := c.http.Do(req)
	stalled.Stop()
	if err == nil {
		if err = acceptable(resp, most); err != nil {
			resp.Body.Close()
		}
	} else {
		err = broken(ctx, err)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return &Download{
		Type: resp.Header.Get("Content-Type"), Size: resp.ContentLength,
		ctx: ctx, body: resp.Body, left: most, most: most, stalled: stalled, stall: c.stall, cancel: cancel,
	}, nil
}

// Read reads on. Only the host is timed: whoever reads may take long over what came.
func (d *Download) Read(b []byte) (int, error) {
	if int64(len(b))-1 > d.left {
		b = b[:d.left+1]
	}
	d.stalled.Reset(d.stall)
	n, err := d.body.Read(b)
	d.stalled.Stop()
	d.n += int64(n)
	if d.left -= int64(n); d.left < 0 {
		return 0, tooLarge(d.most)
	}
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		err = broken(d.ctx, err)
	case d.Size >= 0 && d.n != d.Size:
		err = &CDNError{Reason: CDNBroken, Why: "Discord's file host sent less than it said"}
	}
	return n, err
}

// Close ends the download, whether all was read or not.
func (d *Download) Close() error {
	defer d.cancel()
	return d.body.Close()
}

// acceptable judges an answer by its head.
func acceptable(resp *http.Response, most int64) error {
	e := &CDNError{Status: resp.StatusCode}
	encoding := resp.Header.Get("Content-Encoding")
	switch {
	case resp.StatusCode/100 == 5 || resp.StatusCode == http.StatusTooManyRequests:
		e.Reason, e.Why = CDNFailing, fmt.Sprintf("Discord's file host answered %d", resp.StatusCode)
	case resp.StatusCode == http.StatusNotFound:
		e.Reason, e.Why = CDNRefused, "Discord's file host does not have the file (404)"
	case resp.StatusCode/100 == 3:
		e.Reason, e.Why = CDNRefused, "Discord's file host pointed elsewhere, where nothing is fetched from"
	case resp.StatusCode != http.StatusOK:
		e.Reason, e.Why = CDNRefused, fmt.Sprintf("Discord's file host answered %d", resp.StatusCode)
	case encoding != "" && encoding != "identity":
		e.Reason, e.Why = CDNEncoded, "the file came compressed, which nobody asked for, and was not opened"
	case resp.ContentLength > most:
		return tooLarge(most)
	default:
		return nil
	}
	return e
}

func tooLarge(most int64) error {
	return &CDNError{Reason: CDNTooLarge, Why: fmt.Sprintf("the file is larger than %d bytes", most)}
}

// broken tells the end of our own context from a fault of the network.
func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e *CDNError
	if errors.As(err, &e) {
		return e
	}
	return &CDNError{Reason: CDNBroken, Why: "the connection to Discord's file host failed or stalled", Err: err}
}

// dial opens connections. A proxy may be anywhere; the hosts of files only at public addresses, unless the base is a
// stand-in on loopback.
func (c *CDN) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == c.base.Hostname() || slices.Contains(cdnHosts(), host) {
		local := host == c.base.Hostname() && loopback(host)
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error { return publicOr(local, address) }
	}
	return d.DialContext(ctx, network, address)
}

// loopback says whether a host of a configured address means this machine.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// publicOr refuses addresses that are not on the public internet, this machine's when local is set aside.
func publicOr(local bool, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	a := ap.Addr().Unmap()
	if local && a.IsLoopback() || public(a) {
		return nil
	}
	return &CDNError{Reason: CDNForeign, Why: "the file's host has a private address; nothing was fetched"}
}

// public says whether an address can be a host on the internet.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001:db8::/32", "2002::/16",
	} {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return true
}
