package archive

import (
	"fmt"
	"io"

	"filippo.io/age"
)

// Seal encrypts what a step keeps aside beside its parts, under the same key; with the zero PartKey it passes bytes on. The
// writer must be closed; w is not.
func (k PartKey) Seal(w io.Writer) (io.WriteCloser, error) {
	if k.id == nil {
		return plainWriter{w}, nil
	}
	to, err := age.Encrypt(w, k.id.Recipient())
	if err != nil {
		return nil, fmt.Errorf("begin the encryption: %w", err)
	}
	return to, nil
}

// Unseal gives back what Seal wrote.
func (k PartKey) Unseal(r io.Reader) (io.Reader, error) {
	if k.id == nil {
		return r, nil
	}
	from, err := age.Decrypt(r, k.id)
	if err != nil {
		return nil, damaged("what it kept aside cannot be opened: %v", err)
	}
	return from, nil
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }
