// Package seal encrypts what must not lie in a bucket in clear, with one key of the deployment: worker tokens, passwords
// of jobs.
//
// What comes in: a text and the name of its record. What goes out: bytes that open with the same key and for the same
// record only. The key comes from a setting, or from a file that is made once; token.go derives one from a bot's token.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"splashtail/internal/secret"
)

// Sealer encrypts with AES-256-GCM and a random nonce in front, bound to the key of a record.
type Sealer struct{ aead cipher.AEAD }

const sealKeyLen = 32

// Open takes the key from the configuration, or from the file seal.key in the data directory, which is made on first
// use. Errors: a key that is none, or a file that is damaged, open to others, or cannot be made.
func Open(key secret.Value, dir string) (*Sealer, error) {
	raw, err := parseSealKey(key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("SEAL_KEY %w", err)
	}
	if raw == nil {
		if raw, err = sealKeyFile(dir); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &Sealer{aead}, err
}

// parseSealKey reads 32 bytes in hexadecimal or base64; nil for an empty text.
func parseSealKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if raw, err := decode(text); err == nil && len(raw) == sealKeyLen {
			return raw, nil
		}
	}
	return nil, fmt.Errorf("is not %d bytes in base64 or hexadecimal; nothing was started; `openssl rand -base64 32` makes one", sealKeyLen)
}

// sealKeyFile reads the key file, or makes one with mode 0600.
func sealKeyFile(dir string) ([]byte, error) {
	path := filepath.Join(dir, "seal.key")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSealKey(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("the key that seals secrets cannot be read; nothing was started: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("the key that seals secrets %s can be read by others (mode %04o); nothing was started; run chmod 600 on it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the key that seals secrets cannot be read; nothing was started: %w", err)
	}
	raw, err := parseSealKey(string(text))
	if err != nil || raw == nil {
		return nil, fmt.Errorf("the key that seals secrets %s is damaged; nothing was started; restore it from a backup, or remove it and hand worker tokens and passwords over again", path)
	}
	return raw, nil
}

func makeSealKey(dir, path string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory for the key that seals secrets cannot be made; nothing was started: %w", err)
	}
	raw := make([]byte, sealKeyLen)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	// Written aside and linked into place: two processes that start at once must end up
	// with one key, and a crash must not leave half of one.
	tmp, err := os.CreateTemp(dir, "seal-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("the key that seals secrets cannot be written; nothing was started: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = fmt.Fprintln(tmp, base64.StdEncoding.EncodeToString(raw))
	err = errors.Join(err, tmp.Chmod(0o600), tmp.Sync(), tmp.Close())
	if err != nil {
		return nil, fmt.Errorf("the key that seals secrets cannot be written; nothing was started: %w", err)
	}
	err = os.Link(tmp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return sealKeyFile(dir)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("the key that seals secrets cannot be written; nothing was started: %w", err)
	}
	return raw, nil
}

// syncDir makes a new name in a directory survive a loss of power: without the key, what it has sealed is lost.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close encrypts a text for the record with that key.
func (s *Sealer) Close(text, key string) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.aead.Seal(nonce, nonce, []byte(text), []byte(key)), nil
}

// Open decrypts what Close made for the same key.
func (s *Sealer) Open(sealed []byte, key string) (string, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return "", errors.New("too short")
	}
	plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(key))
	return string(plain), err
}
