// COSE by go-cose: a line of JSON in, a line of JSON out. Bytes are in hex, public keys SubjectPublicKeyInfo.
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/veraison/go-cose"
)

type task struct {
	Do, Kind, Algorithm, Message, Key, Aad string
	Content                                *string
}

var algorithms = map[string]cose.Algorithm{
	"ES256": cose.AlgorithmES256, "ES384": cose.AlgorithmES384, "ES512": cose.AlgorithmES512,
	"PS256": cose.AlgorithmPS256, "PS384": cose.AlgorithmPS384, "PS512": cose.AlgorithmPS512,
	"EdDSA": cose.AlgorithmEdDSA,
}

func octets(text string) []byte {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return bytes
}

func newKey(name string) (crypto.Signer, error) {
	switch name {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

func verify(t task) (any, error) {
	public, err := x509.ParsePKIXPublicKey(octets(t.Key))
	if err != nil {
		return nil, err
	}
	verifier, err := cose.NewVerifier(algorithms[t.Algorithm], public)
	if err != nil {
		return nil, err
	}
	if t.Kind == "sign1" {
		var message cose.Sign1Message
		if err := message.UnmarshalCBOR(octets(t.Message)); err != nil {
			return nil, err
		}
		if t.Content != nil {
			message.Payload = octets(*t.Content)
		}
		return true, message.Verify(octets(t.Aad), verifier)
	}
	var message cose.SignMessage
	if err := message.UnmarshalCBOR(octets(t.Message)); err != nil {
		return nil, err
	}
	if t.Content != nil {
		message.Payload = octets(*t.Content)
	}
	return true, message.Verify(octets(t.Aad), verifier)
}

func sign(t task) (any, error) {
	key, err := newKey(t.Algorithm)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	signer, err := cose.NewSigner(algorithms[t.Algorithm], key)
	if err != nil {
		return nil, err
	}
	content := octets(*t.Content)
	var bytes []byte
	if t.Kind == "sign1" {
		message := cose.NewSign1Message()
		message.Headers.Protected.SetAlgorithm(algorithms[t.Algorithm])
		message.Payload = content
		if err := message.Sign(rand.Reader, octets(t.Aad), signer); err != nil {
			return nil, err
		}
		bytes, err = message.MarshalCBOR()
	} else {
		message := cose.NewSignMessage()
		message.Payload = content
		signature := cose.NewSignature()
		signature.Headers.Protected.SetAlgorithm(algorithms[t.Algorithm])
		message.Signatures = append(message.Signatures, signature)
		if err := message.Sign(rand.Reader, octets(t.Aad), signer); err != nil {
			return nil, err
		}
		bytes, err = message.MarshalCBOR()
	}
	return map[string]string{"message": hex.EncodeToString(bytes), "key": hex.EncodeToString(spki)}, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var t task
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			panic(err)
		}
		work := verify
		if t.Do == "sign" {
			work = sign
		}
		answer := map[string]any{}
		if result, err := work(t); err != nil {
			answer["error"] = err.Error()
		} else {
			answer["result"] = result
		}
		line, _ := json.Marshal(answer)
		fmt.Println(string(line))
	}
}
