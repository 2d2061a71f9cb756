#!/bin/sh
# A root CA, an issuing CA below it, a server certificate from another program's request, and a CRL; the private keys of
# the CAs are in encrypted files.
#
# Needs qpki and openssl on PATH. Makes its folders where it is started.
set -eu

# in earnest, each of these comes from a safe place of its own
export ROOT_PASSPHRASE=correct-horse ISSUING_PASSPHRASE=battery-staple

qpki ca init --profile ec/root-ca --var cn="Example Root CA" --ca-dir ./root --passphrase env:ROOT_PASSPHRASE
qpki ca init --profile ec/issuing-ca --var cn="Example Issuing CA" --ca-dir ./issuing \
  --passphrase env:ISSUING_PASSPHRASE --parent ./root --parent-passphrase env:ROOT_PASSPHRASE

# the server's administrator makes key and request, with whatever they like
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key \
  -subj "/CN=www.home.arpa" -addext "subjectAltName=DNS:www.home.arpa" -out server.csr

# the CA decides what the certificate says: here, what it takes from the request
qpki csr verify server.csr
qpki cert issue --ca-dir ./issuing --profile ec/tls-server --csr server.csr --out server.crt \
  --ca-passphrase env:ISSUING_PASSPHRASE

# what the server sends, and what its clients trust
qpki ca export --ca-dir ./issuing --bundle ca --out issuing.crt
cat server.crt issuing.crt > chain.crt
qpki ca export --ca-dir ./root --bundle ca --out root.crt

qpki crl gen --ca-dir ./issuing --days 7 --ca-passphrase env:ISSUING_PASSPHRASE
qpki crl gen --ca-dir ./root --days 30 --ca-passphrase env:ROOT_PASSPHRASE

qpki cert verify chain.crt --ca root.crt --crl issuing/crl/ca.crl --crl root/crl/ca.crl
cat issuing/crl/ca.crl root/crl/ca.crl > crls.pem
openssl verify -crl_check_all -CAfile root.crt -CRLfile crls.pem -untrusted issuing.crt server.crt
