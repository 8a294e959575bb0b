/*
 * What the JDK and Bouncy Castle say of the state of certificates: java -cp … Status.java CHAIN OCSP-URL CERTIFICATE…
 * CHAIN holds the issuing CA and the root.  Prints a line for each way and certificate: "way file word", where word is
 * good, revoked:REASON, or refused:what was said.
 *
 *   jdk-get, jdk-nonce, jdk-post   java.security.cert.PKIXRevocationChecker by OCSP
 *   jdk-crl                        the same by the CRL that the certificate names
 *   bc-sha1, bc-sha256             org.bouncycastle.cert.ocsp over POST, with a nonce that has to come back
 */
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.Extension;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.PKIXRevocationChecker.Option;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.oiw.OIWObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateHolder;
import org.bouncycastle.cert.ocsp.BasicOCSPResp;
import org.bouncycastle.cert.ocsp.CertificateID;
import org.bouncycastle.cert.ocsp.OCSPReqBuilder;
import org.bouncycastle.cert.ocsp.OCSPResp;
import org.bouncycastle.cert.ocsp.RevokedStatus;
import org.bouncycastle.cert.ocsp.SingleResp;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

public class Status {
	static X509Certificate issuer, root;
	static URI url;

	/** An extension of a request; a long one that means nothing makes it too long for a GET. */
	record Given(String getId, byte[] getValue) implements Extension {
		public boolean isCritical() { return false; }
		public void encode(OutputStream out) throws IOException {
			out.write(new org.bouncycastle.asn1.x509.Extension(new ASN1ObjectIdentifier(getId), false, getValue).getEncoded());
		}
	}

	static byte[] random(int n) {
		byte[] bytes = new byte[n];
		new SecureRandom().nextBytes(bytes);
		return bytes;
	}

	static String jdk(X509Certificate certificate, Set<Option> options, List<Extension> extensions) throws Exception {
		CertificateFactory factory = CertificateFactory.getInstance("X.509");
		CertPath path = factory.generateCertPath(List.of(certificate));
		CertPathValidator validator = CertPathValidator.getInstance("PKIX");
		PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
		PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(issuer, null)));

		checker.setOptions(options);
		if (!options.contains(Option.PREFER_CRLS))
			checker.setOcspResponder(url);
		checker.setOcspExtensions(extensions);
		parameters.addCertPathChecker(checker);
		try {
			validator.validate(path, parameters);
			return "good";
		} catch (CertPathValidatorException e) {
			if (e.getCause() instanceof CertificateRevokedException revoked)
				return "revoked:" + revoked.getRevocationReason();
			return "refused:" + e.getReason() + ":" + e.getMessage();
		}
	}

	static String bouncy(X509Certificate certificate, AlgorithmIdentifier hash) throws Exception {
		X509CertificateHolder holder = new JcaX509CertificateHolder(issuer);
		CertificateID id = new CertificateID(new JcaDigestCalculatorProviderBuilder().build().get(hash), holder, certificate.getSerialNumber());
		DEROctetString nonce = new DEROctetString(random(32));
		byte[] question = new OCSPReqBuilder().addRequest(id).setRequestExtensions(new Extensions(new org.bouncycastle.asn1.x509.Extension(
		    OCSPObjectIdentifiers.id_pkix_ocsp_nonce, false, nonce.getEncoded()))).build().getEncoded();
		HttpURLConnection http = (HttpURLConnection) url.toURL().openConnection();

		http.setDoOutput(true);
		http.setRequestProperty("Content-Type", "application/ocsp-request");
		http.getOutputStream().write(question);
		OCSPResp response = new OCSPResp(http.getInputStream().readAllBytes());
		if (response.getStatus() != OCSPResp.SUCCESSFUL)
			return "refused:" + response.getStatus();
		BasicOCSPResp basic = (BasicOCSPResp) response.getResponseObject();
		X509CertificateHolder responder = basic.getCerts()[0];
		if (!responder.isSignatureValid(new JcaContentVerifierProviderBuilder().build(holder)) ||
		    !basic.isSignatureValid(new JcaContentVerifierProviderBuilder().build(responder)))
			return "refused:signature";
		if (!Arrays.equals(basic.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce).getExtnValue().getOctets(), nonce.getEncoded()))
			return "refused:nonce";
		SingleResp[] single = basic.getResponses();
		/* Without NULL the hash's identifier means the same and is written otherwise. */
		CertificateID answered = single[0].getCertID();
		if (single.length != 1 || !answered.getHashAlgOID().equals(hash.getAlgorithm()) || !answered.getSerialNumber().equals(certificate.getSerialNumber()) ||
		    !answered.matchesIssuer(holder, new JcaDigestCalculatorProviderBuilder().build()) || (hash.getParameters() != null && !answered.equals(id)))
			return "refused:id";
		if (single[0].getCertStatus() == null)
			return "good";
		return single[0].getCertStatus() instanceof RevokedStatus revoked ?
		    "revoked:" + (revoked.hasRevocationReason() ? revoked.getRevocationReason() : "none") : "refused:unknown";
	}

	interface Way { String ask(X509Certificate certificate) throws Exception; }

	static void tell(String name, String file, X509Certificate certificate, Way way) {
		String word;

		try {
			word = way.ask(certificate);
		} catch (Exception e) {
			word = "refused:" + e;
		}
		System.out.println(name + " " + Path.of(file).getFileName() + " " + word.replaceAll("\\s+", "_"));
	}

	public static void main(String[] args) throws Exception {
		CertificateFactory factory = CertificateFactory.getInstance("X.509");
		List<X509Certificate> chain = new ArrayList<>();
		Set<Option> ocsp = EnumSet.of(Option.ONLY_END_ENTITY, Option.NO_FALLBACK);
		Set<Option> crl = EnumSet.of(Option.ONLY_END_ENTITY, Option.NO_FALLBACK, Option.PREFER_CRLS);
		String nonce = "1.3.6.1.5.5.7.48.1.2";

		factory.generateCertificates(new ByteArrayInputStream(Files.readAllBytes(Path.of(args[0])))).forEach((c) -> chain.add((X509Certificate) c));
		issuer = chain.stream().filter((c) -> !c.getSubjectX500Principal().equals(c.getIssuerX500Principal())).findFirst().orElseThrow();
		url = URI.create(args[1]);
		for (String file : Arrays.copyOfRange(args, 2, args.length)) {
			X509Certificate certificate = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(Files.readAllBytes(Path.of(file))));

			tell("jdk-get", file, certificate, (c) -> jdk(c, ocsp, List.of()));
			tell("jdk-nonce", file, certificate, (c) -> jdk(c, ocsp, List.of(new Given(nonce, new DEROctetString(random(32)).getEncoded()))));
			tell("jdk-post", file, certificate, (c) -> jdk(c, ocsp, List.of(new Given("1.3.6.1.4.1.43745.99.1", new DEROctetString(random(200)).getEncoded()))));
			tell("jdk-crl", file, certificate, (c) -> jdk(c, crl, List.of()));
			tell("bc-sha1", file, certificate, (c) -> bouncy(c, new AlgorithmIdentifier(OIWObjectIdentifiers.idSHA1, DERNull.INSTANCE)));
			tell("bc-sha256", file, certificate, (c) -> bouncy(c, new AlgorithmIdentifier(NISTObjectIdentifiers.id_sha256)));
		}
	}
}
