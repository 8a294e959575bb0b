/*
 * What PDFBox and Bouncy Castle say of the signatures in PDF files, each alone: java Signatures FILE…
 * prints a line a file: name, signatures found, how many verify with the certificate that they carry, and whether the
 * last one reaches to the end of the file (1, 0); "unreadable" when the file or a signature in it cannot be read.
 */
import java.io.File;
import java.nio.file.Files;
import java.security.Security;
import java.util.Collection;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

public class Signatures {
	@SuppressWarnings("unchecked")
	static boolean verifies(byte[] file, PDSignature signature) throws Exception {
		CMSSignedData cms = new CMSSignedData(new CMSProcessableByteArray(signature.getSignedContent(file)), signature.getContents(file));
		Collection<SignerInformation> signers = cms.getSignerInfos().getSigners();

		for (SignerInformation signer : signers) {
			Collection<X509CertificateHolder> found = cms.getCertificates().getMatches(signer.getSID());

			if (found.isEmpty() || !signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(found.iterator().next())))
				return false;
		}
		return !signers.isEmpty();
	}

	static String judge(File path) {
		int found = 0, good = 0;
		long end = 0;

		try (PDDocument document = PDDocument.load(path)) {
			byte[] file = Files.readAllBytes(path.toPath());

			for (PDSignature signature : document.getSignatureDictionaries()) {
				int[] range = signature.getByteRange();

				found++;
				if (range.length == 4)
					end = Math.max(end, (long) range[2] + range[3]);
				try {
					if (verifies(file, signature))
						good++;
				} catch (Exception e) {
					/* a signature that cannot be read does not verify */
				}
			}
			return found + "\t" + good + "\t" + (end == file.length ? 1 : 0);
		} catch (Exception e) {
			return "unreadable";
		}
	}

	public static void main(String[] args) {
		Logger.getLogger("").setLevel(Level.OFF);
		Security.addProvider(new BouncyCastleProvider());
		for (String name : args)
			System.out.println(new File(name).getName() + "\t" + judge(new File(name)));
	}
}
