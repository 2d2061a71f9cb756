# Command lines of the HSM guides, verbatim. One scenario a block, each with a token and a folder of its own.
#   "scenario: NAME"  begins one
#   "setup: COMMAND"  is ours: what the guide takes for granted
# Adapted by the runner: the PIN "****", and "..." (the guide's ellipsis) becomes a profile, a name and a folder.
# ./hsm.yaml and ./hsm/thales-luna.yaml lead to the SoftHSM2 token.

scenario: guide 3, key identification by label
qpki ca init --hsm-config ./hsm.yaml --key-label "root-ca-key" ...

scenario: guide 3, key identification by id
qpki ca init --hsm-config ./hsm.yaml --key-id "0102030405" ...

scenario: guide 3, key identification by label and id
qpki ca init --hsm-config ./hsm.yaml --key-label "root-ca-key" --key-id "0102030405" ...

scenario: guide 4, initialize, issue, enroll, diagnose
export HSM_PIN="****"
qpki ca init --hsm-config ./hsm/thales-luna.yaml \
  --key-label "root-ca-key" \
  --profile ec/root-ca \
  --var cn="HSM Root CA" \
  --dir ./hsm-ca
export HSM_PIN="****"
setup: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -subj /CN=server.example.com -out server.csr
qpki cert issue --ca-dir ./hsm-ca \
  --profile ec/tls-server \
  --csr server.csr \
  --out server.crt
qpki crl gen --ca-dir ./hsm-ca
setup: openssl verify -CAfile hsm-ca/ca.crt -CRLfile hsm-ca/crl/ca.crl -crl_check server.crt
export HSM_PIN="****"
qpki credential enroll --ca-dir ./hsm-ca --cred-dir ./hsm-ca/credentials \
  --profile ec/tls-server \
  --var cn=server.example.com \
  --var dns_names=server.example.com \
  --hsm-config ./hsm.yaml \
  --key-label "server-key"
qpki hsm list --hsm-config ./hsm.yaml
qpki hsm test --hsm-config ./hsm.yaml
qpki hsm mechanisms --hsm-config ./hsm.yaml
qpki hsm mechanisms --hsm-config ./hsm.yaml --filter HKDF
qpki hsm mechanisms --hsm-config ./hsm.yaml --filter ML

scenario: guide 4, key operations
export HSM_PIN="****"
qpki key list --hsm-config ./hsm.yaml
qpki key gen --algorithm ecdsa-p384 \
  --hsm-config ./hsm.yaml \
  --key-label "root-ca-key"
qpki key gen --algorithm rsa-4096 \
  --hsm-config ./hsm.yaml \
  --key-label "rsa-ca-key"
qpki key gen --algorithm ecdsa-p384 \
  --hsm-config ./hsm.yaml \
  --key-label "my-key" \
  --key-id 0102030405

scenario: guide 4, initialize a CA, key made in the token or already there
export HSM_PIN="****"
qpki ca init --hsm-config ./hsm.yaml \
  --key-label "root-ca-key" \
  --profile ec/root-ca \
  --var cn="HSM Root CA" \
  --ca-dir ./hsm-ca
setup: qpki key gen --algorithm ecdsa-p384 --hsm-config ./hsm.yaml --key-label existing-key
setup: mv hsm-ca first-ca
qpki ca init --hsm-config ./hsm.yaml \
  --key-label "existing-key" \
  --use-existing-key \
  --profile ec/root-ca \
  --var cn="HSM Root CA" \
  --ca-dir ./hsm-ca

scenario: guide 7, a token and a key made with other tools
setup: softhsm2-util --delete-token --token CA-Token
softhsm2-util --init-token --slot 0 --label "CA-Token" --pin 1234 --so-pin 12345678

pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so \
  --token-label "CA-Token" --login --pin 1234 \
  --keypairgen --key-type EC:secp384r1 \
  --label "root-ca-key" --id 01
setup: qpki ca init --hsm-config ./hsm.yaml --key-label root-ca-key --key-id 01 --use-existing-key --profile ec/root-ca --var cn=Foreign --ca-dir ./hsm-ca
setup: qpki crl gen --ca-dir ./hsm-ca

