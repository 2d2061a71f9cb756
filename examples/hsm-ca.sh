#!/bin/sh
# A CA whose key is made in a token and stays there, and a server credential whose key is in the token as well.
#
# Needs qpki on PATH, hsm.yaml here (see hsm/softhsm2.yaml), and the PIN where hsm.yaml says it is.
set -eu

# slot, login, and a signature with a key that is gone afterwards
qpki hsm test --hsm-config ./hsm.yaml

qpki ca init --hsm-config ./hsm.yaml --key-label root-ca-key \
  --profile ec/root-ca --var cn="HSM Root CA" --ca-dir ./hsm-ca

# from here on, the CA's own metadata leads to its key
qpki credential enroll server --ca-dir ./hsm-ca --cred-dir ./credentials --profile ec/tls-server \
  --var cn=www.home.arpa --var dns_names=www.home.arpa \
  --hsm-config ./hsm.yaml --key-label server-key
qpki credential export server --cred-dir ./credentials --out server.crt
qpki crl gen --ca-dir ./hsm-ca

qpki cert verify server.crt --ca ./hsm-ca
qpki key list --hsm-config ./hsm.yaml
