// Package lockdown closes a guild for a time and opens it again as it was.
package lockdown
