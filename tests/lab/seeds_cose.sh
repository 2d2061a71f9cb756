# The COSE section of the web guide, verbatim, with the keys it speaks of: ML-DSA, and EC with ML-DSA under one label. The
# format is that of tests/e2e/seeds/commands.sh.

scenario: web guide, COSE and CWT, ML-DSA
setup: export HSM_PIN="****"
setup: qpki ca init --hsm-config ./hsm.yaml --key-label cose-key --profile ml/root-ca --var cn=COSE --ca-dir ./ca
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
setup: qpki cose info token.cbor | grep -q ML-DSA-87
setup: mv ca first-ca
setup: qpki ca init --hsm-config ./hsm.yaml --key-label signing-key --profile ml/root-ca --var cn=Signing --ca-dir ./ca
# Sign arbitrary data (COSE_Sign1)
qpki cose sign --type sign1 \
--cert ./ca/ca.crt \
--hsm-config ./hsm.yaml --key-label signing-key \
--data document.pdf \
-o signed-document.cbor
# Verify with data
qpki cose verify signed-document.cbor --ca ./ca/ca.crt --data document.pdf

scenario: web guide, COSE and CWT, hybrid
setup: export HSM_PIN="****"
setup: qpki ca init --hsm-config ./hsm.yaml --key-label hybrid-signer --profile hybrid/catalyst/root-ca --var cn=Hybrid --ca-dir ./hybrid-ca
# Use hybrid CA with EC + ML-DSA keys
qpki cose sign --type sign \
--cert ./hybrid-ca/ca.crt \
--hsm-config ./hsm.yaml --key-label hybrid-signer \
--iss "https://hybrid.example.com" \
--sub "hybrid-user" --exp 1h \
-o hybrid-token.cbor
# Hybrid verification
qpki cose verify hybrid-token.cbor --ca ./hybrid-ca/ca.crt
setup: qpki cose info hybrid-token.cbor > info.txt
setup: grep -q ES384 info.txt
setup: grep -q ML-DSA-87 info.txt
setup: for i in 1 2 3; do echo "{\"claims\": {\"sub\": \"$i\"}}"; done > batch.jsonl
setup: qpki cose sign --hsm-config ./hsm.yaml --key-label hybrid-signer --batch batch.jsonl > results.jsonl
setup: [ "$(grep -c '"message":"d83dd862' results.jsonl)" = 3 ]
setup: truncate -s 70M large
setup: qpki cose sign --type sign --detached --data large --hsm-config ./hsm.yaml --key-label hybrid-signer -o large.cose 2> refused.txt && exit 9
setup: grep -q "only as a whole" refused.txt
