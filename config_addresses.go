package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// The kinds of settings that say where something is.

// Host is an address to listen on, without a port.
type Host struct{ Text }

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$`)

func (v *Host) parse(text, _ string) error {
	bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if _, err := netip.ParseAddr(bare); err != nil && !hostName.MatchString(bare) {
		return errors.New("is neither an IP address nor a host name")
	}
	v.Value = bare
	return nil
}

func (v *Host) allowed(string) string {
	return "an IP address or host name without a port; 0.0.0.0 is every interface"
}

// HostPort is an address with a port.
type HostPort struct{ Text }

func (v *HostPort) parse(text, _ string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return errors.New("is not host:port")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("has the port %q", port)
	}
	var h Host
	if host == "" || h.parse(host, "") != nil {
		return fmt.Errorf("has the host %q, which is neither an IP address nor a host name", host)
	}
	v.Value = text
	return nil
}

func (v *HostPort) allowed(string) string { return "host:port" }

// loopback tells whether only this machine can reach the address.
func (v *HostPort) loopback() bool {
	host, _, _ := net.SplitHostPort(v.Value)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// URL is an address with one of the schemes that its rule lists. A password in it does not print.
type URL struct{ Text }

func (v *URL) parse(text, rule string) error {
	for one := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		switch {
		case err != nil:
			return errors.New("is not a URL")
		case !strings.Contains(","+rule+",", ","+u.Scheme+","):
			return fmt.Errorf("has the scheme %q", u.Scheme)
		case u.Host == "":
			return errors.New("names no host")
		}
	}
	v.Value = strings.TrimRight(text, "/")
	return nil
}

func (v *URL) allowed(rule string) string {
	return "a URL that begins with " + strings.ReplaceAll(rule, ",", ":// or ") + "://"
}

var urlScheme = regexp.MustCompile(`^ *[A-Za-z][A-Za-z0-9+.-]*://`)

// maskURL hides user and password of every URL in text: what stands before its last @, since a password may have one
// too. In a text that is no list of URLs, as when somebody forgot to encode a slash or a comma of a password, that is the
// last @ of all.
func maskURL(text string) string {
	urls := strings.Split(text, ",")
	for i, one := range urls {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil || u.Scheme == "" || u.Host == "" {
			return maskAll(text)
		}
		urls[i] = maskAll(one)
	}
	return strings.Join(urls, ",")
}

func maskAll(text string) string {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return text
	}
	return urlScheme.FindString(text) + "(hidden)" + text[at:]
}

func (v *URL) String() string { return maskURL(v.Value) }
