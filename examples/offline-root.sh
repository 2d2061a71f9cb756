#!/bin/sh
# An issuing CA below a root that never touches the network: two computers, and files that are carried between them.
#
# Needs qpki on PATH. Here the folders offline/ and online/ play the two computers.
set -eu
mkdir offline online

# on the offline computer, once
qpki ca init --profile rsa/root-ca --var cn="Offline Root CA" --ca-dir offline/root
qpki ca export --ca-dir offline/root --bundle ca --out root.crt

# on the online computer: the key and a request; the CA is pending
qpki ca init --profile ec/issuing-ca --var cn="Online Issuing CA" --ca-dir online/issuing --csr-only --out issuing.csr

# carried to the offline computer, where somebody looks at it and signs
qpki csr info issuing.csr
qpki cert issue --ca-dir offline/root --profile ec/issuing-ca --var cn="Online Issuing CA" \
  --csr issuing.csr --out issuing.crt
qpki crl gen --ca-dir offline/root --days 180

# carried back: the certificate must fit the pending key, and the root completes the chain
cat issuing.crt root.crt > issuing-chain.crt
qpki ca accept issuing-chain.crt --ca-dir online/issuing
qpki ca info --ca-dir online/issuing
