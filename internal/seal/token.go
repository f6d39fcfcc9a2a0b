package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"

	"splashtail/internal/secret"
)

// FromToken gives the Sealer of everybody who has the token of a bot, for one purpose: what one process closes another opens,
// without a key that an operator has to hand to both. It is for what is read within minutes: with the token what it closed is lost.
func FromToken(token secret.Value, purpose string) *Sealer {
	m := hmac.New(sha256.New, []byte(token.Reveal()))
	m.Write([]byte("splashtail " + purpose))
	block, err := aes.NewCipher(m.Sum(nil)) // 32 bytes always are a key
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &Sealer{aead}
}
