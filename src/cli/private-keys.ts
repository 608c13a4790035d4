/** Private keys as people paste them where the name of a file belongs: age's, of any kind, those of SSH, shares of a split one. */
const keys = [
  /AGE-SECRET-KEY-[A-Z0-9-]{20,}/gi,
  /AGE-PLUGIN-[A-Z0-9-]{20,}/gi,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /LIFEBOAT-SHARE-1:[0-9A-Z -]{20,}/gi,
];

export function holdsPrivateKey(text: string): boolean {
  return keys.some((key) => text.search(key) >= 0);
}

/** The same text, fit to be read by anybody: a log keeps what a terminal shows. */
export function withoutPrivateKeys(text: string): string {
  return keys.reduce((rest, key) => rest.replace(key, '(a private key, not shown)'), text);
}
