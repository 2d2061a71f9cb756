import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.crypto.KeyGenerator;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.Attribute;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.PrivateKeyPossessionStatement;
import org.bouncycastle.asn1.x509.SubjectAltPublicKeyInfo;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.jcajce.SecretKeyWithEncapsulation;
import org.bouncycastle.jcajce.spec.KEMGenerateSpec;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.DefaultAlgorithmNameFinder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemReader;

/**
 * BouncyCastle as a judge of certificates, CRLs and requests. One command a line on standard input, its words separated
 * by tabs; one JSON object a line on standard output. Files are PEM or DER; of a PEM file with several objects the first
 * counts.
 *
 *   version
 *   certificate FILE ISSUER           its signature by ISSUER and, where either has one, the alternative (Catalyst) one
 *   crl FILE ISSUER                   the same of a CRL
 *   csr FILE [ATTEST]                 the same of a request by its own key, or by the key of certificate ATTEST
 *   path LEAF ISSUER... ROOT -- CRL...  path validation (PKIX) to the trust anchor ROOT, with revocation if CRLs are given
 *   kem FILE                          the certificate's KEM key serves to encapsulate
 */
public final class Judge {
    private static final ASN1ObjectIdentifier ALT_KEY = Extension.subjectAltPublicKeyInfo;
    private static final ASN1ObjectIdentifier ALT_ALGORITHM = Extension.altSignatureAlgorithm;
    private static final ASN1ObjectIdentifier ALT_VALUE = Extension.altSignatureValue;
    private static final ASN1ObjectIdentifier POSSESSION = new ASN1ObjectIdentifier("1.3.6.1.4.1.22112.2.1");

