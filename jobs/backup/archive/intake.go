package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"
)

// ageStart begins every encrypted archive, and ageHeader bounds what stands before the first encrypted byte: ours take
// under 200 bytes, and the library takes lines of any length.
const (
	ageStart  = "age-encryption.org/"
	ageHeader = 4 << 10
)

// intake is where an archive comes from; it knows whether an error is the source's or the archive's.
type intake struct {
	src *failing
	in  io.Reader // decrypted
}

// newIntake looks at how r begins and decrypts it when it is encrypted.
func newIntake(r io.Reader, id identify, o Options) (*intake, error) {
	k := &intake{src: &failing{r: r}}
	buffered := bufio.NewReaderSize(k.src, 64<<10)
	k.in = buffered
	start, _ := buffered.Peek(ageHeader)
	if k.src.err != nil {
		return nil, k.fault(k.src.err)
	}
	who, err := id(start, o)
	if err != nil || who == nil {
		return k, err
	}
	if k.in, err = age.Decrypt(buffered, who); err != nil {
		return nil, k.refused(err)
	}
	return k, nil
}

// identify finds what decrypts a file from how it begins; nil: it is not encrypted.
type identify func(start []byte, o Options) (age.Identity, error)

// byPassword is how whole archives are decrypted.
func byPassword(start []byte, o Options) (age.Identity, error) {
	if !bytes.HasPrefix(start, []byte(ageStart)) {
		if !o.Password.IsZero() && bytes.HasPrefix(start, []byte(magic)) {
			return nil, fmt.Errorf("%w: leave the password out if you trust where the file comes from", ErrNotEncrypted)
		}
		return nil, nil
	}
	cost, err := scryptCost(start)
	switch l := o.limits(); {
	case err != nil:
		return nil, err
	case cost > l.Work:
		return nil, beyond("its password takes 2^%d KiB of memory, the limit is 2^%d; encrypt it anew with less", cost, l.Work)
	case o.Password.IsZero():
		return nil, ErrNeedsPass
	}
	who, err := age.NewScryptIdentity(o.Password.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPassword, err)
	}
	who.SetMaxWorkFactor(max(cost, 1))
	return who, nil
}

// scryptCost reads from the begin of an age file how much a password costs.
func scryptCost(start []byte) (int, error) {
	head, _, ok := strings.Cut(string(start), "\n--- ")
	if !ok {
		return 0, damaged("the begin of its encryption is not whole")
	}
	for line := range strings.SplitSeq(head, "\n") {
		words := strings.Fields(line)
		if len(words) == 4 && words[0] == "->" && words[1] == "scrypt" {
			cost, err := strconv.Atoi(words[3])
			if err != nil || cost < 1 || cost > 62 {
				return 0, damaged("the cost of its password is no number")
			}
			return cost, nil
		}
	}
	return 0, fmt.Errorf("%w: it is encrypted, but not with a password", ErrNotBackup)
}

// refused turns what age says about a header into ours.
func (k *intake) refused(err error) error { return refused(k.src.err, err) }

func refused(src, err error) error {
	switch {
	case src != nil:
		return fmt.Errorf("read the backup: %w", src)
	case errors.As(err, new(*age.NoIdentityMatchError)):
		return fmt.Errorf("%w, or the first bytes of the file are damaged; give the right one, or use another copy of the file", ErrPassword)
	}
	return damaged("its encryption is not whole (%v)", err)
}

// fault turns an error of reading into a sentence.
func (k *intake) fault(err error) error { return fault(k.src.err, err) }

func fault(src, err error) error {
	switch {
	case src != nil:
		return fmt.Errorf("read the backup: %w", src)
	case errors.Is(err, ErrLimit):
		return advised(err)
	case errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer) || errors.Is(err, ErrNotBackup):
		return err
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return damaged("it ends too early")
	}
	return damaged("its bytes are not what was written (%v)", err)
}