scenario: older guide, discovery without configuration, new key
qpki hsm list --lib /usr/lib/softhsm/libsofthsm2.so
qpki hsm test --hsm-config ./hsm.yaml
export HSM_PIN="****"
qpki ca init --hsm-config ./hsm.yaml \
  --key-label "root-ca-key" \
  --generate-key \
  --profile ec/root-ca \
  --var cn="HSM Root CA" \
  --dir ./hsm-ca

scenario: web guide, COSE and CWT, EC
setup: export HSM_PIN="****"
setup: qpki ca init --hsm-config ./hsm.yaml --key-label cose-key --profile ec/root-ca --var cn=COSE --ca-dir ./ca
setup: echo content > document.pdf
export HSM_PIN="****"
# Create CWT with HSM-stored ML-DSA key
qpki cose sign --type cwt \
--cert ./ca/ca.crt \
--hsm-config ./hsm.yaml --key-label cose-key \
--iss "https://issuer.example.com" \
--sub "subject-123" --exp 24h \
-o token.cbor
# Verify CWT
qpki cose verify token.cbor --ca ./ca/ca.crt
setup: qpki cose info token.cbor | grep -q ES384
setup: mv ca first-ca
setup: qpki ca init --hsm-config ./hsm.yaml --key-label signing-key --profile ec/root-ca --var cn=Signing --ca-dir ./ca
# Sign arbitrary data (COSE_Sign1)
qpki cose sign --type sign1 \
--cert ./ca/ca.crt \
--hsm-config ./hsm.yaml --key-label signing-key \
--data document.pdf \
-o signed-document.cbor
# Verify with data
qpki cose verify signed-document.cbor --ca ./ca/ca.crt --data document.pdf

scenario: web guide, COSE and CWT, RSA-PSS
setup: export HSM_PIN="****"
setup: qpki ca init --hsm-config ./hsm.yaml --key-label cose-key --profile rsa/root-ca --var cn=COSE --ca-dir ./ca
setup: echo content > document.pdf
export HSM_PIN="****"
qpki cose sign --type cwt \
--cert ./ca/ca.crt \
--hsm-config ./hsm.yaml --key-label cose-key \
--iss "https://issuer.example.com" \
--sub "subject-123" --exp 24h \
-o token.cbor
# Verify CWT
qpki cose verify token.cbor --ca ./ca/ca.crt
setup: qpki cose info token.cbor | grep -q PS256
setup: mv ca first-ca
setup: qpki ca init --hsm-config ./hsm.yaml --key-label signing-key --profile rsa/root-ca --var cn=Signing --ca-dir ./ca
qpki cose sign --type sign1 \
--cert ./ca/ca.crt \
--hsm-config ./hsm.yaml --key-label signing-key \
--data document.pdf \
-o signed-document.cbor
qpki cose verify signed-document.cbor --ca ./ca/ca.crt --data document.pdf

scenario: guide 11.3, rotation of a hybrid CA; SoftHSM2 has its classical key, the other one is in a file
export HSM_PIN="****"
setup: qpki ca init --hsm-config ./hsm.yaml --key-label catalyst-root --profile hybrid/catalyst/root-ca --var cn="Catalyst Root CA" --ca-dir ./catalyst-hsm-ca --pqc-in software

# Rotate Catalyst CA (generates new keys in HSM)
qpki ca rotate --ca-dir ./catalyst-hsm-ca \
  --profile hybrid/catalyst/root-ca

# Verify rotation created new key versions
qpki ca versions --ca-dir ./catalyst-hsm-ca
setup: qpki ca versions --ca-dir ./catalyst-hsm-ca | grep '^v2 *pending'
setup: [ "$(grep -c '"label": "catalyst-root"' catalyst-hsm-ca/ca.meta.json)" = 2 ]
setup: [ "$(grep '"key_id"' catalyst-hsm-ca/ca.meta.json | sort -u | wc -l)" = 2 ]
setup: qpki ca activate --ca-dir ./catalyst-hsm-ca --version 2
setup: qpki crl gen --ca-dir ./catalyst-hsm-ca
