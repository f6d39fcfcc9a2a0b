package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"splashtail/internal/secret"
)

func keyFile(dir string) string { return filepath.Join(dir, "seal.key") }

func TestTheSealKeyIsMadeOnceAndForItsOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "nats") // made with its parents
	var made [8]*Sealer
	var all sync.WaitGroup
	for i := range made { // processes that start at once
		all.Go(func() { made[i], _ = Open(secret.Value{}, dir) })
	}
	all.Wait()
	info, err := os.Stat(keyFile(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("beside the key there is %v, %v", files, err)
	}
	sealed, err := made[0].Close("MTIz.abc.def", "k")
	if err != nil || bytes.Contains(sealed, []byte("abc")) {
		t.Fatalf("sealed: %q, %v", sealed, err)
	}
	for i, s := range made {
		if plain, err := s.Open(sealed, "k"); err != nil || plain != "MTIz.abc.def" {
			t.Errorf("process %d has another key: %q, %v", i, plain, err)
		}
	}
}

func TestASealKeyThatCannotBeTrusted(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, sealKeyLen)) + "\n"
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"read by the group":  {good, 0o640, "chmod 600"},
		"read by everybody":  {good, 0o604, "chmod 600"},
		"half of it":         {good[:20], 0o600, "is damaged"},
		"empty":              {"", 0o600, "is damaged"},
		"blank":              {" \n", 0o600, "is damaged"},
		"longer than a key":  {good + good, 0o600, "is damaged"},
		"not encoded at all": {strings.Repeat("\x01", sealKeyLen), 0o600, "is damaged"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(keyFile(dir), []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(keyFile(dir), c.mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		_, err := Open(secret.Value{}, dir)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), keyFile(dir)) || !strings.Contains(err.Error(), "nothing was started") {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(keyFile(dir)); err != nil || string(after) != c.text {
			t.Errorf("%s: the file was changed to %q, %v", name, after, err)
		}
	}
}

func TestADirectoryWhereNoKeyCanBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(secret.Value{}, dir); err == nil || !strings.Contains(err.Error(), "nothing was started") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestSealKeyOfTheEnvironment(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xff}, sealKeyLen/2) // - and _ in one alphabet, + and / in the other
	dir := t.TempDir()
	var sealed []byte
	for _, text := range []string{
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), " " + base64.RawURLEncoding.EncodeToString(raw) + "\n",
	} {
		s, err := Open(secret.New(text), dir)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if sealed == nil {
			sealed, err = s.Close("x", "k")
		}
		if plain, openErr := s.Open(sealed, "k"); err != nil || openErr != nil || plain != "x" {
			t.Errorf("%q is another key: %q %v %v", text, plain, err, openErr)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("a key was written although one was given: %v, %v", files, err)
	}
	_, err := Open(secret.New("correct horse battery staple"), dir)
	if err == nil || !strings.Contains(err.Error(), "SEAL_KEY") || strings.Contains(err.Error(), "horse") {
		t.Errorf("a key that is none: %v", err)
	}
}

// FuzzSeal holds that what was sealed opens for the same record only, and that no other
// bytes open at all.
func FuzzSeal(f *testing.F) {
	f.Add("MTIz.abc.def", "record", []byte{})
	f.Add("", "", bytes.Repeat([]byte{1}, 12))
	f.Add("x", "y", bytes.Repeat([]byte{1}, 28))
	s, err := Open(secret.New(strings.Repeat("07", sealKeyLen)), "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, key string, other []byte) {
		sealed, err := s.Close(text, key)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := s.Open(sealed, key); err != nil || plain != text {
			t.Errorf("%q came back as %q, %v", text, plain, err)
		}
		if plain, err := s.Open(sealed, key+"x"); err == nil {
			t.Errorf("the record of another key opened: %q", plain)
		}
		if plain, err := s.Open(other, key); err == nil {
			t.Errorf("bytes that nobody sealed opened: %q", plain)
		}
		for i, b := range other {
			if i >= len(sealed) || b == 0 {
				break
			}
			sealed[i] ^= b
			if plain, err := s.Open(sealed, key); err == nil {
				t.Errorf("opened although byte %d was changed: %q", i, plain)
			}
			sealed[i] ^= b
		}
	})
}

// FuzzSealKey holds that a key is 32 bytes or refused, and never shown.
func FuzzSealKey(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("07", sealKeyLen))
	f.Add(strings.Repeat("A", 43))
	f.Add(strings.Repeat("A", 42) + "==")
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := parseSealKey(text)
		switch {
		case err != nil && raw == nil:
			if _, plain := parseSealKey("x"); err.Error() != plain.Error() {
				t.Errorf("the refusal tells of the text: %v", err)
			}
		case err == nil && raw == nil:
			if strings.TrimSpace(text) != "" {
				t.Errorf("%q counts as none", text)
			}
		case len(raw) != sealKeyLen || err != nil:
			t.Errorf("%q gave %d bytes, %v", text, len(raw), err)
		default:
			if again, err := parseSealKey(hex.EncodeToString(raw)); err != nil || !bytes.Equal(again, raw) {
				t.Errorf("%q came back as %x, %v", text, again, err)
			}
		}
	})
}