    public static void main(String[] args) throws IOException {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            Map<String, Object> answer = new LinkedHashMap<>();
            try {
                judge(line.split("\t"), answer);
            } catch (Exception | LinkageError error) {
                answer.put("error", error.getClass().getSimpleName() + ": " + error.getMessage());
            }
            System.out.println(json(answer));
            System.out.flush();
        }
    }

    private static void judge(String[] words, Map<String, Object> answer) throws Exception {
        switch (words[0]) {
            case "version" -> answer.put("version", Security.getProvider("BC").getVersionStr());
            case "certificate" -> certificate(read(words[1]), read(words[2]), answer);
            case "crl" -> crl(read(words[1]), read(words[2]), answer);
            case "csr" -> csr(read(words[1]), words.length > 2 ? read(words[2]) : null, answer);
            case "path" -> path(Arrays.asList(words).subList(1, words.length), answer);
            case "kem" -> kem(read(words[1]), answer);
            default -> throw new IllegalArgumentException("unknown command " + words[0]);
        }
    }

    private static void certificate(byte[] der, byte[] issuerDer, Map<String, Object> answer) throws Exception {
        X509CertificateHolder holder = new X509CertificateHolder(der);
        X509CertificateHolder issuer = new X509CertificateHolder(issuerDer);
        answer.put("subject", holder.getSubject().toString());
        answer.put("names", holder.getIssuer().equals(issuer.getSubject()));
        boolean valid = holder.isSignatureValid(verifier(issuer.getSubjectPublicKeyInfo()));
        answer.put("signature", signature(holder.getSignatureAlgorithm(), valid));
        if (hasAlternative(holder.getExtensions(), issuer)) {
            boolean alternative = holder.isAlternativeSignatureValid(alternativeVerifier(issuer));
            answer.put("alternative", signature(alternativeAlgorithm(holder.getExtensions()), alternative));
        }
    }

    private static void crl(byte[] der, byte[] issuerDer, Map<String, Object> answer) throws Exception {
        X509CRLHolder holder = new X509CRLHolder(der);
        X509CertificateHolder issuer = new X509CertificateHolder(issuerDer);
        answer.put("names", holder.getIssuer().equals(issuer.getSubject()));
        answer.put("revoked", holder.getRevokedCertificates().size());
        boolean valid = holder.isSignatureValid(verifier(issuer.getSubjectPublicKeyInfo()));
        answer.put("signature", signature(holder.toASN1Structure().getSignatureAlgorithm(), valid));
        Extensions extensions = holder.toASN1Structure().getTBSCertList().getExtensions();
        if (hasAlternative(extensions, issuer)) {
            boolean alternative = holder.isAlternativeSignatureValid(alternativeVerifier(issuer));
            answer.put("alternative", signature(alternativeAlgorithm(extensions), alternative));
        }
    }

    private static void csr(byte[] der, byte[] attestDer, Map<String, Object> answer) throws Exception {
        PKCS10CertificationRequest request = new PKCS10CertificationRequest(der);
        SubjectPublicKeyInfo key = request.getSubjectPublicKeyInfo();
        answer.put("subject", request.getSubject().toString());
        answer.put("key", name(key.getAlgorithm()));
        if (attestDer != null) key = possession(request, new X509CertificateHolder(attestDer), answer);
        answer.put("signature", signature(request.getSignatureAlgorithm(), request.isSignatureValid(verifier(key))));
        if (request.hasAltPublicKey()) {
            SubjectPublicKeyInfo own = SubjectPublicKeyInfo.getInstance(attribute(request, ALT_KEY));
            AlgorithmIdentifier algorithm = AlgorithmIdentifier.getInstance(attribute(request, ALT_ALGORITHM));
            answer.put("alternative", signature(algorithm, request.isAltSignatureValid(verifier(own))));
        }
    }

    /** The statement of RFC 9883 must name the attesting certificate; its key is the one that signed the request. */
    private static SubjectPublicKeyInfo possession(
            PKCS10CertificationRequest request, X509CertificateHolder attest, Map<String, Object> answer) {
        PrivateKeyPossessionStatement statement =
                PrivateKeyPossessionStatement.getInstance(attribute(request, POSSESSION));
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("names", statement.getSigner().getName().equals(attest.getIssuer())
                && statement.getSigner().getCertificateSerialNumber().getValue().equals(attest.getSerialNumber()));
        found.put("included", statement.getCert() != null);
        if (statement.getCert() != null) found.put("same", statement.getCert().equals(attest.toASN1Structure()));
        answer.put("possession", found);
        return attest.getSubjectPublicKeyInfo();
    }

    private static void path(List<String> words, Map<String, Object> answer) throws Exception {
        int split = words.indexOf("--");
        List<String> chain = split < 0 ? words : words.subList(0, split);
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        List<X509Certificate> certificates = new ArrayList<>();
        for (String file : chain) certificates.add((X509Certificate) factory.generateCertificate(stream(file)));
        Collection<Object> crls = new ArrayList<>();
        if (split >= 0) {
            for (String file : words.subList(split + 1, words.size())) crls.add(factory.generateCRL(stream(file)));
        }
        X509Certificate root = certificates.remove(certificates.size() - 1);
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        parameters.setRevocationEnabled(!crls.isEmpty());
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls), "BC"));
        try {
            CertPathValidator.getInstance("PKIX", "BC").validate(factory.generateCertPath(certificates), parameters);
            answer.put("valid", true);
        } catch (CertPathValidatorException error) {
            answer.put("valid", false);
            answer.put("reason", error.getMessage());
        }
    }

    private static void kem(byte[] der, Map<String, Object> answer) throws Exception {
        X509CertificateHolder holder = new X509CertificateHolder(der);
        SubjectPublicKeyInfo spki = holder.getSubjectPublicKeyInfo();
        String algorithm = name(spki.getAlgorithm());
        PublicKey key = KeyFactory.getInstance(algorithm, "BC").generatePublic(new X509EncodedKeySpec(spki.getEncoded()));
        KeyGenerator generator = KeyGenerator.getInstance(algorithm, "BC");
        generator.init(new KEMGenerateSpec(key, "AES"), new SecureRandom());
        SecretKeyWithEncapsulation secret = (SecretKeyWithEncapsulation) generator.generateKey();
        KeyUsage usage = KeyUsage.fromExtensions(holder.getExtensions());
        answer.put("algorithm", algorithm);
        answer.put("key_bytes", spki.getPublicKeyData().getBytes().length);
        answer.put("ciphertext_bytes", secret.getEncapsulation().length);
        answer.put("key_encipherment_only", usage != null && usage.getPadBits() == 5
                && usage.hasUsages(KeyUsage.keyEncipherment) && usage.getBytes()[0] == KeyUsage.keyEncipherment);
        answer.put("reencoded", Arrays.equals(key.getEncoded(), spki.getEncoded()));
    }

    private static ContentVerifierProvider verifier(SubjectPublicKeyInfo key) throws Exception {
        return new JcaContentVerifierProviderBuilder().setProvider("BC").build(key);
    }

    private static ContentVerifierProvider alternativeVerifier(X509CertificateHolder issuer) throws Exception {
        Extension extension = issuer.getExtension(ALT_KEY);
        if (extension == null) throw new IllegalArgumentException("the issuer has no alternative key");
        return verifier(SubjectPublicKeyInfo.getInstance(
                SubjectAltPublicKeyInfo.getInstance(extension.getParsedValue()).toASN1Primitive()));
    }

    private static boolean hasAlternative(Extensions extensions, X509CertificateHolder issuer) {
        return issuer.getExtension(ALT_KEY) != null || (extensions != null
                && (extensions.getExtension(ALT_ALGORITHM) != null || extensions.getExtension(ALT_VALUE) != null));
    }

    private static AlgorithmIdentifier alternativeAlgorithm(Extensions extensions) {
        return AlgorithmIdentifier.getInstance(extensions.getExtensionParsedValue(ALT_ALGORITHM));
    }

    private static ASN1Encodable attribute(PKCS10CertificationRequest request, ASN1ObjectIdentifier type) {
        Attribute[] found = request.getAttributes(type);
        if (found.length != 1 || found[0].getAttributeValues().length != 1) {
            throw new IllegalArgumentException("the request has no single attribute " + type);
        }
        return found[0].getAttributeValues()[0];
    }

    private static Map<String, Object> signature(AlgorithmIdentifier algorithm, boolean valid) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("algorithm", name(algorithm));
        result.put("valid", valid);
        return result;
    }

    private static String name(AlgorithmIdentifier algorithm) {
        return new DefaultAlgorithmNameFinder().getAlgorithmName(algorithm);
    }

    /** The DER bytes of a file; of a PEM file, those of its first object. */
    private static byte[] read(String file) throws IOException {
        byte[] bytes = Files.readAllBytes(Path.of(file));
        if (bytes.length == 0 || bytes[0] != '-') return bytes;
        try (PemReader reader = new PemReader(Files.newBufferedReader(Path.of(file)))) {
            PemObject object = reader.readPemObject();
            return object.getContent();
        }
    }

    private static java.io.InputStream stream(String file) throws IOException {
        return new java.io.ByteArrayInputStream(read(file));
    }

    private static String json(Object value) {
        if (value instanceof Map<?, ?> map) {
            List<String> parts = new ArrayList<>();
            map.forEach((key, item) -> parts.add(json(key) + ":" + json(item)));
            return "{" + String.join(",", parts) + "}";
        }
        if (!(value instanceof String text)) return String.valueOf(value);
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }
}
