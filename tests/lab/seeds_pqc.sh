# Sections 10 and 11 of the HSM guide, verbatim, without what needs the simulator's own tools or rotation. The format is
# that of tests/e2e/seeds/commands.sh; examples/hsm/utimaco-simulator.yaml leads to the laboratory's token.

scenario: guide 10, environment
export HSM_CONFIG=examples/hsm/utimaco-simulator.yaml
export HSM_PIN=12345688
export HSM_PQC_ENABLED=1
setup: qpki hsm list
setup: qpki hsm test
setup: qpki hsm mechanisms --filter ML | grep CKM_ML_DSA_KEY_PAIR_GEN

scenario: guide 10, PQC key generation
export HSM_PIN="12345688"
qpki key gen --algorithm ml-dsa-65 \
  --hsm-config examples/hsm/utimaco-simulator.yaml \
  --key-label "test-mldsa-key"

qpki key gen --algorithm ml-kem-768 \
  --hsm-config examples/hsm/utimaco-simulator.yaml \
  --key-label "test-mlkem-key"
setup: qpki key list --hsm-config examples/hsm/utimaco-simulator.yaml --json > keys.json
setup: grep -q '"ml-dsa-65"' keys.json
setup: grep -q '"ml-kem-768"' keys.json
setup: qpki key pub --hsm-config examples/hsm/utimaco-simulator.yaml --key-label test-mldsa-key --out mldsa.pub
setup: qpki key pub --hsm-config examples/hsm/utimaco-simulator.yaml --key-label test-mlkem-key --out mlkem.pub
setup: openssl pkey -pubin -in mldsa.pub -noout -text | grep -q ML-DSA-65
setup: openssl pkey -pubin -in mlkem.pub -noout -text | grep -q ML-KEM-768

scenario: guide 10, creating a PQC CA
export HSM_PIN="12345688"

qpki ca init --hsm-config examples/hsm/utimaco-simulator.yaml \
  --key-label "pqc-root-ca-key" \
  --profile ml/root-ca \
  --var cn="PQC Root CA" \
  --ca-dir ./pqc-hsm-ca
setup: qpki crl gen --ca-dir ./pqc-hsm-ca
setup: openssl verify -x509_strict -check_ss_sig -CAfile pqc-hsm-ca/ca.crt -CRLfile pqc-hsm-ca/crl/ca.crl -crl_check pqc-hsm-ca/ca.crt
setup: openssl x509 -in pqc-hsm-ca/ca.crt -noout -text | grep -q 'Signature Algorithm: ML-DSA-87'
setup: [ ! -e pqc-hsm-ca/versions/v1/keys ]

scenario: guide 11.1, Catalyst CA
export HSM_PIN="****"
export HSM_PQC_ENABLED=1  # Required for PQC HSM operations

qpki ca init --hsm-config examples/hsm/utimaco-simulator.yaml \
  --key-label "catalyst-root" \
  --profile hybrid/catalyst/root-ca \
  --var cn="Catalyst Root CA" \
  --ca-dir ./catalyst-hsm-ca
setup: [ "$(grep -c '"label": "catalyst-root"' catalyst-hsm-ca/ca.meta.json)" = 2 ]
setup: qpki key info --hsm-config examples/hsm/utimaco-simulator.yaml --key-label catalyst-root | grep 'Keys found: 2'
setup: qpki crl gen --ca-dir ./catalyst-hsm-ca
setup: qpki cert verify catalyst-hsm-ca/ca.crt --ca catalyst-hsm-ca/ca.crt --crl catalyst-hsm-ca/crl/ca.crl
setup: openssl verify -x509_strict -check_ss_sig -CAfile catalyst-hsm-ca/ca.crt -CRLfile catalyst-hsm-ca/crl/ca.crl -crl_check catalyst-hsm-ca/ca.crt
setup: [ ! -e catalyst-hsm-ca/versions/v1/keys ]

scenario: guide 11.2, composite CA
export HSM_PIN="****"
export HSM_PQC_ENABLED=1

qpki ca init --hsm-config examples/hsm/utimaco-simulator.yaml \
  --key-label "composite-root" \
  --profile hybrid/composite/root-ca \
  --var cn="Composite Root CA" \
  --ca-dir ./composite-hsm-ca
setup: [ "$(grep -c '"label": "composite-root"' composite-hsm-ca/ca.meta.json)" = 2 ]
setup: qpki crl gen --ca-dir ./composite-hsm-ca
setup: qpki cert verify composite-hsm-ca/ca.crt --ca composite-hsm-ca/ca.crt --crl composite-hsm-ca/crl/ca.crl
setup: [ ! -e composite-hsm-ca/versions/v1/keys ]

scenario: guide 11.3, rotation of a hybrid CA
export HSM_PIN="****"
setup: qpki ca init --hsm-config examples/hsm/utimaco-simulator.yaml --key-label catalyst-root --profile hybrid/catalyst/root-ca --var cn="Catalyst Root CA" --ca-dir ./catalyst-hsm-ca

# Rotate Catalyst CA (generates new keys in HSM)
qpki ca rotate --ca-dir ./catalyst-hsm-ca \
  --profile hybrid/catalyst/root-ca

# Verify rotation created new key versions
qpki ca versions --ca-dir ./catalyst-hsm-ca
setup: qpki ca versions --ca-dir ./catalyst-hsm-ca | grep '^v2 *pending'
setup: [ "$(grep -c '"label": "catalyst-root"' catalyst-hsm-ca/ca.meta.json)" = 4 ]
setup: [ "$(grep '"key_id"' catalyst-hsm-ca/ca.meta.json | sort -u | wc -l)" = 4 ]
setup: qpki ca activate --ca-dir ./catalyst-hsm-ca --version 2
setup: qpki crl gen --ca-dir ./catalyst-hsm-ca
setup: [ ! -e catalyst-hsm-ca/versions/v2/keys ]
