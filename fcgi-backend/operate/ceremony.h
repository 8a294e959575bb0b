/*
 * The ceremony: everything of an instance that is a key or signed by one
 * before the first program runs.  `icertctl up` calls it once a prefix.
 *
 * What it leaves behind (owner when started by root, mode):
 *
 *   [paths] root_dir          the caller's, 0700   softhsm2.conf tokens/ pin: the
 *                             root's token, touched again only by a ceremony
 *   [paths] signer_dir        icert-signer 0700    softhsm2.conf tokens/ pin
 *                             emisora.cer raiz.cer journal
 *   [paths] status_signer_dir icert-status 0700    `icert-status-signer --init`; the
 *                             responder's key and certificate are asked for by
 *                             icert-publisher, at its first start as at each rotation
 *   [paths] keeper_dir        icert-keeper 0700    `icert-keeper --init`
 *   [paths] keymaker_dir      icert-keymaker 0700  `icert-keymaker --init`
 *   [paths] publisher_dir     icert-publisher 0700 manifest.key (Ed25519 seed, seals
 *                             the status sets)
 *   [paths] pins              0755, files 0644     keeper.pub keymaker.pub
 *                             status-signer.pub manifest.pub: Ed25519 public
 *                             keys, 32 raw octets each, only root may change them
 *   [paths] ca                0755, files 0644     raiz.cer emisora.cer (DER),
 *                             raiz.crl (DER, the ARL), chain.pem (emisora, raiz); after a
 *                             rollover emisora-2.cer … and issuers.conf
 *                             ceremony.conf (written last: what was made, the URLs in it)
 *
 * `icert-keeper --init`, `icert-keymaker --init` and `icert-status-signer --init`
 * are started with `--config FILE` as their own user; each makes its secrets in
 * its own folder, does nothing to what is there already, writes its Ed25519
 * public key as 32 raw octets to FOLDER/public.key, and exits with 0.
 *
 * Configuration read, all required (URLs are the strings put into certificates):
 *   [public] ocsp_url crl_url arl_url issuer_url root_url cps_url
 *   [signer] [root] module (PKCS#11) token (label) pin_file; prepared = yes: the token is there
 *            with its PIN in pin_file, else it is made with SoftHSM2
 *   [ca]     country locality organization unit root_name issuing_name
 *            responder_name root_years arl_months responder_days
 *   [paths]  as above
 * organization must be what verifiers of the country look for
 * (`CONSEJO DE LA JUDICATURA`); neither it nor a name may hold a comma.
 */
#ifndef ICERT_OPERATE_CEREMONY_H
#define ICERT_OPERATE_CEREMONY_H

struct config;

/* Told before each long step, with a short English sentence in `step`. */
typedef void (*ceremony_say)(void *arg, const char *step);

/*
 * Is the ceremony of this instance complete?  1 yes, 0 no.
 */
int ceremony_done(const struct config *config);

/*
 * Does the configuration still say the URLs that stand in the certificates?
 * 0, or ICERT_E_CONFLICT with a sentence naming the differing key and both
 * values in `why` (size `why_size`).  Call only when ceremony_done().
 */
int ceremony_urls(const struct config *config, char *why, unsigned long why_size);

/*
 * Makes what is missing.  `config_path` is handed to the programs that make
 * their own secrets, found as bin_dir/icert-NAME.  A ceremony that was cut
 * short (no ceremony.conf) begins again from nothing: no certificate can have
 * been issued by it.  Takes a few seconds (two RSA-4096 keys, side by side).
 * keep_tokens: the tokens that are there stay, and their keys are certified;
 * for addresses that were wrong and stand in no certificate of a person yet.
 *
 * Returns 0, or a negative error of libicert/error.h with a sentence in `why`.
 */
int ceremony_run(const struct config *config, const char *config_path, const char *bin_dir, int keep_tokens,
    ceremony_say say, void *arg, char *why, unsigned long why_size);

/*
 * Later ceremonies.  The root's token is brought back for the first two, and no signer runs meanwhile; the programs read the list
 * of CAs (pki/issuer_list.h) when they start.  Each returns 0 or a negative error with a sentence in `why`.
 *
 * ceremony_rollover: another issuing CA of this common name, with a key of its own in the signer's token.  From the next start on
 * it issues, and those before it only answer.  One that is broken off changes nothing and may be begun again.
 */
int ceremony_rollover(const struct config *config, const char *name, const char *config_path, const char *bin_dir,
    ceremony_say say, void *arg, char *why, unsigned long why_size);
/* The root's next list, for [ca] arl_months; revoke: number of an issuing CA that it names from now on, 0: none. */
int ceremony_list(const struct config *config, unsigned revoke, int reason, char *why, unsigned long why_size);
/* An issuing CA has ended: from the next start on it gives its last answers and its last list, without an end. */
int ceremony_end(const struct config *config, unsigned number, char *why, unsigned long why_size);

#endif
